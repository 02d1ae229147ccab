"""One run, from a job to a result folder: build, check, train, evaluate, report."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from deqn.checks.contract import check_model
from deqn.checks.diagnosis import check_choices, list_concerns
from deqn.configuration.job import Job, prepare_job
from deqn.economy.alignment import align_on_paths
from deqn.equations.quadrature import choose_rule, count_axis_nodes
from deqn.evaluation.records import RungRecord, StartRecord, TrainingRecord
from deqn.evaluation.summary import Summary
from deqn.families.pseudo_states import gather_members
from deqn.model.findings import find_origin, locate_line
from deqn.policies.approximators import choose_widths
from deqn.runs.continuation import Waypoint, follow
from deqn.runs.record import open_log, record_environment, show_status
from deqn.runs.solution import Solution, fit_kinks
from deqn.runs.start import Start, choose_start, restore_start, write_start
from deqn.runs.training import train
from deqn.runs.verdict import conclude
from deqn.settings.schema import Settings
from deqn.system import files
from deqn.system.clock import Clock
from deqn.system.errors import DeqnError, FileError, InputError, first_line, to_deqn_error
from deqn.system.processes import Interrupt
from deqn.training.checkpoint import write_policy
from deqn.training.report import TrainingResult, Watch

log = logging.getLogger("deqn")


def solve(
    model: str, overrides: Sequence[str] = (), folder: str | Path | None = None, config_dir: str | None = None,
    quiet: bool = False,
) -> Solution:  # fmt: skip
    """Solve a model and leave a run folder behind, as `deqn-solve model=<model> <overrides>` does.

    `folder`: a new one under outputs/ where None, that of the run to go on with if `resume=` is given. `config_dir`: a
    folder of own YAML files. Raises InputError for a mistake in the overrides or the model, FileError where the folder
    cannot be used.
    """
    clock = Clock()
    check_words(model, overrides)
    job = prepare_job([f"model={model}", *overrides], config_dir)
    if job.settings.resume is not None:
        folder = job.settings.resume
    elif folder is None:
        folder = files.claim_new_folder(f"outputs/{job.name}/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    return run(job, Path(folder), Console(quiet=quiet), clock)


def check_words(model: str, overrides: Sequence[str]) -> None:
    """Check that the arguments of `solve` are words of the command line. Raises InputError."""
    if not isinstance(model, str):
        raise InputError(f"model is the name of a file in the folder model/, such as 'growth', not {model!r:.60}")
    words = [f"{key}={value}" for key, value in overrides.items()] if isinstance(overrides, dict) else overrides
    words = [words] if isinstance(words, str) else list(words)
    if isinstance(overrides, str | dict) or not all(isinstance(word, str) for word in words):
        raise InputError(f"overrides={overrides!r:.60} is not a list of words key=value; write overrides={words!r:.80}")


def run(job: Job, folder: Path, console: Console, clock: Clock, watch: Watch | None = None) -> Solution:
    """Train, evaluate and report; everything is written into `folder`. Raises InputError and FileError."""
    settings = job.settings
    try:
        claim_folder(folder, settings.resume is not None)
        with open_log(folder), Interrupt() as interrupt:
            log.info("deqn-solve %s", " ".join(job.overrides))
            way: list[Waypoint] = []
            if settings.continuation and not has_checkpoint(folder):
                way = follow_way(job, folder, console, clock)
                job = replace(job, settings=replace(settings, start=str(way[-1].solution.folder)))
            with clock.phase("compile"), show_status(console) as tell:
                start = prepare_start(job, folder, tell)
            if way:
                start = replace(start, way=tuple(waypoint.record for waypoint in way))
            files.write_json(folder / "environment.json", record_environment(job))
            write_start(folder, start)
            settings = fit_kinks(settings, start.economy.model, start.economy.switches)
            files.write_text(folder / "config.yaml", job.config_yaml)  # now it is a run, and can be resumed
            trained = train(start.validator, settings, folder, console, interrupt, watch)
            clock.phases["compile"] += trained.compile_seconds
            clock.phases["train"] += trained.train_seconds
            write_policy(folder, start.economy.policy.network)
            align_on_paths(start.economy)  # as whoever loads the solution does
            solution = Solution(start.economy, settings, begin_summary(job, settings, start, trained), folder)
            return conclude(solution, console, interrupt, clock)
    except DeqnError:
        raise
    except Exception as error:
        if shortage := to_deqn_error(error):
            raise shortage from error
        if place := locate_line(error):  # whatever it is, it was raised in a function of the model
            what = find_origin(error)
            raise InputError(f"the model failed{place}: {type(what).__name__}: {first_line(what)}") from error
        if isinstance(error, OSError):
            raise FileError(f"{error.filename or folder}: {error.strerror or error}") from error
        raise


def follow_way(job: Job, folder: Path, console: Console, clock: Clock) -> list[Waypoint]:
    """The solutions that a continuation leads over, each in a folder of its own."""

    def tell(line: str) -> None:
        log.info("continuation: %s", line)
        console.print(f"continuation: {line}", highlight=False, markup=False)

    clock.phases["continuation"] = 0.0
    with clock.phase("continuation"), show_status(console) as show:
        show("on the way to the economy")
        return follow(job, folder, lambda job, folder: run(job, folder, Console(quiet=True), Clock()), tell)


def claim_folder(folder: Path, resumed: bool) -> None:
    """Make sure that the folder is this run's: new or empty of runs, or that of the very run to go on with."""
    stored = folder / "config.yaml"
    if resumed and not stored.exists():
        raise FileError(f"resume={folder}: there is no run in this folder")
    if not resumed and stored.exists():
        raise FileError(f"{folder} already holds a run; choose another folder, or resume={folder}")
    folder.mkdir(parents=True, exist_ok=True)


