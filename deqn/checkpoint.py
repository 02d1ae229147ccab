"""Checkpoints: everything that training changes, saved and restored whole or not at all."""

from pathlib import Path

import keras
import tensorflow as tf

from deqn.errors import FileError, first_line

DAMAGE = (tf.errors.OpError, AssertionError, ValueError, IndexError, OSError)  # what TensorFlow raises on a bad file


class Checkpoints:
    """The two newest checkpoints of a run, `checkpoints/` in its folder.

    `network` and `objects` hold all that training changes; the seeds of dropout layers, which Keras does not save with
    the network, are added.
    """

    def __init__(self, folder: Path, network: keras.Model, **objects: tf.Module):
        weights = {id(w) for w in network.weights}
        seeds = [v.value for v in network.variables if id(v) not in weights]
        self._checkpoint = tf.train.Checkpoint(network=network, seeds=seeds, **objects)
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder / "checkpoints"), max_to_keep=2)

    def save(self, step: int) -> None:
        """Write a checkpoint. Raises FileError where it cannot be written."""
        try:
            self._manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            raise FileError(f"cannot write a checkpoint: {first_line(error)}") from error

    def restore(self) -> None:
        """Restore the newest checkpoint. Raises FileError unless each object is found there, and nothing else."""
        newest = self._manager.latest_checkpoint
        if newest is None:
            raise FileError(f"there is no checkpoint in {self._manager.directory}")
        try:
            status = self._checkpoint.restore(newest)
            status.assert_existing_objects_matched()
            status.assert_consumed()
        except DAMAGE as error:
            raise FileError(
                f"checkpoint {newest} is damaged or of another model or network: {first_line(error)}"
            ) from error


def write_policy(folder: Path, network: keras.Model) -> None:
    """Save the weights of the final policy, `checkpoints/policy`. Raises FileError."""
    try:
        tf.train.Checkpoint(network=network).write(str(folder / "checkpoints" / "policy"))
    except (tf.errors.OpError, OSError) as error:
        raise FileError(f"cannot write the policy: {first_line(error)}") from error


def read_policy(folder: Path, network: keras.Model) -> None:
    """Load the weights of the final policy. Raises FileError unless they are all there and fit."""
    path = folder / "checkpoints" / "policy"
    try:
        status = tf.train.Checkpoint(network=network).read(str(path))
        status.assert_existing_objects_matched()
        status.assert_consumed()
    except DAMAGE as error:
        raise FileError(f"{path} is missing, damaged or of another network: {first_line(error)}") from error
