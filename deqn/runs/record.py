"""What a run says of itself: what takes long, its log, and the versions, device, seed and command that made it."""

import contextlib
import logging
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.status import Status

from deqn.configuration.job import Job
from deqn.system.files import lock_file

PACKAGES = ("deqn", "tensorflow", "keras", "numpy", "scipy", "hydra-core", "pandas")
log = logging.getLogger("deqn")


class LogHandler(logging.StreamHandler):
    """A log that cannot be written is an error of the run, not a note on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # noqa: PLE0704  (called where the exception is being handled)


@contextlib.contextmanager
def open_log(folder: Path) -> Iterator[None]:
    """Write the log of this run, and of no other, to run.log; its lock keeps a second run out of the folder."""
    stream = lock_file(folder / "run.log", "run")
    handler = LogHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.propagate, log.disabled = False, False  # Hydra disables what an earlier job of its process has logged to
    log.addHandler(handler)
    try:
        yield
    except Exception as error:
        with contextlib.suppress(OSError):  # a full disk, which may be what the error says
            log.error("%s", error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):
            stream.close()


def record_environment(job: Job) -> dict[str, Any]:
    """Versions, device, threads, seed, command line, and the git revisions of the package and of the model's file."""
    return {
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "platform": platform.platform(),
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "threads": {"intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
                    "inter_op": tf.config.threading.get_inter_op_parallelism_threads()},
        "seed": job.settings.seed,
        "command_line": sys.argv,
        "overrides": [o for o in job.overrides if not o.startswith("resume=")],
        "config_dir": None if job.config_dir is None else str(Path(job.config_dir).resolve()),
        "git_revision": find_revision(__file__),
        "model_git_revision": find_revision(getattr(sys.modules[type(job.model).__module__], "__file__", None)),
    }  # fmt: skip


def find_revision(file: str | None) -> str | None:
    """The git revision of the repository that holds a file; None where the file belongs to none."""
    if file is None:
        return None
    place = Path(file).resolve()
    for words in (["ls-files", "--error-unmatch", place.name], ["rev-parse", "HEAD"]):
        try:
            answer = subprocess.run(["git", *words], cwd=place.parent, capture_output=True, timeout=5, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
    return answer.stdout.decode().strip()


@contextlib.contextmanager
def show_status(console: Console) -> Iterator[Callable[[str], None]]:
    """A function that shows a text: a terminal shows the newest until the end, anything else only the first."""
    status = Status("", console=console)
    told: list[str] = []

    def tell(text: str) -> None:
        status.update(text)
        if console.is_terminal:
            status.start()
        elif not told:
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        told.append(text)

    try:
        yield tell
    finally:
        status.stop()
