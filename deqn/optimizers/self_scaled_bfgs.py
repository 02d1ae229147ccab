"""Self-scaled BFGS: a quasi-Newton polish of the same least squares problem, thousands of cheap steps in one program.

An inverse Hessian H [weights, weights] of the loss is learned from gradients. With s the step and y the change of the
gradient, H is first divided by min(1, s'y / s'Bs), B = H^-1: steps into directions of small curvature would otherwise
stay short, and it is these directions that decide the last digits. A step costs one or two gradients and the square of
the number of weights; where Levenberg-Marquardt slows down, it goes on. Iteration, line search and update are one
compiled loop.

Sources: Oren and Luenberger (1974), Al-Baali (1998), Nocedal and Wright (2006, chapters 3 and 6).
"""

import tensorflow as tf

from deqn.economy import Economy
from deqn.optimizers.levenberg_marquardt import BETWEEN, is_precise
from deqn.residuals import residuals, row_weights, stacked
from deqn.sampler import Sampler

DECREASE = 1e-4  # of the line search: the share of the predicted decrease that a step must bring
SHRINK = (0.1, 0.5)  # a refused step is cut to between these shares of it
TRIES = 20
CURVATURE = 1e-12  # cosine of s and y below which a pair is not learned from
REFRESH = 10  # reports on the same states, each of so many iterations:
REPORT = 100
STUCK = 2  # batches in a row without a step end the stage


