"""Self-scaled BFGS: a quasi-Newton method, thousands of cheap steps in one program.

An inverse Hessian H [weights, weights] of the loss is learned from gradients. With s the step and y the change of the
gradient, H is first divided by min(1, s'y / s'Bs), B = H^-1: steps into directions of small curvature would otherwise
stay short, and it is these directions that decide the last digits. A step costs one or two gradients and the square of
the number of weights; where Levenberg-Marquardt slows down, it goes on. Iteration, line search and update are one
compiled loop.

Sources: Oren and Luenberger (1974), Al-Baali (1998), Nocedal and Wright (2006, chapters 3 and 6).
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from deqn.optimizers.weights import assign_flat, count_weights, flatten_weights

DECREASE = 1e-4  # of the line search: the share of the predicted decrease that a step must bring
SHRINK = (0.1, 0.5)  # a refused step is cut to between these shares of it
SEARCHES = 20
CURVATURE = 1e-12  # cosine of s and y below which a pair is not learned from


class SelfScaledBFGS(tf.Module):
    """Weights that lower the loss of given data; the loss, its gradient and H live in variables."""

    def __init__(self, function: Callable[[tf.Tensor], tf.Tensor], variables: Sequence[tf.Variable]):
        """`function`: data [batch, ...] -> the loss, a scalar that is smooth in the weights `variables`."""
        super().__init__()
        self._function, self._variables = function, variables
        n, dtype = count_weights(variables), variables[0].dtype
        self.inverse = tf.Variable(tf.eye(n, dtype=dtype), trainable=False)  # H
        self.gradient = tf.Variable(tf.zeros(n, dtype), trainable=False)
        self.loss = tf.Variable(tf.zeros((), dtype), trainable=False)
        self.learned = tf.Variable(0, trainable=False)  # pairs (s, y) in H

    @tf.function(jit_compile=True, autograph=False)
    def evaluate(self, data: tf.Tensor) -> None:
        """Loss and gradient anew, on other data [batch, ...]."""
        value, gradient = self._loss_and_gradient(data)
        self.loss.assign(value)
        self.gradient.assign(gradient)

    @tf.function(jit_compile=True, autograph=False)
    def iterate(self, data: tf.Tensor, iterations: tf.Tensor) -> tf.Tensor:
        """Steps on `data`, on which loss and gradient are known; returns how many were taken before one failed.

        If the line search finds no lower loss, weights, loss and gradient stay as they were, and H starts anew.
        """

        def step(i, going, state):
            x, f, g, H, learned = state
            d = -tf.linalg.matvec(H, g)
            d = tf.where(tf.tensordot(d, g, 1) < 0, d, -g)
            slope = tf.tensordot(d, g, 1)

            def search(a, tries, lower, *_):
                assign_flat(self._variables, x + a * d)
                value, gradient = self._loss_and_gradient(data)
                lower = (value <= f + DECREASE * a * slope) & tf.reduce_all(tf.math.is_finite(gradient)) & (value < f)
                best = -slope * a / (2 * (value - f - slope * a))  # the minimum of a parabola, as a share of a
                best = tf.where(tf.math.is_finite(best), best, SHRINK[0])
                return tf.where(lower, a, a * tf.clip_by_value(best, *SHRINK)), tries + 1, lower, value, gradient

            one = tf.ones((), x.dtype)
            a, _, lower, value, gradient = tf.while_loop(
                lambda a, tries, lower, *_: (tries < SEARCHES) & ~lower, search, (one, 0, tf.constant(False), f, g)
            )
            moved, change = a * d, gradient - g
            H, learned = tf.cond(
                lower,
                lambda: self._update(H, learned, moved, change, -a * tf.tensordot(moved, g, 1)),
                lambda: (tf.eye(x.shape[0], dtype=x.dtype), 0),
            )
            x, f, g = tf.where(lower, x + moved, x), tf.where(lower, value, f), tf.where(lower, gradient, g)
            return i + tf.cast(lower, tf.int32), lower, (x, f, g, H, learned)

        kept = (self.loss, self.gradient, self.inverse, self.learned)
        start = (0, tf.constant(True), (flatten_weights(self._variables), *(v.value() for v in kept)))
        taken, _, (x, *values) = tf.while_loop(lambda i, going, _: going & (i < iterations), step, start)
        assign_flat(self._variables, x)
        for variable, value in zip(kept, values, strict=True):
            variable.assign(value)
        return taken

    def _update(self, H, learned, s, y, sBs) -> tuple[tf.Tensor, tf.Tensor]:
        """H after the pair (s, y), unless its curvature is not positive; the first pair gives H its scale."""
        sy = tf.tensordot(s, y, 1)
        H = tf.where(learned == 0, H * sy / tf.tensordot(y, y, 1), H)
        scale = tf.where(learned == 0, tf.ones_like(sy), tf.minimum(tf.ones_like(sy), sy / sBs))
        Hy = tf.linalg.matvec(H, y)
        yHy = tf.tensordot(y, Hy, 1)
        v = s / sy - Hy / yHy
        updated = (H - outer(Hy, Hy) / yHy + yHy * outer(v, v)) / scale + outer(s, s) / sy
        usable = (sy > CURVATURE * tf.norm(s) * tf.norm(y)) & (yHy > 0)
        return tf.where(usable, updated, H), learned + tf.cast(usable, tf.int32)

    def _loss_and_gradient(self, data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            value = self._function(data)
        return value, flatten_weights(tape.gradient(value, self._variables, unconnected_gradients="zero"))


def outer(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """a b'."""
    return a[:, None] * b[None]


def fits_memory(parameters: int, dtype: tf.DType, memory: float) -> bool:
    """Whether H and the three copies that an update makes of it take at most so many bytes."""
    return 4 * dtype.size * parameters**2 <= memory
