"""The training of a run: its plan, what is restored, and what is written along the way."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from deqn.checks.undefined import find_lost_derivative
from deqn.economy.economy import Economy
from deqn.runs.solution import TRAINING, VALIDATION, derive_seed
from deqn.settings.schema import Settings
from deqn.system.processes import Interrupt
from deqn.training.checkpoint import Checkpoints
from deqn.training.loop import Loop, Rules
from deqn.training.metrics import Events, Metrics
from deqn.training.plan import Plan, build_stages
from deqn.training.progress import Display
from deqn.training.report import Report, TrainingResult
from deqn.training.sampler import FAR, Sampler
from deqn.training.stage import Stage, count_remaining
from deqn.training.validation import Ledger, Validator

RESULT_FILES = ("summary.json", "failure.json", "report.html", "euler_errors.csv", "comparison.csv", "moments.csv")
Watch = Callable[[Report], None]  # receives every report, and ends the run by raising an exception of its own
log = logging.getLogger("deqn")


def plan_training(settings: Settings) -> Plan:
    """What the settings of a run say about training."""
    return Plan(
        settings.optimizer, settings.schedule, settings.train, settings.sampling, settings.loss, settings.tolerance,
        derive_seed(settings.seed, TRAINING), derive_seed(settings.seed, VALIDATION), settings.resume is not None,
    )  # fmt: skip


@dataclass(frozen=True)
class Journal:
    """Observes training: every report goes to the files, the display, the log and whoever watches."""

    records: Sequence[Metrics | Events]
    display: Display
    watch: Watch | None = None

    def report(self, report: Report) -> None:
        for record in self.records:
            record.add(report)
        self.display.report(report)
        if report.lost_paths:
            log.info("lost paths drawn anew so far: %d", report.lost_paths)
        log.info("%s, step %d: loss %.3e, error %.3e (%s)", report.stage, report.step, report.loss, report.error,
                 report.worst)  # fmt: skip
        if self.watch is not None:
            self.watch(report)

    def update(self, stage: Stage, loss: float) -> None:
        self.display.update(stage, loss)


def train(
    economy: Economy, plan: Plan, folder: Path, console: Console, interrupt: Interrupt, watch: Watch | None = None
) -> TrainingResult:
    """Train the policy in place."""
    chosen = build_stages(economy, plan)
    validator = Validator(economy, Sampler(economy, plan.sampling, plan.validation_seed))
    ledger = Ledger(economy.policy.network.weights)
    checkpoints = Checkpoints(
        folder, network=economy.policy.network, validation=validator.sampler, ledger=ledger,
        **{stage.name: stage for stage in chosen},
    )  # fmt: skip
    if plan.resumed:
        restore(checkpoints, folder, console)
        for name in RESULT_FILES:  # of the policy as it was
            (folder / name).unlink(missing_ok=True)
    metrics = Metrics(folder, rows=int(ledger.reports.numpy()) if any(stage.step for stage in chosen) else 0)
    records = [metrics, Events(folder, metrics)] if plan.train.tensorboard else [metrics]
    rules = Rules(plan.train, interrupt, plan.enough, plan.optimizer.good_start)
    with Display(console, chosen, plan.train.seconds) as display:
        trained = Loop(chosen, validator, ledger, checkpoints, rules, Journal(records, display, watch)).run()
    log.info("training ended: %s", trained.ended)
    if trained.ended == "interrupted":
        console.print("interrupted: evaluating what is there; Ctrl-C again stops at once", highlight=False)
    early = [stage for stage in chosen if stage.step and count_remaining(stage)]  # before their last step
    if trained.ended == "steps" and trained.error > plan.tolerance and early:
        cause = find_lost_derivative(economy, early[-1].batch)
        steps = ", ".join(f"{stage.name} after {stage.step} steps" for stage in early)
        stuck = f"stuck ({steps}): no step lowers the error of {trained.error:.1e}" + (f"; {cause}" if cause else "")
        trained = replace(trained, ended="stuck", problems=(*trained.problems, stuck))
    lost = f"{trained.lost_paths} times a training path was lost (not finite, or {FAR} widths of the box away)"
    for problem in (*[f"{lost} and drawn anew"] * bool(trained.lost_paths), *trained.problems):
        log.error(problem)
        console.print(problem, highlight=False, markup=False)
    return trained


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
