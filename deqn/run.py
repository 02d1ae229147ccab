"""One run, from a configuration to a result folder: build, check, train, evaluate, report."""

import contextlib
import logging
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from deqn import files
from deqn.checkpoint import Checkpoints, write_policy
from deqn.clock import Clock
from deqn.config import Config, applicable, build_model, changed, checked, completed, composed
from deqn.contract import check_model
from deqn.diagnosis import concerns
from deqn.economy import Economy
from deqn.errors import FileError, InputError
from deqn.expectation import rule
from deqn.interrupt import Interrupt
from deqn.metrics import Events, Metrics
from deqn.optimizers.first_order import GradientStage, first_order
from deqn.optimizers.levenberg_marquardt import LeastSquaresStage, batch_size
from deqn.optimizers.self_scaled_bfgs import QuasiNewtonStage, fits
from deqn.overrides import check_resumable, continued, value_of
from deqn.progress import Display
from deqn.pseudo_states import family
from deqn.sampler import Sampler
from deqn.solution import TRAINING, VALIDATION, Solution, build, stream
from deqn.train import Ledger, Loop, Report, Stage, Validator
from deqn.verdict import conclude

PACKAGES = ("deqn", "tensorflow", "keras", "numpy", "scipy", "hydra-core", "pandas")
log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Job:
    """What was asked for: the composed configuration, the model's name, and the words that made them."""

    config: DictConfig
    name: str
    overrides: list[str]
    config_dir: str | None = None


