"""A trial of a search, in a process of its own, that reports its progress and may be told to stop.

The best is solved once more under a fresh seed, and written as YAML for deqn-solve.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from deqn.configuration.composition import Composition, parse_overrides
from deqn.configuration.job import make_job, prepare_job
from deqn.configuration.loading import list_group_options
from deqn.evaluation.summary import Summary, read_summary
from deqn.runs.run import run
from deqn.sweeps.space import Search
from deqn.system.clock import Clock
from deqn.system.errors import DeqnError, FileError, first_line, to_deqn_error
from deqn.system.files import claim_new_folder, format_error, make_folder, write_text
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
        if (reason := connection.recv()) is not None:
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


def solve_afresh(search: Search, words: dict[str, str], trial: int, console: Console) -> Summary:
    """The summary of the best trial's settings under a seed that the search has not seen; solved once."""
    for done in sorted(search.folder.glob(f"best_trial_{trial}*/summary.json")):
        summary = read_summary(done.parent)
        if summary.final and summary.signal is None:
            return summary
    job = prepare_job([*search.overrides(words), f"seed={search.fresh_seed}"], search.config_dir)
    folder = Path(claim_new_folder(str(search.folder / f"best_trial_{trial}")))
    return run(job, folder, console, Clock()).result


def write_best(search: Search, words: dict[str, str], error: float, summary: Summary) -> tuple[str, ...]:
    """Write tuned/best.yaml; returns what is best, its `error` (share) and that under a fresh seed, and its command."""
    errors = (f"mean path error {format_error(error)} under seed {search.seed}, which chose it; "
              f"{format_error(summary.path_error.mean)} under seed {search.fresh_seed}")  # fmt: skip
    file = search.folder / "tuned" / "best.yaml"
    make_folder(file.parent, exist_ok=True)
    head = f"# @package _global_\n# The best found by: deqn-tune {' '.join(search.declaration)}\n# {errors}.\n"
    best = OmegaConf.create(nest_overrides(search.model, search.overrides(words), search.config_dir))
    write_text(file, head + OmegaConf.to_yaml(best))
    use = f"deqn-solve --config-dir {shlex.quote(str(search.folder))} tuned=best"
    if search.config_dir is not None:
        own = shlex.quote(search.config_dir)
        use = f"cp -r {shlex.quote(str(file.parent))} {own} && deqn-solve --config-dir {own} tuned=best"
    return f"best: {' '.join(f'{key}={word}' for key, word in words.items())}", errors, use


def nest_overrides(model: str, overrides: list[str], config_dir: str | None) -> dict[str, Any]:
    """Overrides as a YAML file of Hydra's has them: choices of groups under `defaults`, values under their keys."""
    groups = list_group_options(config_dir)
    choices, values = {"model": model}, OmegaConf.create()
    for o in parse_overrides(overrides):
        if o.key_or_group in groups:
            choices[o.key_or_group] = o.value()
        elif o.key_or_group != "seed":
            OmegaConf.update(values, o.key_or_group, o.value(), force_add=True)
    return {"defaults": [{f"override /{group}": choice} for group, choice in choices.items()] + ["_self_"], **values}
