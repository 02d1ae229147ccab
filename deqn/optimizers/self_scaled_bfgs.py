"""Self-scaled BFGS: a quasi-Newton polish of the same least squares problem, thousands of cheap steps in one program.

An inverse Hessian H [weights, weights] of the loss is learned from gradients. With s the step and y the change of the
gradient, H is first divided by min(1, s'y / s'Bs), B = H^-1: steps into directions of small curvature would otherwise
stay short, and it is these directions that decide the last digits. A step costs one or two gradients and the square of
the number of weights; where Levenberg-Marquardt slows down, it goes on. Iteration, line search and update are one
compiled loop.

Sources: Oren and Luenberger (1974), Al-Baali (1998), Nocedal and Wright (2006, chapters 3 and 6).
"""

import tensorflow as tf

from deqn.economy.economy import Economy
from deqn.equations.residuals import loss
from deqn.optimizers.levenberg_marquardt import is_precise
from deqn.settings.schema import Loss
from deqn.training.batch_stage import BatchStage
from deqn.training.sampler import Sampler

DECREASE = 1e-4  # of the line search: the share of the predicted decrease that a step must bring
SHRINK = (0.1, 0.5)  # a refused step is cut to between these shares of it
TRIES = 20
CURVATURE = 1e-12  # cosine of s and y below which a pair is not learned from
LIFE, REPORT = 1000, 100  # iterations on the same states, and between reports
STUCK = 2  # batches in a row without a step end the stage


class SelfScaledBFGS(tf.Module):
    """The weights of a policy function fitted to given states; the loss, its gradient and H live in variables."""

    def __init__(self, economy: Economy, settings: Loss):
        super().__init__()
        self.economy, self._settings = economy, settings
        self._variables = [w.value for w in economy.policy.network.trainable_variables]
        n, dtype = sum(v.shape.num_elements() for v in self._variables), economy.policy.dtype
        self.inverse = tf.Variable(tf.eye(n, dtype=dtype), trainable=False)  # H
        self.gradient = tf.Variable(tf.zeros(n, dtype), trainable=False)
        self.loss = tf.Variable(tf.zeros((), dtype), trainable=False)
        self.learned = tf.Variable(0, trainable=False)  # pairs (s, y) in H

    @tf.function(jit_compile=True, autograph=False)
    def evaluate(self, states: tf.Tensor) -> None:
        """Loss and gradient anew, on other states [batch, n_states]."""
        value, gradient = self._loss_and_gradient(states)
        self.loss.assign(value)
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
        taken, _, x, f, g, H, learned = tf.while_loop(lambda i, going, *_: going & (i < iterations), step, start)
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
            value = loss(self.economy.residuals(states), self._settings)
        parts = tape.gradient(value, self._variables, unconnected_gradients="zero")
        return value, tf.concat([tf.reshape(p, [-1]) for p in parts], 0)

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


class QuasiNewtonStage(BatchStage):
    """Self-scaled BFGS on a large batch."""

    def __init__(self, economy: Economy, sampler: Sampler, iterations: int, settings: Loss):
        super().__init__("bfgs", economy, sampler, iterations, report_every=REPORT, life=LIFE)
        self.solver = SelfScaledBFGS(economy, settings)
        self.stuck = tf.Variable(0, trainable=False)  # batches in a row that gave no step
        self.precise = tf.Variable(False, trainable=False)  # round-off on states not fitted before

    @property
    def done(self) -> bool:
        """Whether fresh states are at round-off, or several batches in a row gave no step."""
        return self.step >= self.cycles or self.stuck.numpy() >= STUCK or bool(self.precise.numpy())

    @property
    def work(self) -> float:
        """Multiplications of a step, roughly: one or two gradients of the loss, and the update of H."""
        n = self.economy.policy.network.count_params()
        return 1.5 * self.sampler.states * self.economy.gradient_work + 6.0 * n**2

    @property
    def rates(self) -> dict[str, float]:
        """There is none: the line search chooses."""
        return {}

    def chunk(self, cycles: int) -> bool:
        """Iterate; returns whether the loss was finite."""
        while cycles > 0 and not self.done:
            if self.worn:
                self._refresh()
                if not tf.math.is_finite(self.solver.loss):
                    return False
                continue
            wanted = min(cycles, self.life - int(self.age.numpy()))
            taken = int(self.solver.iterate(self.batch, tf.constant(wanted)).numpy())
            self.iterations.assign_add(taken)
            self.age.assign_add(taken)
            cycles -= taken
            if taken:
                self.stuck.assign(0)
            if taken < wanted:  # no step left
                self.stuck.assign_add(1)
                self.discard()
        return True

    def mean_loss(self, reset: bool = False) -> float:
        """The newest loss."""
        return float(self.solver.loss.numpy())

    def _refresh(self) -> None:
        """Other states, and whether they are solved already."""
        self.draw()
        self.solver.evaluate(self.batch)
        self.precise.assign(is_precise(self.mean_loss(), self.drawn.dtype))
