"""Levenberg-Marquardt: nonlinear least squares by damped Gauss-Newton steps.

A step solves (J'J + damping) d = -J'r, with J [residuals, weights]. The damping falls where the residuals follow their
linear model and rises where they do not; a step that does not lower the loss is taken back.

Sources: Levenberg (1944), Marquardt (1963), Nocedal and Wright (2006, chapter 10).
"""

import math

import numpy as np
import tensorflow as tf
import threadpoolctl

from deqn.optimizers.damped_equations import linearize
from deqn.optimizers.residual_function import ResidualFunction, nudge
from deqn.optimizers.weights import assign_flat, flatten_weights

ACCEPT, GOOD, POOR = 1e-3, 0.5, 0.25  # actual over predicted reduction: taken; damping falls; damping rises
FALL, RISE, TRIES = 1 / 3, 4.0, 10  # factors of the damping; at most so many tries with one Jacobian
HELD_OUT = 2.0  # a step is refused where it multiplies the held-out loss by more
FEW_WEIGHTS = 1000  # weights below which LAPACK takes one thread: two would fight with TensorFlow's for the cores


class LeastSquares(tf.Module):
    """Weights fitted to given data, one damped step at a time.

    The loss is the sum of squared residuals over the number of data points. The damping is relative to the largest
    curvature, so that it has no unit and no floor.
    """

    def __init__(self, residuals: ResidualFunction, damping: float):
        super().__init__()
        self.residuals = residuals
        self._threads = threadpoolctl.ThreadpoolController()
        self.damping = tf.Variable(damping, dtype=tf.float64, trainable=False)

    def iterate(self, data: tf.Tensor, held_out: tf.Tensor) -> tuple[float, float] | None:
        """One step on `data` [batch, ...]; returns the loss before and after, None where one is not finite.

        None also stands for a Jacobian that is not finite. Both losses are equal where no damping gave a lower one: the
        weights are then as they were. `held_out`: more data, perhaps none, whose loss may not rise much.
        """
        with self._threads.limit(limits=1 if self.residuals.parameters < FEW_WEIGHTS else None, user_api="blas"):
            try:
                return self._iterate(data, held_out)
            except FloatingPointError:
                return None

    def _iterate(self, data: tf.Tensor, held_out: tf.Tensor) -> tuple[float, float] | None:
        everything = tf.concat([data, held_out], 0)

        def losses() -> tuple[np.ndarray, float, float]:
            values = self.residuals.values(everything).reshape(len(everything), -1)
            fitted, rest = values[: len(data)], values[len(data) :]
            return fitted.ravel(), np.sum(fitted**2) / len(data), np.sum(rest**2) / max(len(rest), 1)

        values, before, outside = losses()
        if not math.isfinite(before + outside):
            return None
        damped = linearize(self.residuals, data, values) if before > 0 else None
        if damped is None:
            return before, before
        variables = self.residuals.variables
        start = flatten_weights(variables).numpy().astype(np.float64)
        for _ in range(TRIES):
            step, predicted = damped(self.damping.numpy())
            if step is not None and predicted > 0:
                assign_flat(variables, start + step)
                _, after, beside = losses()
                gain = (before - after) * len(data) / predicted
                if gain > ACCEPT and beside <= HELD_OUT * outside:
                    self.damping.assign(self.damping * (FALL if gain > GOOD else 1 / FALL if gain < POOR else 1))
                    return before, after
            self.damping.assign(self.damping * RISE)
        assign_flat(variables, start)
        self.damping.assign(self.damping / RISE**TRIES)
        return before, before

    def loss(self, data: tf.Tensor) -> float:
        """The loss at data."""
        return float(np.sum(self.residuals.values(data) ** 2)) / len(data)

    def noise(self, data: tf.Tensor) -> float:
        """The loss that rounding errors make: of the change when the data move by a few of them."""
        change = self.residuals.values(nudge(data)) - self.residuals.values(data)
        return float(np.sum(change**2)) / len(data)
