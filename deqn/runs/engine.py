"""The engine is imported, seconds of TensorFlow, once a job is sure to run; then the job runs in its folder."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deqn.configuration.job import Job
from deqn.system.clock import Clock
from deqn.system.lazy_tensorflow import find_devices, import_tensorflow

if TYPE_CHECKING:
    from rich.console import Console

    from deqn.runs.solution import Solution


def import_engine(quiet: bool = False) -> "Console":
    """Import TensorFlow and what is built on it, and compute nothing; returns the console on which the user saw why."""
    from rich.console import Console

    # A notebook sets FORCE_COLOR, by which rich takes a pipe for a terminal and turns its spinner there.
    console = Console(quiet=quiet, force_terminal=None if sys.stdout.isatty() else False)
    with console.status("importing TensorFlow"):
        import_tensorflow()
        import deqn.runs.run  # noqa: F401

    return console


def start_engine(quiet: bool = False) -> "Console":
    """The same, and find devices."""
    console = import_engine(quiet)
    find_devices()
    return console


def start_run(job: Job, folder: Path, began: float, quiet: bool = False) -> "Solution":
    """Start the engine and run a job that began at `began` (time.monotonic). Raises InputError and FileError."""
    clock = Clock(began)
    with clock.phase("import"):
        console = start_engine(quiet)
        from deqn.runs.run import run
    return run(job, folder, console, clock)