def solve(
    model: str,
    overrides: Sequence[str] = (),
    folder: str | Path | None = None,
    config_dir: str | None = None,
    quiet: bool = False,
) -> Solution:
    """Solve a model and leave a run folder behind, as `deqn-solve model=<model> <overrides>` does.

    `folder`: a new one under outputs/ where None, that of the run to go on with if `resume=` is given. `config_dir`: a
    folder of own YAML files. Raises InputError for a mistake in the overrides or the model, FileError where the folder
    cannot be used.
    """
    clock = Clock()
    given = [f"model={model}", *overrides]
    resumed = value_of("resume", given)
    if resumed is not None:
        given, config_dir = continued(given, config_dir, Path(resumed))
        folder = resumed
    config, name = composed(given, config_dir)
    checked(config)
    if folder is None:
        folder = files.fresh_folder(f"outputs/{name}/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    return run(Job(config, name, given, config_dir), Path(folder), Console(quiet=quiet), clock)


def run(
    job: Job, folder: Path, console: Console, clock: Clock, watch: Callable[[Report], None] | None = None
) -> Solution:
    """Train, evaluate and report; everything is written into `folder`. Raises InputError and FileError.

    `watch` is told of every report of training, and ends the run by raising an exception of its own.
    """
    config = completed(applicable(job.config, job.overrides))
    settings = checked(config)
    try:
        claim(folder, config, settings.resume is not None)
        with log_file(folder), Interrupt() as interrupt:
            log.info("deqn-solve %s", " ".join(job.overrides))
            with clock.phase("compile"):
                model = family(build_model(settings.model), settings.pseudo_states)
                steady, equations = check_model(model, partial(rule, settings.expectation))
                check_equations(settings, equations)
                economy = build(settings, steady, model)
                for concern in concerns(economy):
                    log.warning(concern)
            files.write_json(folder / "environment.json", environment(settings, job))
            files.write_text(folder / "config.yaml", OmegaConf.to_yaml(config))  # now it is a run, and can be resumed
            status, steps, states = train(economy, settings, folder, console, interrupt, clock, watch)
            write_policy(folder, economy.policy.network)
            summary = {
                "model": job.name,
                "parameters": {k: v for k, v in settings.model.items() if k != "_target_"},
                "pseudo_states": settings.pseudo_states,
                "changed": changed(config, job.name, job.config_dir),
                "status": status, "tolerance": settings.tolerance, "seed": settings.seed, "dtype": settings.dtype,
                "seconds": {}, "steps": {"adam": 0, "levenberg_marquardt": 0, "bfgs": 0, **steps},
                "states_visited": states,
            }  # fmt: skip
            return conclude(Solution(economy, settings, summary, folder), console, interrupt, clock)
    except OSError as error:
        raise FileError(f"{error.filename or folder}: {error.strerror or error}") from error
    finally:
        tf.keras.backend.clear_session()


def claim(folder: Path, config: DictConfig, resumed: bool) -> None:
    """Make sure that the folder is this run's: new or empty of runs, or that of the very run to go on with."""
    stored = folder / "config.yaml"
    if resumed:
        if not stored.exists():
            raise FileError(f"resume={folder}: there is no run in this folder")
        check_resumable(config, stored)
    elif stored.exists():
        raise FileError(f"{folder} already holds a run; choose another folder, or resume={folder}")
    folder.mkdir(parents=True, exist_ok=True)


class LogHandler(logging.StreamHandler):
    """A log that cannot be written is an error of the run, not a note on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # noqa: PLE0704  (called where the exception is being handled)


@contextlib.contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """Write the log of this run, and of no other, to run.log; its lock keeps a second run out of the folder."""
    stream = files.locked_log(folder)
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


def environment(settings: Config, job: Job) -> dict[str, Any]:
    """Versions, device, threads, seed, command line, and the git revision where there is one."""
    try:
        revision = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        revision = None
    return {
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "platform": platform.platform(),
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "threads": {
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
        },
        "seed": settings.seed,
        "command_line": sys.argv,
        "overrides": [o for o in job.overrides if not o.startswith("resume=")],
        "config_dir": None if job.config_dir is None else str(Path(job.config_dir).resolve()),
        "git_revision": revision,
    }


def check_equations(settings: Config, equations: list[str]) -> None:
    """Refuse a loss weight for an equation that the model does not have. Raises InputError."""
    for name in settings.loss.weights:
        if name not in equations:
            raise InputError(f"loss.weights.{name}: the model's equations are {', '.join(equations)}")


def train(
    economy: Economy,
    settings: Config,
    folder: Path,
    console: Console,
    interrupt: Interrupt,
    clock: Clock,
    watch: Callable[[Report], None] | None,
) -> tuple[str, dict[str, int], int]:
    """Train the policy in place; returns the status so far, the steps of each stage, and the states visited."""
    dtype = economy.policy.dtype
    chosen = stages(economy, settings)
    validator = Validator(economy, Sampler(economy.model, settings.sampling, stream(settings.seed, VALIDATION), dtype))
    ledger = Ledger(economy.policy.network.weights)
    checkpoints = Checkpoints(
        folder, network=economy.policy.network, validation=validator.sampler, ledger=ledger,
        **{stage.name: stage for stage in chosen},
    )  # fmt: skip
    if settings.resume is not None:
        restore(checkpoints, folder, console)
    metrics = Metrics(folder, rows=int(ledger.reports.numpy()) if any(stage.step for stage in chosen) else 0)
    records = [metrics, Events(folder, metrics)] if settings.train.tensorboard else [metrics]

    def on_report(latest: Report) -> None:
        for record in records:
            record.add(latest)
        display.report(latest)
        log.info("%s, step %d: loss %.3e, error %.3e", latest.stage, latest.step, latest.loss, latest.error)
        if watch is not None:
            watch(latest)

    display = Display(console)
    loop = Loop(
        chosen, validator, ledger, settings.train, checkpoints, on_report, display.update, interrupt,
        settings.optimizer.good_start,
    )  # fmt: skip
    with display:
        ended = loop.run()
    clock.phases["compile"] += loop.compile_seconds
    clock.phases["train"] += loop.train_seconds
    log.info("training ended: %s", ended)
    if loop.problem is not None:
        log.error(loop.problem)
        console.print(loop.problem, highlight=False, markup=False)
    return ended, {stage.name: stage.step for stage in chosen}, sum(stage.states_visited for stage in chosen)


def restore(checkpoints: Checkpoints, folder: Path, console: Console) -> None:
    """The newest checkpoint that is whole, with a warning where a later one is not, or where none was written yet.

    Raises FileError where all are damaged or missing.
    """
    if not checkpoints.numbers and not (folder / "metrics.csv").exists():
        problems = ["the run ended before its first checkpoint; training begins anew"]
    else:
        problems = [f"{problem}; going on from the one before" for problem in checkpoints.restore()]
    for problem in problems:
        log.warning(problem)
        console.print(f"warning: {problem}", highlight=False, markup=False, soft_wrap=True)


def stages(economy: Economy, settings: Config) -> list[Stage]:
    """The stages of the chosen optimizer, in the order in which they run."""
    chosen, dtype, seed = settings.optimizer, economy.policy.dtype, stream(settings.seed, TRAINING)
    found: list[Stage] = []
    if chosen.learning_rate is not None:
        sampler = Sampler(economy.model, settings.sampling, seed, dtype)
        optimizer = first_order(chosen, settings.schedule, settings.train.steps)
        found.append(GradientStage(economy, optimizer, sampler, settings.train, settings.loss, settings.schedule))
    if chosen.iterations is not None:
        states = chosen.states or batch_size(economy)
        single = replace(settings.sampling, paths=states, periods=1)  # a date of each of many paths
        sampler = Sampler(economy.model, single, seed + 1, dtype)
        found.append(LeastSquaresStage(economy, sampler, chosen, settings.loss.weights))
        if chosen.polish and not fits(economy, chosen.memory * 2**30):
            log.info("bfgs left out: its matrix exceeds optimizer.memory=%g GiB", chosen.memory)
        elif chosen.polish:
            sampler = Sampler(economy.model, single, seed + 2, dtype)
            found.append(QuasiNewtonStage(economy, sampler, chosen.polish, settings.loss))
    return found
