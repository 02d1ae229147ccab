"""When training ends before its last step (target, patience, time, signals, slow progress, other zeros), or goes on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from deqn.settings.schema import Training
from deqn.system.processes import Interrupt
from deqn.training.stage import Round
from deqn.training.validation import Ledger

STALLED = 5  # reports without improvement at the end of a round, after which another one may do better
LONG = 5  # reports in which the best error does not fall by half
ASTRAY = 30  # times the best error: that at the ends of long paths which training has not seen the like of
RETURNS = 3  # to the best weights, before a stage ends
NEAR = 10  # times the tolerance, up to which a policy lacks precision alone and needs no other start
SAFE = 0.8  # times the tolerance: where a round that refines ends, since the verdict is on other states
log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Rules:
    """When training ends before its last step: its settings, a signal, and two mean errors of the worst equation."""

    training: Training
    interrupt: Interrupt
    tolerance: float = 0.0  # at which the policy is good
    good_start: float | None = None  # of the start that leaves out the first stage

    @property
    def enough(self) -> float:
        """The mean error at which slow progress ends the training."""
        return 0.0 if self.training.finish else self.tolerance / 10

    def call_for(self, following: Round, ledger: Ledger, reason: str | None, stuck: bool) -> bool:
        """Whether a further round is to begin, after one that ended for that reason, None where its stages were done.

        `stuck`: whether a stage ended before its last step.
        """
        error = ledger.best_error.numpy()
        if following.refines:
            return reason is None and SAFE * self.tolerance < error <= NEAR * self.tolerance
        stuck = stuck or ledger.stale.numpy() >= STALLED
        astray = reason in ("misled", "diverged", "astray") or (reason is None and stuck)
        return astray and not error <= NEAR * self.tolerance

    def lead_astray(self, measure_ends: Callable[[], float], ledger: Ledger) -> bool:
        """Whether long paths of the best policy end where it is no solution; its error is then the one there."""
        ledger.recall()
        error, best = measure_ends(), ledger.best_error.numpy()
        if error <= max(ASTRAY * best, NEAR * self.tolerance):
            return False
        log.info("long paths end where the error is %.1e, not %.1e", error, best)
        ledger.best_error.assign(error)
        return True

    def check_reports(self, ledger: Ledger, refines: bool = False, last: bool = False) -> str | None:
        """Why the reports so far end the training; read from the ledger, so that a resumed run answers the same.

        In a round that `refines`, the tolerance is enough; in the `last` stage, once reports hardly lower the error.
        """
        best, patience = ledger.best_error.numpy(), self.training.patience
        if self.training.target is not None and best <= self.training.target:
            return "target"
        slow = last and not self.training.finish and ledger.since_halved.numpy() >= LONG
        refined = (refines or slow) and best <= SAFE * self.tolerance
        if refined or ledger.exact.numpy() or (best <= self.enough and ledger.is_slow):
            return "enough"
        if ledger.returns.numpy() >= RETURNS:
            return "misled"
        return "patience" if patience is not None and ledger.stale.numpy() >= patience else None

    def check_clock(self, elapsed: float) -> str | None:
        """Why a signal or the clock ends the training after so many seconds."""
        if self.interrupt.signal is not None:
            return "interrupted"
        return "seconds" if self.training.seconds is not None and elapsed >= self.training.seconds else None
