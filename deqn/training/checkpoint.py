"""Checkpoints: everything that training changes, written whole or not at all, and restored whole or not at all.

A checkpoint is a pair of files, data and index. Both are written in a folder of their own and then take their names,
the index last, so that a checkpoint whose index stands in its place is complete.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from deqn.system.errors import FileError, first_line

DAMAGE = (tf.errors.OpError, AssertionError, ValueError, IndexError, OSError)  # what TensorFlow raises on a bad file
UNREADABLE = (tf.errors.PermissionDeniedError, tf.errors.UnavailableError, tf.errors.ResourceExhaustedError, OSError)
KEPT = 2


class Checkpoints:
    """The two newest checkpoints of a run, `checkpoints/ckpt-<number>` in its folder."""

    def __init__(self, folder: Path, network: keras.Model, **objects: tf.Module):
        """`network` and `objects` hold all that training changes."""
        weights = {id(w) for w in network.weights}
        seeds = [v.value for v in network.variables if id(v) not in weights]  # of dropout, not saved with the network
        self._checkpoint = tf.train.Checkpoint(network=network, seeds=seeds, **objects)
        self._folder = folder / "checkpoints"

    @property
    def numbers(self) -> list[int]:
        """The checkpoints that are there, whole or not, the oldest first."""
        return sorted({int(p.stem.removeprefix("ckpt-")) for p in self._folder.glob("ckpt-*.*")})

    def save(self) -> None:
        """Write a checkpoint, and delete all but the newest. Raises FileError where it cannot be written."""
        write(self._checkpoint, self._folder / f"ckpt-{max(self.numbers, default=0) + 1}")
        for number in self.numbers[:-KEPT]:
            self._delete(number)

    def restore(self) -> list[str]:
        """Restore the newest whole checkpoint; returns what is wrong with the later ones, which are deleted.

        Raises FileError if no checkpoint holds every object and nothing else, or if the system refuses to read one.
        """
        problems: list[str] = []
        for number in reversed(self.numbers):
            try:
                read(self._checkpoint, self._folder / f"ckpt-{number}")
            except FileError as error:
                if isinstance(error.__cause__, UNREADABLE):
                    raise  # the file may be whole
                problems.append(str(error))
                continue
            for damaged in self.numbers[self.numbers.index(number) + 1 :]:
                self._delete(damaged)
            return problems
        raise FileError("; ".join(problems) or f"there is no checkpoint in {self._folder}")

    def _delete(self, number: int) -> None:
        for file in sorted(self._folder.glob(f"ckpt-{number}.*"), reverse=True):  # the index first
            file.unlink()


def write(checkpoint: tf.train.Checkpoint, path: Path) -> None:
    """Write a checkpoint under a name, `path` without a suffix. Raises FileError."""
    place = path.with_name("unfinished")
    try:
        checkpoint.write(str(place / path.name))
        path.with_name(f"{path.name}.index").unlink(missing_ok=True)  # of an earlier one, whose data are replaced
        for file in sorted(place.glob(f"{path.name}.*")):  # data before index
            os.replace(file, path.with_name(file.name))
    except (tf.errors.OpError, OSError) as error:
        raise FileError(f"cannot write the checkpoint {path}: {str(error).rpartition('; ')[2]}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def read(checkpoint: tf.train.Checkpoint, path: Path) -> None:
    """Restore a checkpoint. Raises FileError unless each object is found there, and nothing else."""
    try:
        with escape_brackets(path) as name:
            status = checkpoint.read(name)
        status.assert_existing_objects_matched()
        status.assert_consumed()
    except DAMAGE as error:
        cause = first_line(error).split("}} ")[-1]  # without the name of TensorFlow's own function
        raise FileError(f"the checkpoint {path} is incomplete, damaged, of another model or network, or of another "
                        f"release of deqn: {cause}") from error  # fmt: skip


@contextlib.contextmanager
def escape_brackets(path: Path) -> Iterator[str]:
    """A name under which TensorFlow, which takes names for patterns, finds a file whose folder has brackets."""
    if not set("[\\") & set(str(path)):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / "checkpoints"
        link.symlink_to(path.parent.resolve())
        yield str(link / path.name)


def write_policy(folder: Path, network: keras.Model) -> None:
    """Save the weights of the final policy, `checkpoints/policy`. Raises FileError."""
    write(tf.train.Checkpoint(network=network), folder / "checkpoints" / "policy")


def read_policy(folder: Path, network: keras.Model) -> None:
    """Load the weights of the final policy. Raises FileError unless they are all there and fit."""
    read(tf.train.Checkpoint(network=network), folder / "checkpoints" / "policy")