def prepare_start(job: Job, folder: Path, tell: Callable[[str], None]) -> Start:
    """The economy to be trained, its model checked. Raises InputError for what no training could mend.

    `folder`: that of the run, which knows its start where it is resumed.
    """
    settings = job.settings
    members = gather_members(job.model, settings.pseudo_states)
    steady, equations = check_model(members, partial(choose_rule, settings.expectation), settings.network.anchor, tell)
    check_loss_weights(settings.loss.weights, equations)
    if settings.resume is not None and has_checkpoint(folder):
        start = restore_start(folder, members, settings, steady)
    else:
        start = choose_start(members, settings, steady)
    check_choices(start.economy, settings.optimizer, settings.schedule, settings.train, settings.evaluation)
    for concern in list_concerns(start.economy):
        log.warning(concern)
    return start


def has_checkpoint(folder: Path) -> bool:
    """Whether a run in a folder has begun to train."""
    return any((folder / "checkpoints").glob("ckpt-*.index"))


def check_loss_weights(weights: dict[str, float], equations: list[str]) -> None:
    """Refuse a weight of an equation that the model does not have. Raises InputError."""
    if unknown := [name for name in weights if name not in equations]:
        raise InputError(f"loss.weights.{unknown[0]}: the model's equations are {', '.join(equations)}")


def begin_summary(job: Job, settings: Settings, start: Start, trained: TrainingResult) -> Summary:
    """What is known of a run before its policy is measured; `settings`: with nothing left open."""
    return Summary(
        model=job.name, parameters={k: v for k, v in settings.model.items() if k != "_target_"},
        pseudo_states=settings.pseudo_states, changed=job.changed, status=trained.status,
        tolerance=settings.tolerance, seed=settings.seed, dtype=settings.dtype, states_visited=trained.states_visited,
        seconds={}, steps={"adam": 0, "levenberg_marquardt": 0, "bfgs": 0, **trained.steps},
        training=TrainingRecord(
            ended=trained.ended, problem=trained.problem, lost_paths=trained.lost_paths,
            error=trained.error if math.isfinite(trained.error) else None,
            anchor=start.anchor, nodes=count_axis_nodes(settings.expectation, start.economy.model),
            hidden=choose_widths(start.economy.model, settings.network), rests=start.economy.steady is not None,
            switches=list(start.economy.switches),
        ),
        start=StartRecord(start.name, dict(start.errors), [RungRecord(**vars(rung)) for rung in trained.rungs],
                          dict(start.solved) or None, list(start.way) or None, list(start.misled) or None),
    )  # fmt: skip
