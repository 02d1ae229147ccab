"""The training loop: compiled chunks of at most about a second, and between them reports, checkpoints and stopping.

Everything that changes lives in variables, and decisions fall at fixed steps. So the result does not depend on how fast
the machine is, and a run that is resumed from a checkpoint ends with the very weights of one that was never stopped.
"""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from deqn.checks.undefined import diagnose
from deqn.training.checkpoint import Checkpoints
from deqn.training.progress import Journal
from deqn.training.report import Errors, Report, Rung, TrainingResult
from deqn.training.rules import RETURNS, Rules
from deqn.training.stage import Round, Stage, count_remaining
from deqn.training.validation import Ledger, Validator

CHUNK_SECONDS = 0.5
MISLED = 10  # times the best error from which a stage goes back to it
log = logging.getLogger("deqn")


@dataclass
class Loop:
    """One stage after the other, until all are done, target, patience or time are reached, or a signal comes."""

    rounds: Sequence[Round]
    validator: Validator
    ledger: Ledger
    checkpoints: Checkpoints
    rules: Rules
    journal: Journal
    problems: list[str] = field(default_factory=list, init=False)  # of all stages
    rungs: list[Rung] = field(default_factory=list, init=False)

    @property
    def stages(self) -> list[Stage]:
        """The stages of all rounds."""
        return [stage for chosen in self.rounds for stage in chosen.stages]

    def run(self) -> TrainingResult:
        """Train: the network then holds the best weights of all reports, the checkpoint the state to go on from."""
        began, self._compiling = time.monotonic(), 0.0
        ended = self._train()
        steps = dict.fromkeys((stage.name for stage in self.stages), 0)
        for stage in self.stages:
            steps[stage.name] += stage.step
        return TrainingResult(
            ended, tuple(self.problems), steps,
            sum(stage.states_visited for stage in self.stages), self.lost_paths, float(self.ledger.best_error.numpy()),
            self._compiling, time.monotonic() - began - self._compiling, tuple(self.rungs),
        )  # fmt: skip

    def _train(self) -> str:
        self._saved = time.monotonic()
        begun = max((i for i, chosen in enumerate(self.rounds) if any(s.step for s in chosen.stages)), default=0)
        first = self.rounds[begun]
        reason = self._run_round(self._choose_stages(first.stages), first.refines)
        for following in self.rounds[begun + 1 :]:
            stuck = any(stage.step and count_remaining(stage) for stage in self.stages)
            if not self.rules.call_for(following, self.ledger, reason, stuck):
                continue
            log.info("training ended at an error of %.1e: another round", self.ledger.best_error.numpy())
            if not following.refines:
                self.ledger.set_aside(restart=reason == "astray" or self.lost_paths > 0)
            reason = self._run_round(following.stages, following.refines)
        if reason != "diverged":
            self._save()
        if reason in ("interrupted", "seconds") and self.step:  # the newest weights may be the best
            self.ledger.note(self.measure())
        self.ledger.settle()
        self.ledger.recall()
        return reason or "steps"

    def _run_round(self, stages: Sequence[Stage], refines: bool) -> str | None:
        """Run one stage after the other; returns why training ended before the last was done, None if it did not.

        It is `astray` where long paths lead to where the policy is no solution.
        """
        reason, before = None, None
        for stage in stages:
            if stage.prepares and before is not None and before.spares_next:
                continue
            before = self._stage = stage
            self._pace = None
            began, first = time.monotonic(), stage.step
            if stage.step == 0 and not stage.done:
                self._begin(stage)
            while reason is None and not stage.done:
                last = stage is stages[-1] and len(stages) > 1  # what polishes; alone, a stage has its schedule
                reason = self.rules.check_reports(self.ledger, refines, last) or self._until_report(stage)
            self.problems += [stage.problem] * bool(stage.problem)
            if stage.step > first:
                error = float(self.ledger.best_error.numpy())
                self.rungs.append(Rung(stage.name, stage.step - first, time.monotonic() - began, error))
            if reason in ("patience", "diverged", "misled") and stage is not stages[-1]:  # the next one may do better
                log.info("%s ended: %s", stage.name, reason)
                reason = None
            if reason is not None:
                break
        ended = reason in ("interrupted", "seconds", "diverged") or refines or len(self.rounds) == 1
        return reason if ended or not self.rules.lead_astray(self.validator.measure_ends, self.ledger) else "astray"

    def _begin(self, stage: Stage) -> None:
        """Let a stage start from the best weights so far, on paths where it may follow them."""
        self.ledger.begin_stage()
        policy, validation = self.validator.economy.policy, self.validator.sampler
        if not stage.lowers_error and not self.ledger.best_error.numpy() <= (self.rules.good_start or 0.0):
            stage.sampler.stay_near()  # a bad policy may lead anywhere; its paths grow from sweep to sweep
        else:
            stage.sampler.advance(policy, stage.sampler.burn_in)
        if stage.lowers_error and validation.box_only.numpy():
            validation.box_only.assign(False)
            validation.advance(policy, validation.burn_in)

    def _choose_stages(self, stages: Sequence[Stage]) -> Sequence[Stage]:
        """Those of a round, less those before one that has begun, and less those that a good start makes needless."""
        if self.step:
            return [s for i, s in enumerate(stages) if not any(later.step for later in stages[i + 1 :])]
        self._stage = stages[0]
        self.ledger.reports.assign(0)
        self._save()  # so that there is always one to go on from
        start = self._compose_report(self.validator.measure_start())
        self.ledger.note(start)
        good = self.rules.good_start is not None and start.error <= self.rules.good_start
        chosen = [stage for stage in stages if not (good and stage.prepares)]
        self.journal.report(replace(start, stage=chosen[0].name, rates=chosen[0].rates))
        self.ledger.reports.assign_add(1)
        return chosen

    def _until_report(self, stage: Stage) -> str | None:
        """Chunks up to the next report; returns why training is to end, None while it goes on."""
        cycle, pace, reason = stage.step // stage.steps_per_cycle, self._pace, None
        due = min(stage.cycles, (cycle // stage.report_every + 1) * stage.report_every)
        while reason is None and cycle < due and not stage.done:
            wanted = 1 if pace is None else max(1, int(CHUNK_SECONDS / pace))
            cycles, began = min(wanted, due - cycle), time.monotonic()
            finite, seconds = stage.chunk(cycles), time.monotonic() - began
            if pace is None:  # the first call compiles
                self._compiling += seconds
            self._pace = pace = math.inf if pace is None else seconds / cycles
            if not finite:
                return self._handle_divergence(stage)
            cycle += cycles
            self.journal.display.update(stage, stage.mean_loss())
            if cycle == due or stage.done:
                self._report(stage)
            reason = self.rules.check_clock(self.elapsed)
            if reason is None and time.monotonic() - self._saved >= self.rules.training.checkpoint_seconds:
                self._save()
        return reason

    def _handle_divergence(self, stage: Stage) -> str | None:
        """Note what was not finite. A stage first falls back to the box alone, from the best weights, then ends."""
        cause = diagnose(self.validator.economy, stage.drawn.value())
        self.problems.append(f"{stage.name} diverged at step {stage.step + 1}: {cause}")
        stage.redraw()
        if not stage.sampler.fall_back():
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
        return sum(stage.step for stage in self.stages)

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return float(self.ledger.seconds.numpy()) + time.monotonic() - self._saved

    def measure(self) -> Report:
        """Errors on fresh validation states, and the mean loss since the last report."""
        return self._compose_report(self.validator())

    def _compose_report(self, errors: Errors) -> Report:
        stage = self._stage
        value = stage.mean_loss(reset=True) if stage.step else math.nan
        return Report(
            step=self.step, stage=stage.name, seconds=self.elapsed, loss=value, rates=stage.rates,
            lost_paths=self.lost_paths, **vars(errors),
        )  # fmt: skip

    def _report(self, stage: Stage) -> None:
        report = self.measure()
        self.ledger.note(report, newest=not stage.lowers_error and stage.prepares)  # what is last is judged by errors
        self.journal.report(report)
        self.ledger.reports.assign_add(1)
        if report.error > max(MISLED * self.ledger.best_error.numpy(), self.rules.enough) and stage.redraw():
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

    def _save(self) -> None:
        """Save a checkpoint unless a weight is not finite: the previous one is then the last good one."""
        self.ledger.seconds.assign(self.elapsed)
        self._saved = time.monotonic()
        if all(np.isfinite(w.numpy()).all() for w in self.validator.economy.policy.network.weights):
            self.checkpoints.save()
