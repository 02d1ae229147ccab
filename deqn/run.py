"""One run, from a configuration to a result folder: build, check, train, evaluate, report."""

import contextlib
import logging
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from deqn import analysis, evaluate, figures, files, report
from deqn.checkpoint import Checkpoints, write_policy
from deqn.config import Config, check_resumable, checked, composed, continued, fresh_folder, value_of
from deqn.contract import check_model
from deqn.errors import FileError, InputError
from deqn.interrupt import Interrupt
from deqn.model import shock_names
from deqn.optimizers.first_order import GradientStage, first_order
from deqn.progress import Display
from deqn.residuals import Economy
from deqn.sampler import Sampler
from deqn.solution import TRAINING, VALIDATION, Solution, build, stream
from deqn.train import Ledger, Loop, Report, Validator

PACKAGES = ("deqn", "tensorflow", "keras", "numpy", "scipy", "hydra-core", "pandas")
log = logging.getLogger("deqn")


@dataclass
class Clock:
    """Seconds by phase, and in all since `started` (time.monotonic)."""

    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("import", "compile", "train", "evaluate", "report"), 0.0)
    )

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the block's time to a phase."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] += time.monotonic() - began

    def seconds(self) -> dict[str, float]:
        """All phases and the total, rounded to milliseconds."""
        total = {"total": time.monotonic() - self.started}
        return {name: round(x, 3) for name, x in {**total, **self.phases}.items()}


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
        folder, given = resumed, continued(given, Path(resumed))
    config, name = composed(given, config_dir)
    checked(config)
    if folder is None:
        folder = fresh_folder(f"outputs/{name}/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    return run(config, name, Path(folder), given, Console(quiet=quiet), clock)


def run(config: DictConfig, name: str, folder: Path, overrides: list[str], console: Console, clock: Clock) -> Solution:
    """Train, evaluate and report; everything is written into `folder`. Raises InputError and FileError."""
    settings = checked(config)
    resumed = settings.resume is not None
    try:
        claim(folder, config, resumed)
        with log_file(folder), Interrupt() as interrupt:
            log.info("deqn-solve %s", " ".join(overrides))
            files.write_text(folder / "config.yaml", OmegaConf.to_yaml(config))
            files.write_json(folder / "environment.json", environment(settings, overrides))
            with clock.phase("compile"):
                economy = build(settings)
                check_equations(settings, check_model(economy.model, economy.expectation))
            status, steps, states = train(economy, settings, folder, resumed, console, interrupt, clock)
            write_policy(folder, economy.policy.network)
            summary = {
                "model": name,
                "parameters": {k: v for k, v in settings.model.items() if k != "_target_"},
                "status": status, "tolerance": settings.tolerance, "seed": settings.seed, "dtype": settings.dtype,
                "seconds": {}, "steps": {"adam": 0, "levenberg_marquardt": 0, settings.optimizer.name: steps},
                "states_visited": states, "signal": interrupt.signal,
            }  # fmt: skip
            return conclude(Solution(economy, settings, summary, folder), console, clock)
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


@contextlib.contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """Write the log of this run, and of no other, to run.log."""
    handler = logging.FileHandler(folder / "run.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    except Exception as error:
        log.error("%s", error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


def environment(settings: Config, overrides: list[str]) -> dict[str, Any]:
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
        "overrides": [o for o in overrides if not o.startswith("resume=")],
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
    resumed: bool,
    console: Console,
    interrupt: Interrupt,
    clock: Clock,
) -> tuple[str, int, int]:
    """Train the policy in place; returns the status so far, the gradient steps, and the states visited."""
    dtype = economy.policy.dtype
    sampler = Sampler(economy.model, settings.sampling, stream(settings.seed, TRAINING), dtype)
    optimizer = first_order(settings.optimizer, settings.schedule, settings.train.steps)
    stage = GradientStage(economy, optimizer, sampler, settings.train, settings.loss)
    validator = Validator(economy, Sampler(economy.model, settings.sampling, stream(settings.seed, VALIDATION), dtype))
    ledger = Ledger(economy.policy.network.weights)
    checkpoints = Checkpoints(
        folder, network=economy.policy.network, optimizer=optimizer, stage=stage, training=sampler,
        validation=validator.sampler, ledger=ledger,
    )  # fmt: skip
    if resumed:
        checkpoints.restore()
    metrics = report.Metrics(folder, settings.optimizer.name, stage.step)

    def on_report(latest: Report) -> None:
        metrics.add(latest)
        display.report(latest)
        log.info("step %d: loss %.3e, mean error %.3e", latest.step, latest.loss, latest.error)

    display = Display(console, settings.optimizer.name, settings.train.steps, stage.step)
    loop = Loop(
        stage, validator, ledger, settings.train, settings.schedule, checkpoints, on_report, display.update, interrupt
    )
    with display:
        ended = loop.run()
    clock.phases["compile"] += loop.compile_seconds
    clock.phases["train"] += loop.train_seconds
    log.info("training ended: %s", ended)
    if loop.problem is not None:
        log.error(loop.problem)
        console.print(loop.problem, highlight=False)
    return ended, stage.step, stage.step // stage.steps_per_cycle * sampler.states


def conclude(solution: Solution, console: Console, clock: Clock) -> Solution:
    """Evaluate on fresh states, write every table and figure, print the verdict."""
    economy, summary, folder = solution.economy, dict(solution.summary), solution.folder
    with clock.phase("evaluate"):
        judged, sets = solution.judged, solution.evaluation_states(solution.settings.seed)
        errors = {name: evaluate.euler_errors(judged, states) for name, states in sets.items()}
        summary["euler_errors"] = {name: evaluate.error_summary(e) for name, e in errors.items()}
        compared = evaluate.comparison(economy, sets)
        summary["policy_errors"] = {"closed_form": pooled(compared), "reference": {}}
        summary["stability"] = evaluate.stability(economy)
        summary["stable"] = evaluate.is_stable(summary["stability"])
        if summary["status"] not in ("diverged", "interrupted"):
            met = summary["euler_errors"]["path"]["all"]["mean"] <= summary["tolerance"]
            summary["status"] = "converged" if met and summary["stable"] else "not_converged"
    with clock.phase("report"):
        files.write_text(folder / "euler_errors.csv", report.error_rows(summary).to_csv(index=False))
        if compared is not None:
            files.write_text(folder / "comparison.csv", compared.to_csv(index=False))
        simulated = solution.simulate(solution.settings.evaluation.periods, solution.settings.evaluation.paths)
        simulated.to_parquet(folder / "simulation.parquet")
        if solution.settings.evaluation.figures:
            draw(economy, errors, simulated, folder)
    summary["seconds"] = clock.seconds()
    files.write_json(folder / "summary.json", summary)
    log.info("status: %s", summary["status"])
    report.print_verdict(console, summary, folder)
    return Solution(economy, solution.settings, summary, folder)


def pooled(compared: pd.DataFrame | None) -> dict[str, dict[str, float]]:
    """The comparison by policy over path and box together: mean and largest error, absolute and relative."""
    if compared is None:
        return {}
    return {
        policy: {"mean": rows["mean"].mean(), "max": rows["max"].max(),
                 "mean_relative": rows["mean_relative"].mean(), "max_relative": rows["max_relative"].max()}
        for policy, rows in compared.groupby("policy")
    }  # fmt: skip


def draw(economy: Economy, errors: dict[str, Any], simulated: pd.DataFrame, folder: Path) -> None:
    """All figures of a run, into figures/."""
    model, place = economy.model, folder / "figures"
    place.mkdir(exist_ok=True)
    states, policies = ([v.name for v in declared] for declared in (model.states, model.policies))
    if (folder / "metrics.csv").exists():
        figures.training_curve(pd.read_csv(folder / "metrics.csv"), place / "training.png")
    figures.policy_functions(analysis.policy_slices(economy), policies, place / "policies.png")
    figures.error_distribution(errors, place / "errors.png")
    figures.ergodic_distribution(simulated, [*states, *policies], place / "distribution.png")
    shocks = shock_names(model.shocks)
    wanted = {f"{s}, +1 s.d.": (s, 1.0) for s in shocks} or {f"{s}, 10 % above rest": (s, 0.1) for s in states}
    responses = {label: analysis.impulse_response(economy, *what, 40) for label, what in wanted.items()}
    figures.impulse_responses(responses, place / "impulse_responses.png")
