"""What training tells: a report along the way, and at the end how it went."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Absolute residuals on validation states; each row of a vector equation is an equation of its own."""

    error: float  # the mean over states of the worst equation, on which training decides
    worst: str  # that equation, "euler" or "euler[3]"
    mean: dict[str, float]  # over states and rows, by equation
    max: dict[str, float]
    exact: bool = False  # whether every equation is at the rounding error of its own arithmetic


@dataclass(frozen=True, kw_only=True)
class Report(Errors):
    """What is known at a report, with the errors on fresh validation states."""

    step: int  # of all stages together
    stage: str
    seconds: float
    loss: float
    rates: dict[str, float]  # the stage's learning rate, or its damping
    lost_paths: int = 0  # simulated paths drawn anew so far, of training and validation


@dataclass(frozen=True)
class TrainingResult:
    """How training went."""

    ended: str  # steps, stuck, target, enough, patience, misled, seconds, interrupted or diverged
    problems: tuple[str, ...]  # what went wrong in any stage
    steps: dict[str, int]  # by stage
    states_visited: int
    lost_paths: int  # simulated paths that were lost and drawn anew, of training and validation
    error: float  # the best mean validation error of the worst equation; infinite where none was finite
    compile_seconds: float  # the first call of each stage
    train_seconds: float  # all the rest

    @property
    def status(self) -> str:
        """What the verdict starts from: a policy that was finite at one report is judged, whatever came later."""
        if self.ended == "interrupted":
            return "interrupted"
        return "trained" if math.isfinite(self.error) else "diverged"

    @property
    def problem(self) -> str | None:
        """What went wrong, a line each."""
        return "\n".join(self.problems) or None
