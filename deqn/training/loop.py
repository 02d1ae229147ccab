"""The training loop: compiled chunks of at most about a second, and between them reports, checkpoints and stopping.

Everything that changes lives in variables, and decisions fall at fixed steps. So the result does not depend on how fast
the machine is, and a run that is resumed from a checkpoint ends with the very weights of one that was never stopped.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import tensorflow as tf

from deqn.checks.divergence import diagnose
from deqn.settings.schema import Training
from deqn.system.interrupt import Interrupt
from deqn.training.checkpoint import Checkpoints
from deqn.training.sampler import Sampler
from deqn.training.validation import Ledger, Validator

CHUNK_SECONDS = 0.5
MISLED, RETURNS = 10, 3  # times the best error from which a stage goes back to it, and how often before it ends
log = logging.getLogger("deqn")


class Stage(Protocol):
    """One algorithm of the training, run in chunks of cycles; its whole state is in variables."""

    name: str
    cycles: int  # at most
    report_every: int  # cycles
    step: int  # done so far
    steps_per_cycle: int
    work: float  # multiplications of a step, roughly
    done: bool
    batch: tf.Tensor  # the states of the newest step
    states_visited: int
    rates: dict[str, float]
    sampler: Sampler

    def warm_up(self) -> None:
        """Prepare the states of the first cycle."""

    def chunk(self, cycles: int) -> bool:
        """Run cycles; returns whether everything was finite, and stops before what is not."""

    def mean_loss(self, reset: bool = False) -> float:
        """The loss since it was last reset."""

    def fall_back(self) -> bool:
        """Draw states from the box alone; returns whether that is new."""

    def redraw(self) -> bool:
        """Take the next step on other states; returns whether one batch had served for many steps."""

    def on_plateau(self, reports: int) -> bool:
        """Told for how many reports nothing improved; returns whether it answered."""


@dataclass(frozen=True)
class Report:
    """What is known at a report: errors are absolute residuals on fresh validation states, by equation."""

    step: int  # of all stages together
    stage: str
    seconds: float
    loss: float
    rates: dict[str, float]  # the stage's learning rate, or its damping
    error: float  # the mean over states of the worst equation, on which stopping is decided
    worst: str  # that equation, "euler" or "euler[3]"
    mean: dict[str, float]
    max: dict[str, float]
    exact: bool = False  # whether all equations are at their rounding errors
    lost_paths: int = 0  # simulated paths drawn anew so far, of training and validation


@dataclass(frozen=True)
class Trained:
    """How training went."""

    ended: str  # steps, stuck, target, enough, patience, misled, seconds, interrupted or diverged
    problem: str | None  # what went wrong in any stage, a line each
    steps: dict[str, int]  # by stage
    states_visited: int
    lost_paths: int  # simulated paths that were lost and drawn anew, of training and validation
    error: float  # the best mean validation error of the worst equation; infinite where none was finite

    @property
    def status(self) -> str:
        """What the verdict starts from: a policy that was finite at one report is judged, whatever came later."""
        if self.ended == "interrupted":
            return "interrupted"
        return "trained" if math.isfinite(self.error) else "diverged"


@dataclass
class Loop:
    """One stage after the other, until all are done, target, patience or time are reached, or a signal comes."""

    stages: Sequence[Stage]
    validator: Validator
    ledger: Ledger
    training: Training
    checkpoints: Checkpoints
    on_report: Callable[[Report], None]
    on_progress: Callable[[Stage, float], None]  # the stage, its loss
    interrupt: Interrupt
    enough: float = 0.0  # a mean validation error at which slow progress ends the training
    good_start: float | None = None  # a mean error at the start that leaves out the first stage
    compile_seconds: float = 0.0
    train_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)  # of all stages

    def run(self) -> Trained:
        """Train and time it.

        The network then holds the best weights seen at a report, and the checkpoint the state to go on from.
        """
        began = time.monotonic()
        ended = self._train()
        self.train_seconds = time.monotonic() - began - self.compile_seconds
        return Trained(
            ended, "\n".join(self.problems) or None, {stage.name: stage.step for stage in self.stages},
            sum(stage.states_visited for stage in self.stages), self.lost_paths,
            float(self.ledger.best_error.numpy()),
        )  # fmt: skip

    def _train(self) -> str:
        self._start = self._saved = time.monotonic()
        reason, stages = None, self._still_to_run()
        for stage in stages:
            self._stage, self._pace = stage, None
            if stage.step == 0 and not stage.done:
                self.ledger.recall()  # a stage starts from the best weights so far
                self.ledger.stale.assign(0)
                self.ledger.returns.assign(0)
                stage.warm_up()
            while reason is None and not stage.done:
                reason = self._satisfied() or self._until_report(stage)
            if reason in ("patience", "diverged", "misled") and stage is not stages[-1]:  # the next one may do better
                log.info("%s ended: %s", stage.name, reason)
                reason = None
            if reason is not None:
                break
        return self._end(reason or "steps")

    def _still_to_run(self) -> Sequence[Stage]:
        """All stages, less those before one that has begun, and less the first where the start is good enough."""
        if self.step:
            return [s for i, s in enumerate(self.stages) if not any(later.step for later in self.stages[i + 1 :])]
        self._stage = self.stages[0]
        self.ledger.reports.assign(0)
        self._save()  # so that there is always one to go on from
        self.validator.sampler.warm_up(self.validator.economy.policy)
        start = self.measure()
        self._note(start)
        good = self.good_start is not None and start.error <= self.good_start
        chosen = self.stages[1:] if good else self.stages
        self._tell(replace(start, stage=chosen[0].name, rates=chosen[0].rates))
        return chosen

    def _until_report(self, stage: Stage) -> str | None:
        """Chunks up to the next report; returns why training is to end, None while it goes on."""
        cycle, pace, reason = stage.step // stage.steps_per_cycle, self._pace, None
        due = min(stage.cycles, (cycle // stage.report_every + 1) * stage.report_every)
        while reason is None and cycle < due and not stage.done:
            wanted = 1 if pace is None else max(1, int(CHUNK_SECONDS / pace))
            cycles, began = min(wanted, due - cycle), time.monotonic()
            finite = stage.chunk(cycles)
            if pace is None:  # the first call compiles
                self.compile_seconds += time.monotonic() - began
                pace = math.inf
            else:
                pace = (time.monotonic() - began) / cycles
            self._pace = pace
            if not finite:
                return self._diverged(stage)
            cycle += cycles
            self.on_progress(stage, stage.mean_loss())
            if cycle == due or stage.done:
                self._report(stage)
            reason = self._outside()
        return reason

    def _diverged(self, stage: Stage) -> str | None:
        """Note what was not finite; before a stage is given up it tries the box alone, from the best weights."""
        cause = diagnose(self.validator.economy, stage.batch)
        self.problems.append(f"{stage.name} diverged at step {stage.step + 1}: {cause}")
        if not stage.fall_back():
            return "diverged"
        self.ledger.recall()
        self.problems[-1] += "; it went on with states of the box alone"
        return None

    @property
    def lost_paths(self) -> int:
        """Simulated paths that were drawn anew, of training and validation."""
        return sum(int(s.lost.numpy()) for s in (self.validator.sampler, *(stage.sampler for stage in self.stages)))

    @property
    def step(self) -> int:
        """Steps taken by all stages."""
        return sum(stage.step for stage in self.stages)

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return float(self.ledger.seconds.numpy()) + time.monotonic() - self._start

    def measure(self) -> Report:
        """Errors on fresh validation states, and the mean loss since the last report."""
        errors, stage = self.validator(), self._stage
        never_finite = not math.isfinite(self.ledger.best_error.numpy())
        if never_finite and not math.isfinite(errors.error) and self.validator.sampler.fall_back():
            errors = self.validator()  # at points of the box
        value = stage.mean_loss(reset=True) if stage.step else math.nan
        rates, lost = stage.rates, self.lost_paths
        return Report(self.step, stage.name, self.elapsed, value, rates, **vars(errors), lost_paths=lost)

    def _report(self, stage: Stage) -> None:
        report = self.measure()
        self._note(report)
        self._tell(report)
        if report.error > max(MISLED * self.ledger.best_error.numpy(), self.enough) and stage.redraw():
            self._go_back(stage, report)
        if stage.on_plateau(int(self.ledger.plateau.numpy())):
            self.ledger.plateau.assign(0)

    def _go_back(self, stage: Stage, report: Report) -> None:
        """Return to the best weights: a stage fits its batch, while other states become worse."""
        self.ledger.recall()
        self.ledger.returns.assign_add(1)
        text = (
            f"{stage.name} fitted its states to {math.sqrt(max(report.loss, 0.0)):.1e} while others rose to "
            f"{report.error:.1e} ({report.worst}); it went back to the best weights and took other states"
        )
        log.info(text)
        if self.ledger.returns.numpy() == RETURNS:  # it ends the stage; what helped is no problem
            self.problems.append(text)

    def _note(self, report: Report) -> None:
        self.ledger.note(report.error)
        self.ledger.exact.assign(report.exact)

    def _tell(self, report: Report) -> None:
        self.on_report(report)
        self.ledger.reports.assign_add(1)

    def _satisfied(self) -> str | None:
        """Whether the reports so far end the training; read from the ledger, so that a resumed run answers the same."""
        if self.training.target is not None and self.ledger.best_error.numpy() <= self.training.target:
            return "target"
        if self.ledger.exact.numpy() or (self.ledger.best_error.numpy() <= self.enough and self.ledger.slow):
            return "enough"
        if self.ledger.returns.numpy() >= RETURNS:
            return "misled"
        if self.training.patience is not None and self.ledger.stale.numpy() >= self.training.patience:
            return "patience"
        return None

    def _outside(self) -> str | None:
        """Signals, the clock, and the checkpoint that is due."""
        if self.interrupt.signal is not None:
            return "interrupted"
        if self.training.seconds is not None and self.elapsed >= self.training.seconds:
            return "seconds"
        if time.monotonic() - self._saved >= self.training.checkpoint_seconds:
            self._save()
        return None

    def _save(self) -> None:
        """A checkpoint, unless a weight is not finite: the one before is then the last good one."""
        self.ledger.seconds.assign(self.elapsed)
        self._start = self._saved = time.monotonic()
        if all(np.isfinite(w.numpy()).all() for w in self.validator.economy.policy.network.weights):
            self.checkpoints.save()

    def _end(self, reason: str) -> str:
        if reason != "diverged":
            self._save()
        if reason in ("interrupted", "seconds") and self.step:  # the newest weights may be the best
            self._note(self.measure())
        self.ledger.recall()
        return reason
