"""TensorFlow at first use: model files import it, but a mistyped key should not wait four seconds for it."""

import contextlib
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from typing import Any

started_by: set[int] = set()  # the process, among this one and those of which it is a fork, that started TensorFlow


class PostponedModule(types.ModuleType):
    """Stands in for TensorFlow until one of its attributes is asked for."""

    def __getattr__(self, name: str) -> Any:
        load_tensorflow()
        return getattr(sys.modules["tensorflow"], name)


def postpone_tensorflow() -> None:
    """Let `import tensorflow` cost nothing until it is used; without effect once it is imported."""
    sys.modules.setdefault("tensorflow", PostponedModule("tensorflow"))


def load_tensorflow() -> None:
    """Import TensorFlow and find its devices, unless it is imported already."""
    if import_tensorflow():
        find_devices()


def import_tensorflow() -> bool:
    """Import TensorFlow without what it prints, and compute nothing, for later forks; whether it was not there yet."""
    if not isinstance(sys.modules.get("tensorflow"), PostponedModule | types.NoneType):
        return False
    sys.modules.pop("tensorflow", None)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with silence_stderr():
        import tensorflow as tf

        if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdecimal():  # joblib's, which TensorFlow does not read
            tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.get_logger().setLevel("ERROR")  # it warns of functions traced anew for another model or shape, as they must be
    return True


def find_devices() -> None:
    """Let TensorFlow start its threads, which do not survive a fork, and open its devices, without what it prints.

    Raises RuntimeError in a fork of a process that has done so, where TensorFlow would wait for them forever.
    """
    import tensorflow as tf

    started_by.add(os.getpid())
    if started_by != {os.getpid()}:
        raise RuntimeError("TensorFlow was started before this process was forked, and cannot compute in it")
    with silence_stderr():
        tf.config.list_logical_devices()


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Hold back what libraries write to file descriptor 2; show it if an error leaves the block, not on Ctrl-C."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
