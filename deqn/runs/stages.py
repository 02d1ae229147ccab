"""The training of a run: its stages, what is restored, and what is written along the way."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from deqn.checks.divergence import lost_derivative
from deqn.economy.economy import Economy
from deqn.optimizers.first_order import GradientStage, first_order
from deqn.optimizers.levenberg_marquardt import LeastSquaresStage, batch_size
from deqn.optimizers.self_scaled_bfgs import QuasiNewtonStage, fits
from deqn.runs.solution import TRAINING, VALIDATION, stream
from deqn.settings.schema import Settings
from deqn.system.clock import Clock
from deqn.system.interrupt import Interrupt
from deqn.training.checkpoint import Checkpoints
from deqn.training.loop import Loop, Report, Stage, Trained
from deqn.training.metrics import Events, Metrics
from deqn.training.progress import Display
from deqn.training.sampler import FAR, Sampler
from deqn.training.validation import Ledger, Validator

RESULTS = ("summary.json", "failure.json", "report.html", "euler_errors.csv", "comparison.csv", "moments.csv")
log = logging.getLogger("deqn")


def train(
    economy: Economy,
    settings: Settings,
    folder: Path,
    console: Console,
    interrupt: Interrupt,
    clock: Clock,
    watch: Callable[[Report], None] | None,
) -> Trained:
    """Train the policy in place."""
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
        for name in RESULTS:  # of the policy as it was
            (folder / name).unlink(missing_ok=True)
    metrics = Metrics(folder, rows=int(ledger.reports.numpy()) if any(stage.step for stage in chosen) else 0)
    records = [metrics, Events(folder, metrics)] if settings.train.tensorboard else [metrics]

    def on_report(latest: Report) -> None:
        for record in records:
            record.add(latest)
        display.report(latest)
        if latest.lost_paths:
            log.info("lost paths drawn anew so far: %d", latest.lost_paths)
        log.info("%s, step %d: loss %.3e, error %.3e (%s)", latest.stage, latest.step, latest.loss, latest.error,
                 latest.worst)  # fmt: skip
        if watch is not None:
            watch(latest)

    display = Display(console, chosen, settings.train.seconds)
    enough = 0.0 if settings.train.finish else settings.tolerance / 10
    loop = Loop(
        chosen, validator, ledger, settings.train, checkpoints, on_report, display.update, interrupt, enough,
        settings.optimizer.good_start,
    )  # fmt: skip
    with display:
        trained = loop.run()
    clock.phases["compile"] += loop.compile_seconds
    clock.phases["train"] += loop.train_seconds
    log.info("training ended: %s", trained.ended)
    if trained.ended == "interrupted":
        console.print("interrupted: evaluating what is there; Ctrl-C again stops at once", highlight=False)
    if trained.ended == "steps" and trained.error > settings.tolerance and (early := unfinished(chosen)):
        loop.problems.append(stuck(economy, early, trained.error))
        trained = replace(trained, ended="stuck")
    trained = replace(trained, problem="\n".join(loop.problems) or None)
    for problem in lost(trained.lost_paths) + loop.problems:
        log.error(problem)
        console.print(problem, highlight=False, markup=False)
    return trained


def unfinished(chosen: list[Stage]) -> list[Stage]:
    """The stages that ended before their last step."""
    return [stage for stage in chosen if 0 < stage.step < stage.cycles * stage.steps_per_cycle]


def stuck(economy: Economy, early: list[Stage], error: float) -> str:
    """Why stages ended before their last step though the error is above the tolerance."""
    cause = lost_derivative(economy, early[-1].batch)
    steps = ", ".join(f"{stage.name} after {stage.step} steps" for stage in early)
    return f"stuck ({steps}): no step lowers the error of {error:.1e}" + (f"; {cause}" if cause else "")


def lost(paths: int) -> list[str]:
    """A sentence about the paths that were lost, if any were."""
    if not paths:
        return []
    return [f"{paths} times a training path was lost (not finite, or {FAR} widths of the box away) and drawn anew"]


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


def stages(economy: Economy, settings: Settings) -> list[Stage]:
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
