"""One trial of a search, in a process of its own, that reports its progress and may be told to stop."""

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console

from deqn.configuration.composition import Composition
from deqn.configuration.job import make_job
from deqn.evaluation.summary import Summary
from deqn.runs.run import run
from deqn.system.clock import Clock
from deqn.system.errors import DeqnError, FileError, first_line, to_deqn_error
from deqn.system.lazy_tensorflow import find_devices
from deqn.system.processes import explain_death, run_in_fork
from deqn.training.report import Report


class TrialBehind(Exception):
    """Ends a trial, in its process, for the reason that the search gives."""


@dataclass(frozen=True)
class Outcome:
    """What became of a trial: the run's `summary`, or `reason` and `code` of a failure, or `reason` alone if pruned."""

    summary: Summary | None = None
    reason: str | None = None
    code: int | None = None
    signal: int | None = None  # that ended the search meanwhile


def solve_trial(
    composition: Composition, folder: Path, console: Console, name: str, judge: Callable[[float, float], str | None]
) -> Outcome:
    """Build a model and run its job in a fork. Raises FileError where its folder cannot be written.

    `judge` receives the error (share) and the seconds of every report, and returns why the trial is given up, or None.
    """
    ours, theirs = Pipe()
    with run_in_fork(lambda: run_and_report(theirs, composition, folder)) as fork:
        theirs.close()
        with console.status(name), ours:
            try:
                while isinstance(message := ours.recv(), tuple):
                    ours.send(judge(*message))
            except (EOFError, ConnectionError):
                message = None
    if fork.signal is not None:
        return Outcome(signal=fork.signal)
    if isinstance(message, FileError):
        raise message
    return Outcome(reason=explain_death(fork.code), code=1) if message is None else message


def run_and_report(connection: Connection, composition: Composition, folder: Path) -> int:
    """The fork's work: run a trial, ask after every report whether it goes on, and send what became of it."""

    def watch(report: Report) -> None:
        connection.send((float(report.error), float(report.seconds)))
        reason = connection.recv()
        if reason is not None:
            raise TrialBehind(reason)

    try:
        find_devices()
        summary = run(make_job(composition), folder, Console(quiet=True), Clock(), watch).result
        message = Outcome(summary=summary, signal=summary.signal)
    except TrialBehind as behind:
        message = Outcome(reason=str(behind))
    except FileError as error:
        message = error
    except Exception as error:  # the traceback stands in the trial's run.log
        failure = to_deqn_error(error) or DeqnError(f"{type(error).__name__}: {first_line(error)}")
        message = Outcome(reason=str(failure), code=failure.exit_code)
    connection.send(message)
    return 0
