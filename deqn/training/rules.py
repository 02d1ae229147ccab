"""When training ends before its last step, and when it writes a checkpoint."""

from dataclasses import dataclass

from deqn.settings.schema import Training
from deqn.system.interrupt import Interrupt
from deqn.training.validation import Ledger

RETURNS = 3  # to the best weights, before a stage ends


@dataclass(frozen=True)
class Rules:
    """The settings of training, a signal, and two errors: means over states of the worst equation."""

    training: Training
    interrupt: Interrupt
    enough: float = 0.0  # at which slow progress ends the training
    good_start: float | None = None  # of the start that leaves out the first stage

    def satisfied(self, ledger: Ledger) -> str | None:
        """Why the reports so far end the training; read from the ledger, so that a resumed run answers the same."""
        best, patience = ledger.best_error.numpy(), self.training.patience
        if self.training.target is not None and best <= self.training.target:
            return "target"
        if ledger.exact.numpy() or (best <= self.enough and ledger.slow):
            return "enough"
        if ledger.returns.numpy() >= RETURNS:
            return "misled"
        if patience is not None and ledger.stale.numpy() >= patience:
            return "patience"
        return None

    def stopped(self, elapsed: float) -> str | None:
        """Why a signal or the clock ends the training after so many seconds."""
        if self.interrupt.signal is not None:
            return "interrupted"
        if self.training.seconds is not None and elapsed >= self.training.seconds:
            return "seconds"
        return None
