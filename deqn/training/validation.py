"""Errors on states that training does not see, and what training remembers of them from report to report."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from deqn.economy.alignment import align
from deqn.economy.domain import SobolPoints, is_inside
from deqn.economy.economy import Economy, row_means
from deqn.economy.simulation import simulate_end
from deqn.optimizers.residual_function import ROUND_OFF, nudge
from deqn.training.report import Errors
from deqn.training.sampler import FAR, Sampler

DIGITS = 1e4  # times the type's precision: only below it the rounding error is measured
PATHS, DATES = 512, 200  # of long paths
CLOSE, REPEATS = 2.0, 3  # times the tolerance, or its inverse, between which so many draws are added
SLOW = 5.0  # factor by which the best error is to fall from report to report


class Validator:
    """Errors on states that training does not see: the same sampling with shocks and paths of its own.

    Near the `tolerance` more states are drawn: the best of many reports is else the luckiest, where few states beside
    kinks decide on the mean.
    """

    def __init__(self, economy: Economy, sampler: Sampler, tolerance: float = 0.0):
        self.economy, self.sampler, self._tolerance, self._start = economy, sampler, tolerance, None

    def __call__(self) -> Errors:
        """Errors at newly drawn states, those left out that have no solution."""
        states = self._draw()
        found = self._measure(states)
        if self._tolerance / CLOSE <= found.error <= CLOSE * self._tolerance:
            found = self._measure(tf.concat([states, *(self._draw() for _ in range(REPEATS))], 0))
        return found

    def _measure(self, states: tf.Tensor) -> Errors:
        sizes = self.economy.euler_errors(states)
        if self.economy.unsolvable.numpy() > 0:
            kept, _ = self.economy.split_solvable(sizes)
            states, sizes = tf.gather(states, kept), {name: r[:, kept] for name, r in sizes.items()}
        means = dict(row_means(sizes))
        worst = max(means, key=lambda name: np.nan_to_num(means[name], nan=np.inf))
        mean, largest = ({n: float(f(r)) for n, r in sizes.items()} for f in (np.mean, np.max))
        exact = self._is_exact(states, sizes, means)
        usable = np.isfinite(np.concatenate(list(sizes.values()))).all(0)
        rows = row_means({name: r[:, usable] for name, r in sizes.items()}) if usable.any() else ()
        return Errors(
            error=means[worst], worst=worst, mean=mean, max=largest, exact=exact,
            defined=float(usable.mean()), defined_error=max((mean for _, mean in rows), default=math.inf),
        )  # fmt: skip

    def measure_start(self) -> Errors:
        """Errors of the untrained policy, measured once: at points of the box alone where its paths have no numbers."""
        if self._start is None:
            self.sampler.advance(self.economy.policy, self.sampler.burn_in)
            align(self.economy, self.sampler.paths.value())
            self._start = self()
            if not math.isfinite(self._start.error) and self.sampler.fall_back():
                self._start = self()
        return self._start

    def measure_ends(self) -> float:
        """The mean error of the worst equation where long paths from all over the box end; infinite without numbers.

        Training sees some dates of its paths. A policy that solves the equations there may lead away in the long run.
        """
        error = self._measure(self._follow()).error
        return error if math.isfinite(error) else math.inf

    def loses_paths(self) -> bool:
        """Whether some of these paths are lost, as those of the sampler are."""
        return not np.all(is_inside(self.economy.domain, self._follow(), FAR))

    def _follow(self) -> tf.Tensor:
        """Where long paths from all over the box end, [PATHS, n_states]."""
        economy, dtype = self.economy, self.economy.policy.dtype
        starts, generator = SobolPoints(economy.domain, PATHS, 5, dtype).points(), tf.random.Generator.from_seed(5)
        return simulate_end(economy.model, economy.policy, starts, tf.constant(DATES), generator)

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
        self.first_weights = [tf.Variable(w.value) for w in weights]
        self.earlier_error = tf.Variable(np.inf, dtype=tf.float64)  # the best of an earlier round
        self.earlier_weights = [tf.Variable(w.value) for w in weights]
        self.error_before = tf.Variable(np.inf, dtype=tf.float64)  # the best before the newest report
        self.exact = tf.Variable(False)  # whether the newest report found rounding errors alone
        self.stale = tf.Variable(0)  # reports without improvement
        self.halved_error = tf.Variable(np.inf, dtype=tf.float64)  # the best when it last had fallen by half
        self.since_halved = tf.Variable(0)  # reports since then, in this stage
        self.returns = tf.Variable(0)  # to the best weights, in this stage
        self.plateau = tf.Variable(0)  # reports without improvement since the learning rate was last reduced
        self.reports = tf.Variable(0)  # rows of metrics.csv
        self.seconds = tf.Variable(0.0, dtype=tf.float64)  # training time up to the checkpoint
        self._weights = [w.value for w in weights]

    def note(self, errors: Errors, newest: bool = False) -> None:
        """Compare a report with the best so far; the `newest` weights count as the best where they have numbers."""
        self.exact.assign(errors.exact)
        self.error_before.assign(self.best_error)
        better = errors.error < self.best_error.numpy() or (newest and np.isfinite(errors.error))
        for count in (self.stale, self.plateau):
            count.assign(0 if better else count + 1)
        if better:
            self.best_error.assign(errors.error)
            copy(self._weights, self.best_weights)
        halved = self.best_error.numpy() <= self.halved_error.numpy() / 2
        if halved:
            self.halved_error.assign(self.best_error)
        self.since_halved.assign(0 if halved else self.since_halved + 1)

    def begin_stage(self) -> None:
        """Start from the best weights and count reports anew."""
        self.recall()
        for count in (self.stale, self.returns, self.since_halved):
            count.assign(0)
        self.halved_error.assign(self.best_error)

    @property
    def is_slow(self) -> bool:
        """Whether the newest report brought little."""
        return bool(self.error_before.numpy() < SLOW * self.best_error.numpy())

    def recall(self) -> None:
        """Put the best weights back into the network."""
        if np.isfinite(self.best_error.numpy()):
            copy(self.best_weights, self._weights)

    def set_aside(self, restart: bool) -> None:
        """Let another round begin, from the first weights with `restart`; `settle` will compare with this one."""
        self.earlier_error.assign(self.best_error)
        copy(self.best_weights, self.earlier_weights)
        if restart:
            self.best_error.assign(np.inf)
            copy(self.first_weights, self._weights)

    def settle(self) -> None:
        """Take the best of all rounds for the best."""
        if self.earlier_error.numpy() < self.best_error.numpy():
            self.best_error.assign(self.earlier_error)
            copy(self.earlier_weights, self.best_weights)


def copy(given: Sequence[tf.Variable], taking: Sequence[tf.Variable]) -> None:
    """Assign the values of some variables to others."""
    for source, target in zip(given, taking, strict=True):
        target.assign(source)
