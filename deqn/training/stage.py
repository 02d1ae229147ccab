"""What the training loop asks of a stage, and what stages on one large batch of states share."""

import math
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from deqn.economy.alignment import align
from deqn.economy.economy import Economy
from deqn.training.objective import Objective
from deqn.training.sampler import Sampler

DATES_BETWEEN = 10  # dates between one batch and the next
PER_WEIGHT, PER_DIMENSION = 4, 100  # residuals of a batch for each weight, states for each dimension of the state
BATCH_LIMITS = 640, 8192  # states


class Stage(Protocol):
    """One algorithm of the training, run in chunks of cycles; its whole state is in variables."""

    name: str
    cycles: int  # at most
    report_every: int  # cycles
    step: int  # done so far
    steps_per_cycle: int
    work: float  # multiplications of a step, roughly
    done: bool  # whether all steps are taken, or no more would help
    drawn: tf.Variable  # the states of the newest step
    states_visited: int
    rates: dict[str, float]  # what metrics.csv tells of the step size
    progress: str  # what the display tells of its own progress, if anything
    problem: str | None  # what went wrong in it, if anything
    lowers_error: bool  # whether it lowers the residuals; else the newest weights are the best where it prepares
    prepares: bool  # whether a good start makes it needless where others follow
    spares_next: bool  # whether it did so well that the next of those that prepare is needless
    sampler: Sampler

    def chunk(self, cycles: int) -> bool:
        """Run cycles; returns whether everything was finite, and stops before what is not."""

    def mean_loss(self, reset: bool = False) -> float:
        """The loss since it was last reset, or the newest one."""

    def redraw(self) -> bool:
        """Take the next step on other states; returns whether one batch had served for many steps."""

    def on_plateau(self, reports: int) -> bool:
        """React to so many reports without improvement; returns whether anything changed."""


@dataclass(frozen=True)
class Round:
    """Stages that run one after the other.

    One that `refines` begins where the policy is near a solution but misses the tolerance, and ends once it does not;
    any other one after the first begins where those before it got stuck far from a solution or went astray.
    """

    stages: Sequence[Stage]
    refines: bool = False


def count_remaining(stage: Stage) -> int:
    """The steps that a stage has not taken, at most."""
    return max(stage.cycles * stage.steps_per_cycle - stage.step, 0)


def choose_held_out(states: int) -> np.ndarray:
    """Which of so many states are held out of a fit, a fifth of them: a mask."""
    return np.arange(states) % 5 == 4


def choose_batch_size(objective: Objective, weights: int) -> int:
    """States of a batch, held-out ones included: enough for so many weights and each dimension, within BATCH_LIMITS."""
    wanted = PER_DIMENSION * len(objective.economy.center.states)
    return int(np.clip(max(math.ceil(5 / 4 * PER_WEIGHT * weights / objective.equations), wanted), *BATCH_LIMITS))


class BatchStage(tf.Module, ABC):
    """A stage whose batch, drawn from the current policy's paths and the box, serves `life` steps."""

    steps_per_cycle = 1
    progress, problem, lowers_error, prepares, spares_next = "", None, True, False, False

    def __init__(self, name: str, economy: Economy, sampler: Sampler, iterations: int, report_every: int, life: int):
        super().__init__(name=name)
        self.economy, self.sampler, self.life = economy, sampler, life
        self.cycles, self.report_every = iterations, report_every
        self.iterations = tf.Variable(0, trainable=False)
        self.draws = tf.Variable(0, trainable=False)
        self.age = tf.Variable(life, trainable=False)  # iterations on the current batch
        self.drawn = sampler.hold(sampler.states)
        # of the economy, and restored with the rest
        self.turn, self.unsolvable = economy.expectation.turn, economy.unsolvable

    @property
    def step(self) -> int:
        return int(self.iterations.numpy())

    @property
    def states_visited(self) -> int:
        return int(self.draws.numpy()) * self.sampler.states

    @property
    def is_worn(self) -> bool:
        """Whether the batch has served its life, or was given up by `discard`."""
        return self.age.numpy() >= self.life

    def on_plateau(self, reports: int) -> bool:
        return False  # there is no rate to lower

    def redraw(self) -> bool:
        self.discard()
        return True

    def discard(self) -> None:
        """Let the next iteration begin with other states."""
        self.age.assign(self.life)

    def draw(self) -> None:
        """Another batch, some dates after the last."""
        if self.draws.numpy():
            self.sampler.advance(self.economy.policy, tf.constant(DATES_BETWEEN))
        self.drawn.assign(self.sampler(self.economy.policy))
        align(self.economy, self.drawn.value())
        if self.lowers_error and self.unsolvable.numpy() > 0:
            self.drawn.assign(tf.gather(self.drawn, self._choose_solvable()))
        self.draws.assign_add(1)
        self.age.assign(0)

    def _choose_solvable(self) -> np.ndarray:
        """The rows of the batch, others in the place of those that have no solution."""
        kept, left_out = self.economy.split_solvable(self.economy.euler_errors(self.drawn.value()))
        rows = np.arange(self.sampler.states)
        rows[left_out] = kept[: len(left_out)]
        return rows
