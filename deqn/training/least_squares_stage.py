"""Levenberg-Marquardt: a stage that takes damped least squares steps on a large batch, a fifth of which is held out."""

import tensorflow as tf

from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.optimizers.residual_function import is_precise
from deqn.settings.schema import Optimizer
from deqn.training.objective import Objective
from deqn.training.sampler import Sampler
from deqn.training.stage import BatchStage, choose_held_out

PROGRESS, IDLE = 0.98, 5  # a batch whose loss stays above this share of its first is idle; so many end the stage


class LeastSquaresStage(BatchStage):
    def __init__(self, objective: Objective, sampler: Sampler, settings: Optimizer):
        economy, each = objective.economy, settings.refresh
        super().__init__("levenberg_marquardt", economy, sampler, settings.iterations, report_every=each, life=each)
        self.solver = LeastSquares(objective.residual_function(settings.memory * 2**30), settings.damping)
        n, rows = self.solver.residuals.parameters, objective.equations * sampler.states
        # Of a step: a gradient of each equation, normal equations, factorization.
        self.work = rows * economy.gradient_work + min(n, rows) ** 2 * (max(n, rows) + min(n, rows) / 3)
        self._outside = choose_held_out(sampler.states)
        self.idle = tf.Variable(0, trainable=False)  # batches in a row without progress worth the name
        losses = (tf.Variable(0.0, dtype=tf.float64, trainable=False) for _ in range(3))
        self.first_loss, self.last_loss, self.noise = losses  # on the current batch; of rounding errors there

    @property
    def done(self) -> bool:
        precise = self.step > 0 and self._is_precise(self.last_loss.numpy())
        return self.step >= self.cycles or self.idle.numpy() >= IDLE or precise

    @property
    def rates(self) -> dict[str, float]:
        return {"damping": float(self.solver.damping.numpy())}

    def chunk(self, cycles: int) -> bool:
        """Iterate; returns whether every loss was finite, and stops before the first that is not."""
        for _ in range(cycles):
            if self.is_worn:
                if self.step:
                    gained = self.last_loss.numpy() < PROGRESS * self.first_loss.numpy()
                    self.idle.assign(0 if gained else self.idle + 1)
                self.draw()
                self.noise.assign(self.solver.noise(self.drawn.value()))
            fitted, held_out = (tf.boolean_mask(self.drawn, kept) for kept in (~self._outside, self._outside))
            losses = self.solver.iterate(fitted, held_out)
            if losses is None:
                return False
            before, after = losses
            fits = self._is_precise(after)
            if fits:  # a batch that has been interpolated says nothing of other states
                after = max(after, self.solver.loss(held_out))
            if self.age.numpy() == 0:
                self.first_loss.assign(before)
            self.last_loss.assign(after)
            self.iterations.assign_add(1)
            self.age.assign_add(1)
            if fits or not after < before:  # no step left
                self.discard()
            if self.done:
                break
        return True

    def mean_loss(self, reset: bool = False) -> float:
        return float(self.last_loss.numpy())

    def _is_precise(self, loss: float) -> bool:
        return is_precise(loss, self.drawn.dtype, self.noise.numpy())
