"""Errors on states that training does not see, and what training remembers of them from report to report."""

import numpy as np
import tensorflow as tf

from deqn.economy.economy import Economy, row_means
from deqn.optimizers.residual_function import ROUND_OFF, nudge
from deqn.training.report import Errors
from deqn.training.sampler import Sampler

DIGITS = 1e4  # times the type's precision: only below it the rounding error is measured
SLOW = 5.0  # factor by which the best error is to fall from report to report


class Validator:
    """Errors on states that training does not see: the same sampling with shocks and paths of its own."""

    def __init__(self, economy: Economy, sampler: Sampler):
        self.economy, self.sampler = economy, sampler

    def __call__(self) -> Errors:
        """Errors at newly drawn states."""
        states = self._draw()
        sizes = self.economy.euler_errors(states)
        means = dict(row_means(sizes))
        worst = max(means, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
        mean, largest = ({n: float(f(r)) for n, r in sizes.items()} for f in (np.mean, np.max))
        exact = self._is_exact(states, sizes, means)
        return Errors(error=means[worst], worst=worst, mean=mean, max=largest, exact=exact)

    def _is_exact(self, states: tf.Tensor, sizes: dict[str, np.ndarray], means: dict[str, float]) -> bool:
        """Whether residuals are no larger than what moves them when the states move by a rounding error."""
        precision = np.finfo(states.dtype.as_numpy_dtype).eps
        if not max(means.values()) <= DIGITS * precision:
            return False
        moved = self.economy.euler_errors(nudge(states))
        noise = dict(row_means({name: np.abs(moved[name] - r) for name, r in sizes.items()}))
        return all(mean <= ROUND_OFF * max(precision, noise[name]) for name, mean in means.items())

    @tf.function(autograph=False)
    def _draw(self) -> tf.Tensor:
        return self.sampler(self.economy.policy)


class Ledger(tf.Module):
    """What training remembers between reports: the best weights, and for how many reports they have stood."""

    def __init__(self, weights: list):
        super().__init__()
        self.best_error = tf.Variable(np.inf, dtype=tf.float64)
        self.best_weights = [tf.Variable(w.value) for w in weights]
        self.error_before = tf.Variable(np.inf, dtype=tf.float64)  # the best before the newest report
        self.exact = tf.Variable(False)  # whether the newest report found rounding errors alone
        self.stale = tf.Variable(0)  # reports without improvement
        self.returns = tf.Variable(0)  # to the best weights, in this stage
        self.plateau = tf.Variable(0)  # reports without improvement since the learning rate was last reduced
        self.reports = tf.Variable(0)  # rows of metrics.csv
        self.seconds = tf.Variable(0.0, dtype=tf.float64)  # training time up to the checkpoint
        self._weights = weights

    def note(self, errors: Errors) -> None:
        """Compare a report with the best so far."""
        self.exact.assign(errors.exact)
        self.error_before.assign(self.best_error)
        better = errors.error < self.best_error.numpy()
        for count in (self.stale, self.plateau):
            count.assign(0 if better else count + 1)
        if better:
            self.best_error.assign(errors.error)
            for kept, w in zip(self.best_weights, self._weights, strict=True):
                kept.assign(w.value)

    @property
    def is_slow(self) -> bool:
        """Whether the newest report brought little."""
        return bool(self.error_before.numpy() < SLOW * self.best_error.numpy())

    def recall(self) -> None:
        """Put the best weights back into the network."""
        if np.isfinite(self.best_error.numpy()):
            for kept, w in zip(self.best_weights, self._weights, strict=True):
                w.assign(kept)
