"""Newton's method for many small systems of equations at once, one system at each data point.

Steps are damped: a step is shortened until the residuals of its point fall, and no unknown moves by more than LONGEST.
At a kink the derivative on one side stands for both (a semi-smooth Newton method; Qi and Sun 1993). Points that are not
solved from their own start get many others.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

STEPS, LONGEST = 15, 1.0  # Newton steps at most, and the largest move of an unknown in one
LENGTHS = (1.0, 0.5, 0.25, 0.1, 0.02)  # shares of a Newton step that are tried
SOLVED, PRECISE = 1e-7, 1e-8  # the largest residual of a point that counts as solved, and at which steps end
ROUND_OFF = 100  # times the type's precision: no smaller residual is asked for
TOO_MANY = 4  # steps without half of the residual, after which the points that are left are given up
CHORDS, NEARER = 6, 0.01  # steps of a chord at most, and the share of the residual that is near enough
FEW, MANY = 0.005, 0.02  # shares of the points: not worth another step; worth other starts
SPREAD = 0.02, 2.0  # of further starts around the point's own, from the nearest to the farthest


class PointwiseNewton:
    """Solves function(unknowns, data) = 0 for the unknowns of each point; no point may enter another's equations."""

    def __init__(self, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], dtype: tf.DType):
        """`function`: unknowns [points, m], data [points, ...] -> residuals [points, m].

        A point is `solved` where its largest residual is at most that.
        """
        self._function, eps = function, np.finfo(dtype.as_numpy_dtype).eps
        self.solved, self._precise = max(SOLVED, 3 * ROUND_OFF * eps), max(PRECISE, ROUND_OFF * eps)
        self._values = tf.function(function, jit_compile=True, autograph=False)
        self._slopes = tf.function(self._differentiate, jit_compile=True, autograph=False)

    def solve(
        self, start: np.ndarray, data: tf.Tensor, seed: int = 0, attempts: int = 1, spared: float = MANY
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Roots [points, m], the largest absolute residual of each point there and at its start, [points] each.

        A residual is infinite where there are no numbers. Points that their own start does not solve share one more
        batch, in which each of them has several: the roots of others, and random ones around its own. Such a batch is
        repeated up to so many `attempts`, until no more than a share `spared` of the points is open.
        """
        roots, sizes, first = self._iterate(start, data)
        for attempt in range(attempts):
            open_points = np.flatnonzero(sizes > self.solved)
            if len(open_points) <= spared * len(start):
                break
            repeated = np.resize(open_points, len(start))
            others, their_sizes, _ = self._iterate(
                self._choose_starts(start, roots, sizes, repeated, seed + attempt), tf.gather(data, repeated)
            )
            order = np.argsort(-their_sizes)  # the best of a point is written last
            better = order[their_sizes[order] < sizes[repeated[order]]]
            roots[repeated[better]], sizes[repeated[better]] = others[better], their_sizes[better]
        return roots, sizes, first

    def follow_chord(
        self, start: np.ndarray, data: tf.Tensor, at: tuple[np.ndarray, tf.Tensor]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `solve`, by steps with the derivatives at one point `at` = unknowns [1, m], data [1, ...], for all points.

        A Jacobian for each point would take the square of the unknowns in memory. A step is taken where it lowers the
        residuals; they end once few points move on, or most have a hundredth of their residual.
        """
        slope = self._slopes(tf.constant(at[0], data.dtype), at[1]).numpy().astype(float)[0]
        inverse = np.linalg.pinv(slope) if np.isfinite(slope).all() else np.zeros_like(slope)
        x, values = start.copy(), self._evaluate(start, data)
        first = measure_sizes(values)
        sizes = first.copy()
        for _ in range(CHORDS):
            if np.median(sizes) <= NEARER * np.median(first) or sizes.max() <= self._precise:
                break
            trial = x + shorten(-np.where(np.isfinite(values), values, 0.0) @ inverse.T)
            found = self._evaluate(trial, data)
            reached = measure_sizes(found)
            better = reached < sizes
            if better.mean() <= MANY:
                break
            x, values = np.where(better[:, None], trial, x), np.where(better[:, None], found, values)
            sizes = np.where(better, reached, sizes)
        return x, sizes, first

    def _choose_starts(
        self, start: np.ndarray, roots: np.ndarray, sizes: np.ndarray, points: np.ndarray, seed: int
    ) -> np.ndarray:
        """A start for each of the points, which are there several times: roots of others or random ones."""
        rng, solved = np.random.default_rng(seed), np.flatnonzero(sizes <= self.solved)
        spread = np.exp(rng.uniform(*np.log(SPREAD), (len(points), 1)))
        random = start[points] + spread * rng.standard_normal((len(points), start.shape[1]))
        if not len(solved):
            return random
        borrowed = roots[rng.choice(solved, len(points))]
        return np.where((rng.uniform(size=len(points)) < 0.5)[:, None], borrowed, random)

    def _iterate(self, start: np.ndarray, data: tf.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Damped Newton steps at all points; as `solve`, from one start each."""
        x, values = start.copy(), self._evaluate(start, data)
        first = measure_sizes(values)
        sizes, idle = first.copy(), 0  # `solve` writes into the sizes
        for _ in range(STEPS):
            moving = (sizes > self._precise) & np.isfinite(sizes)
            if moving.mean() <= FEW or idle >= TOO_MANY:
                break
            steps = solve_systems(self._slopes(tf.constant(x, data.dtype), data).numpy().astype(float), values)
            before, left = sizes, moving
            for length in LENGTHS:
                trial = np.where(left[:, None], x + length * steps, x)
                found = self._evaluate(trial, data)
                reached = measure_sizes(found)
                better = left & (reached < sizes)
                x, values = np.where(better[:, None], trial, x), np.where(better[:, None], found, values)
                sizes, left = np.where(better, reached, sizes), left & ~better
                if left.mean() <= FEW:
                    break
            idle = idle + 1 if (sizes[moving] > 0.5 * before[moving]).mean() > 1 - FEW else 0
        return x, sizes, first

    def _evaluate(self, x: np.ndarray, data: tf.Tensor) -> np.ndarray:
        return self._values(tf.constant(x, data.dtype), data).numpy().astype(float)

    def _differentiate(self, x: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
        """The derivatives in the unknowns, [points, m, m]: one backward pass an equation serves all points."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            totals = tf.reduce_sum(self._function(x, data), 0)
        return tf.transpose(tape.jacobian(totals, x, unconnected_gradients="zero"), (1, 0, 2))


def measure_sizes(values: np.ndarray) -> np.ndarray:
    """The largest absolute residual of each point, infinite where one is not finite."""
    return np.where(np.isfinite(values).all(1), np.abs(values).max(1, initial=0.0), np.inf)


def solve_systems(slopes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Newton steps [points, m], none of them longer than LONGEST in an unknown; zero where there are no numbers."""
    known = np.isfinite(slopes).all((1, 2)) & np.isfinite(values).all(1)
    slopes = np.where(known[:, None, None], slopes, np.eye(slopes.shape[1]))
    values = np.where(known[:, None], values, 0.0)
    try:
        steps = -np.linalg.solve(slopes, values[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one of them is singular
        steps = -np.einsum("pij,pj->pi", np.linalg.pinv(slopes, rcond=1e-12), values)
    return shorten(np.where(np.isfinite(steps).all(1, keepdims=True), steps, 0.0))


def shorten(steps: np.ndarray) -> np.ndarray:
    """Steps [points, m], none of them longer than LONGEST in an unknown."""
    return steps * np.minimum(1.0, LONGEST / np.maximum(np.abs(steps).max(1, keepdims=True), LONGEST))
