"""What the training loop asks of a stage."""

from typing import Protocol

import tensorflow as tf

from deqn.training.sampler import Sampler


class Stage(Protocol):
    """One algorithm of the training, run in chunks of cycles; its whole state is in variables."""

    name: str
    cycles: int  # at most
    report_every: int  # cycles
    step: int  # done so far
    steps_per_cycle: int
    work: float  # multiplications of a step, roughly
    done: bool  # whether all steps are taken, or no more would help
    batch: tf.Tensor  # the states of the newest step
    states_visited: int
    rates: dict[str, float]  # what metrics.csv tells of the step size
    sampler: Sampler

    def chunk(self, cycles: int) -> bool:
        """Run cycles; returns whether everything was finite, and stops before what is not."""

    def mean_loss(self, reset: bool = False) -> float:
        """The loss since it was last reset, or the newest one."""

    def fall_back(self) -> bool:
        """Draw states from the box alone; returns whether that is new."""

    def redraw(self) -> bool:
        """Take the next step on other states; returns whether one batch had served for many steps."""

    def on_plateau(self, reports: int) -> bool:
        """React to so many reports without improvement; returns whether anything changed."""


def count_remaining(stage: Stage) -> int:
    """The steps that a stage has not taken, at most."""
    return max(stage.cycles * stage.steps_per_cycle - stage.step, 0)