class SelfScaledBFGS(tf.Module):
    """The weights of a policy function fitted to given states; the loss, its gradient and H live in variables."""

    def __init__(self, economy: Economy, weights: dict[str, float] | None = None):
        super().__init__()
        self.economy, self._loss_weights = economy, weights or {}
        self._variables = [w.value for w in economy.policy.network.trainable_variables]
        self._dtype = economy.policy.dtype
        n = sum(v.shape.num_elements() for v in self._variables)
        self.inverse = tf.Variable(tf.eye(n, dtype=self._dtype), trainable=False)  # H
        self.gradient = tf.Variable(tf.zeros(n, self._dtype), trainable=False)
        self.loss = tf.Variable(tf.zeros((), self._dtype), trainable=False)
        self.learned = tf.Variable(0, trainable=False)  # pairs (s, y) in H

    @tf.function(jit_compile=True, autograph=False)
    def evaluate(self, states: tf.Tensor) -> None:
        """Loss and gradient anew, on other states [batch, n_states]."""
        loss, gradient = self._loss_and_gradient(states)
        self.loss.assign(loss)
        self.gradient.assign(gradient)

    @tf.function(jit_compile=True, autograph=False)
    def iterate(self, states: tf.Tensor, iterations: tf.Tensor) -> tf.Tensor:
        """Steps on `states`, on which loss and gradient are known; returns how many were taken before one failed.

        A step that fails for want of a lower loss leaves weights, loss and gradient as they were, and H at its start.
        """

        def step(i, going, x, f, g, H, learned):
            d = -tf.linalg.matvec(H, g)
            d = tf.where(tf.tensordot(d, g, 1) < 0, d, -g)
            slope = tf.tensordot(d, g, 1)

            def search(a, tries, lower, *_):
                self._assign(x + a * d)
                value, gradient = self._loss_and_gradient(states)
                lower = (value <= f + DECREASE * a * slope) & tf.reduce_all(tf.math.is_finite(gradient)) & (value < f)
                best = -slope * a / (2 * (value - f - slope * a))  # the minimum of a parabola, as a share of a
                best = tf.where(tf.math.is_finite(best), best, SHRINK[0])
                return tf.where(lower, a, a * tf.clip_by_value(best, *SHRINK)), tries + 1, lower, value, gradient

            one = tf.ones((), x.dtype)
            a, _, lower, value, gradient = tf.while_loop(
                lambda a, tries, lower, *_: (tries < TRIES) & ~lower, search, (one, 0, tf.constant(False), f, g)
            )
            moved, change = a * d, gradient - g
            H, learned = tf.cond(
                lower,
                lambda: self._updated(H, learned, moved, change, -a * tf.tensordot(moved, g, 1)),
                lambda: (tf.eye(x.shape[0], dtype=x.dtype), 0),
            )
            x, f, g = tf.where(lower, x + moved, x), tf.where(lower, value, f), tf.where(lower, gradient, g)
            return i + tf.cast(lower, tf.int32), lower, x, f, g, H, learned

        start = (0, tf.constant(True), self._read(), self.loss.value(), self.gradient.value(), self.inverse.value(),
                 self.learned.value())  # fmt: skip
        taken, _, x, f, g, H, learned = tf.while_loop(
            lambda i, going, *_: going & (i < iterations), step, start, maximum_iterations=None
        )
        self._assign(x)
        self.loss.assign(f)
        self.gradient.assign(g)
        self.inverse.assign(H)
        self.learned.assign(learned)
        return taken

    def _updated(self, H, learned, s, y, sBs) -> tuple[tf.Tensor, tf.Tensor]:
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

    def _loss_and_gradient(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            errors = residuals(self.economy.model, self.economy.policy, self.economy.expectation, states)
            rows = stacked(errors, states.shape[0]) * row_weights(errors, self._loss_weights)
            loss = tf.reduce_sum(rows**2) / states.shape[0]
        parts = tape.gradient(loss, self._variables, unconnected_gradients="zero")
        return loss, tf.concat([tf.reshape(p, [-1]) for p in parts], 0)

    def _read(self) -> tf.Tensor:
        return tf.concat([tf.reshape(v, [-1]) for v in self._variables], 0)

    def _assign(self, flat: tf.Tensor) -> None:
        parts = tf.split(flat, [v.shape.num_elements() for v in self._variables])
        for variable, part in zip(self._variables, parts, strict=True):
            variable.assign(tf.reshape(part, variable.shape))


def outer(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """a b'."""
    return a[:, None] * b[None]


def fits(economy: Economy, memory: float) -> bool:
    """Whether H and the three copies that an update makes of it take at most so many bytes."""
    return 4 * economy.policy.dtype.size * economy.policy.network.count_params() ** 2 <= memory


class QuasiNewtonStage(tf.Module):
    """Self-scaled BFGS on a large batch from the current policy's paths and the box, drawn anew now and then."""

    def __init__(self, economy: Economy, sampler: Sampler, iterations: int, weights: dict[str, float]):
        super().__init__(name="bfgs")
        self.economy, self.sampler = economy, sampler
        self.solver = SelfScaledBFGS(economy, weights)
        self.cycles, self.report_every, self.steps_per_cycle = iterations, REPORT, 1
        self.iterations = tf.Variable(0, trainable=False)
        self.draws = tf.Variable(0, trainable=False)
        self.age = tf.Variable(REFRESH * REPORT, trainable=False)  # iterations on the current batch
        self.stuck = tf.Variable(0, trainable=False)  # batches in a row that gave no step
        self.precise = tf.Variable(False, trainable=False)  # round-off on states not fitted before
        shape = (sampler.states, sampler.paths.shape[1])
        self.drawn = tf.Variable(tf.zeros(shape, sampler.paths.dtype), trainable=False)

    @property
    def step(self) -> int:
        """Iterations done."""
        return int(self.iterations.numpy())

    @property
    def done(self) -> bool:
        """Whether fresh states are at round-off, or several batches in a row gave no step."""
        return self.step >= self.cycles or self.stuck.numpy() >= STUCK or bool(self.precise.numpy())

    @property
    def states_visited(self) -> int:
        return int(self.draws.numpy()) * self.sampler.states

    @property
    def rates(self) -> dict[str, float]:
        """There is none: the line search chooses."""
        return {}

    @property
    def batch(self) -> tf.Tensor:
        """The states of the current batch."""
        return self.drawn.value()

    def warm_up(self) -> None:
        """Leave the dispersed start behind."""
        self.sampler.warm_up(self.economy.policy)

    def chunk(self, cycles: int) -> bool:
        """Iterate; returns whether the loss was finite."""
        while cycles > 0 and not self.done:
            if self.age.numpy() >= REFRESH * REPORT:
                self._refresh()
                if not tf.math.is_finite(self.solver.loss):
                    return False
                continue
            wanted = min(cycles, REFRESH * REPORT - int(self.age.numpy()))
            taken = int(self.solver.iterate(self.drawn.value(), tf.constant(wanted)).numpy())
            self.iterations.assign_add(taken)
            self.age.assign_add(taken)
            cycles -= taken
            if taken:
                self.stuck.assign(0)
            if taken < wanted:  # no step left here: other states
                self.stuck.assign_add(1)
                self.age.assign(REFRESH * REPORT)
        return True

    def mean_loss(self, reset: bool = False) -> float:
        """The newest loss."""
        return float(self.solver.loss.numpy())

    def on_plateau(self, reports: int) -> bool:
        """Nothing to lower here."""
        return False

    def _refresh(self) -> None:
        if self.draws.numpy():
            self.sampler.advance(self.economy.policy, BETWEEN)
        self.drawn.assign(self.sampler(self.economy.policy))
        self.draws.assign_add(1)
        self.age.assign(0)
        self.solver.evaluate(self.drawn.value())
        self.precise.assign(is_precise(self.mean_loss(), self.drawn.dtype))
