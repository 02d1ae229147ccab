"""Levenberg-Marquardt: the residuals of all equations at all states as one nonlinear least squares problem.

A step solves (J'J + damping) d = -J'r, with J [residuals, weights] from one backward pass per equation that is batched
over states. Three forms, by size and memory: normal equations where residuals exceed weights; the kernel form
d = -J'(JJ' + damping)^-1 r where weights exceed residuals; conjugate gradients on Jacobian products, preconditioned
by the Jacobian of a subset of states, where no matrix fits. TensorFlow compiles residuals and Jacobians; LAPACK
factorizes.

Sources: Levenberg (1944), Marquardt (1963), Nocedal and Wright (2006, chapter 10).
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import tensorflow as tf
import threadpoolctl

from deqn.economy.economy import Economy
from deqn.equations.residuals import residuals, row_weights, stacked
from deqn.settings.schema import Optimizer
from deqn.training.batch_stage import BatchStage
from deqn.training.sampler import Sampler
from deqn.training.validation import ROUND_OFF, nudged

ACCEPT, GOOD, POOR = 1e-3, 0.5, 0.25  # actual over predicted reduction: taken; damping falls; damping rises
FALL, RISE, TRIES = 1 / 3, 4.0, 10  # factors of the damping; at most so many tries with one Jacobian
HELD_OUT = 2.0  # a step is refused where it multiplies the held-out loss by more
PRODUCTS = 60  # conjugate gradient iterations of a step
PROGRESS, IDLE = 0.98, 5  # a batch whose loss stays above this share of its first is idle; so many end the stage
RESIDUALS, STATES, BATCH = 4, 100, (640, 8192)  # residuals for each weight, states for each dimension; and limits
SMALL = 600  # weights below which LAPACK takes one thread: two would fight with TensorFlow's for the cores


class LeastSquares(tf.Module):
    """The weights of a policy function fitted to given states, one damped step at a time.

    The damping is relative to the largest curvature, so that it has no unit and no floor. `memory` (bytes) bounds the
    Jacobian and the matrix that is factorized.
    """

    def __init__(self, economy: Economy, damping: float, memory: float, weights: dict[str, float] | None = None):
        super().__init__()
        self.economy, self.memory = economy, memory
        self._loss_weights = weights or {}
        self._variables = [w.value for w in economy.policy.network.trainable_variables]
        self._sizes = [math.prod(v.shape) for v in self._variables]
        self._activations = 8 * (economy.expectation.nodes + 1) * economy.policy.floats  # bytes of a state, both dates
        self._threads = threadpoolctl.ThreadpoolController()
        self.damping = tf.Variable(damping, dtype=tf.float64, trainable=False)

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(self._sizes)

    def form(self, rows: int) -> str:
        """How a step with so many residuals is solved: primal, dual or matrix_free."""
        n = self.parameters
        primal, dual = 8 * 2 * n**2 <= self.memory, 8 * (rows * n + 2 * rows**2) <= self.memory
        if primal and (n <= rows or not dual):
            return "primal"
        return "dual" if dual else "matrix_free"

    def iterate(self, states: tf.Tensor, held_out: tf.Tensor) -> tuple[float, float] | None:
        """One step on `states` [batch, n_states]; returns the loss before and after, None where one is not finite.

        None also stands for a Jacobian that is not finite. Both losses are equal where no damping gave a lower one: the
        weights are then as they were.
        """
        with self._threads.limit(limits=1 if self.parameters < SMALL else None, user_api="blas"):
            try:
                return self._iterate(states, held_out)
            except FloatingPointError:
                return None

    def _iterate(self, states: tf.Tensor, held_out: tf.Tensor) -> tuple[float, float] | None:
        everything = tf.concat([states, held_out], 0)

        def losses() -> tuple[np.ndarray, float, float]:
            values = self.values(everything).reshape(len(everything), -1)
            fitted, rest = values[: len(states)], values[len(states) :]
            return fitted.ravel(), np.sum(fitted**2) / len(states), np.sum(rest**2) / max(len(rest), 1)

        values, before, outside = losses()
        if not math.isfinite(before + outside):
            return None
        damped = self._system(states, values) if before > 0 else None
        if damped is None:
            return before, before
        start = self._read()
        for _ in range(TRIES):
            step, predicted = damped(self.damping.numpy())
            if step is not None and predicted > 0:
                self._assign(start + step)
                _, after, beside = losses()
                gain = (before - after) * len(states) / predicted
                if gain > ACCEPT and beside <= HELD_OUT * outside:
                    self.damping.assign(self.damping * (FALL if gain > GOOD else 1 / FALL if gain < POOR else 1))
                    return before, after
            self.damping.assign(self.damping * RISE)
        self._assign(start)
        self.damping.assign(self.damping / RISE**TRIES)
        return before, before

    def values(self, states: tf.Tensor) -> np.ndarray:
        """Weighted residuals, [equations * batch], state by state."""
        parts = [self._residuals(states[part]).numpy() for part in self._parts(states, self._activations)]
        return np.concatenate(parts).astype(np.float64, copy=False).ravel()

    def loss(self, states: tf.Tensor) -> float:
        """The loss at states."""
        return float(np.sum(self.values(states) ** 2)) / len(states)

    def noise(self, states: tf.Tensor) -> float:
        """The loss that rounding errors make: of the change when the states move by a few of them."""
        return float(np.sum((self.values(nudged(states)) - self.values(states)) ** 2)) / len(states)

    def jacobian(self, states: tf.Tensor) -> np.ndarray:
        """Their derivatives in the weights, [equations * batch, parameters]."""
        part = self._jacobian(states).numpy().astype(np.float64, copy=False)
        return part.reshape(-1, part.shape[-1])

    def _system(self, states: tf.Tensor, values: np.ndarray) -> Callable | None:
        """A function of the relative damping that gives the step and the reduction that the linear model predicts.

        None where the Jacobian is zero. Raises FloatingPointError where it is not finite.
        """
        match self.form(len(values)):
            case "primal":
                matrix, gradient = np.zeros((self.parameters,) * 2), np.zeros(self.parameters)
                for part, r in self._slices(states, values):
                    J = self.jacobian(part)
                    matrix += J.T @ J
                    gradient += J.T @ r
                scale, solve = matrix.diagonal().max(), lambda shift: -factorized(matrix, shift)(gradient)
            case "dual":
                J, row = np.empty((len(values), self.parameters)), 0
                for part, r in self._slices(states, values):
                    J[row : row + len(r)] = self.jacobian(part)
                    row += len(r)
                matrix, gradient = J @ J.T, J.T @ values
                scale = np.einsum("ij,ij->j", J, J).max()
                solve = lambda shift: -J.T @ factorized(matrix, shift)(values)
            case _:
                return self._matrix_free(states, values)
        check_finite(scale, gradient)
        if scale == 0:
            return None

        def damped(damping: float) -> tuple[np.ndarray | None, float]:
            try:
                step = solve(damping * scale)
            except np.linalg.LinAlgError:  # singular to working precision: more damping
                return None, 0.0
            return step, -gradient @ step + damping * scale * step @ step

        return damped

    def _matrix_free(self, states: tf.Tensor, values: np.ndarray) -> Callable | None:
        """The same by preconditioned conjugate gradients."""
        n = self.parameters
        gradient = self._backward(states, values)
        fitting = int(self.memory / (8 * (n + 2 * math.sqrt(self.memory / 8)))) * len(states) // len(values)
        chosen = max(1, min(len(states), fitting))
        subset = tf.gather(states, np.linspace(0, len(states) - 1, chosen).astype(int))
        J = self.jacobian(subset) * math.sqrt(len(states) / chosen)
        kernel, scale = J @ J.T, np.einsum("ij,ij->j", J, J).max()
        check_finite(scale, gradient)
        if scale == 0:
            return None

        def damped(damping: float) -> tuple[np.ndarray | None, float]:
            shift = damping * scale
            product = lambda v: self._backward(states, self._forward(states, v)) + shift * v
            try:
                inner = factorized(kernel, shift)
            except np.linalg.LinAlgError:
                return None, 0.0
            approximate = lambda v: (v - J.T @ inner(J @ v)) / shift
            operators = [scipy.sparse.linalg.LinearOperator((n, n), f, dtype=float) for f in (product, approximate)]
            step, _ = scipy.sparse.linalg.cg(operators[0], -gradient, rtol=1e-6, maxiter=PRODUCTS, M=operators[1])
            return step, -2 * gradient @ step - step @ product(step) + shift * step @ step

        return damped

    def _slices(self, states: tf.Tensor, values: np.ndarray) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
        """States and residuals in equal parts, so small that the Jacobian and what it is made from fit."""
        equations = len(values) // len(states)
        for part in self._parts(states, equations * max(8 * self.parameters, self._activations)):
            yield states[part], values.reshape(-1, equations)[part].ravel()

    def _parts(self, states: tf.Tensor, size: float) -> Iterator[slice]:
        """Equal parts of a batch, a quarter of the memory each at most where a state takes `size` bytes."""
        count = min(len(states), math.ceil(size * len(states) / (self.memory / 4)))
        states_each = math.ceil(len(states) / count)
        for first in range(0, len(states), states_each):
            yield slice(first, first + states_each)

    def _equations(self, states: tf.Tensor, policy: Callable) -> tf.Tensor:
        """Weighted residuals [equations, batch], whose squares sum to the loss times the batch."""
        errors = residuals(self.economy.model, policy, self.economy.expectation, states)
        return stacked(errors, states.shape[0]) * row_weights(errors, self._loss_weights)

    @tf.function(jit_compile=True, autograph=False)
    def _residuals(self, states: tf.Tensor) -> tf.Tensor:
        return tf.transpose(self._equations(states, self.economy.policy))

    @tf.function(jit_compile=True, autograph=False)
    def _jacobian(self, states: tf.Tensor) -> tf.Tensor:
        """[batch, equations, parameters]: the chain rule through each weighted layer, whose inputs are recorded."""
        record, batch = [], states.shape[0]
        with tf.GradientTape(persistent=True) as tape:
            rows = tf.reduce_sum(self._equations(states, lambda s: self.economy.policy.recorded(s, record)), 1)
        outputs = [z for _, _, z in record]
        if rows.shape[0] == 1:
            slopes = [g[None] for g in tape.gradient(rows, outputs, unconnected_gradients="zero")]
        else:
            slopes = tape.jacobian(
                rows, outputs, unconnected_gradients="zero"
            )  # [equations, nodes * batch, units]: a state's own, as none mix
        kernels, biases = {}, {}
        for (layer, a, _), g in zip(record, slopes, strict=True):
            a = tf.reshape(a, (-1, batch, a.shape[-1]))  # [nodes, batch, inputs]
            g = tf.reshape(g, (rows.shape[0], -1, batch, g.shape[-1]))  # [equations, nodes, batch, units]
            kernels[layer] = kernels.get(layer, 0.0) + tf.einsum("qbi,eqbj->beij", a, g)
            biases[layer] = biases.get(layer, 0.0) + tf.einsum("eqbj->bej", g)
        parts = []
        for layer in kernels:
            parts.append(tf.reshape(kernels[layer], (batch, rows.shape[0], -1)))
            if layer.use_bias:
                parts.append(biases[layer])
        return tf.concat(parts, 2)

    @tf.function(jit_compile=True, autograph=False)
    def _transposed_product(self, states: tf.Tensor, u: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            rows = tf.transpose(self._equations(states, self.economy.policy))
        return tape.gradient(rows, self._variables, output_gradients=u, unconnected_gradients="zero")

    @tf.function(jit_compile=True, autograph=False)
    def _product(self, states: tf.Tensor, tangents: list[tf.Tensor]) -> tf.Tensor:
        with tf.autodiff.ForwardAccumulator(self._variables, tangents) as forward:
            rows = tf.transpose(self._equations(states, self.economy.policy))
        return forward.jvp(rows, unconnected_gradients="zero")

    def _backward(self, states: tf.Tensor, u: np.ndarray) -> np.ndarray:
        """J'u."""
        shaped, total = tf.constant(u.reshape(len(states), -1), states.dtype), np.zeros(self.parameters)
        for part in self._parts(states, self._activations):
            total += np.concatenate([np.ravel(g) for g in self._transposed_product(states[part], shaped[part])])
        return total

    def _forward(self, states: tf.Tensor, v: np.ndarray) -> np.ndarray:
        """J v."""
        tangents = [tf.constant(x, states.dtype) for x in self._shaped(v)]
        parts = [np.ravel(self._product(states[part], tangents)) for part in self._parts(states, self._activations)]
        return np.concatenate(parts).astype(np.float64)

    def _shaped(self, flat: np.ndarray) -> list[np.ndarray]:
        parts = np.split(flat, np.cumsum(self._sizes)[:-1])
        return [part.reshape(v.shape) for part, v in zip(parts, self._variables, strict=True)]

    def _read(self) -> np.ndarray:
        return np.concatenate([np.ravel(v.numpy()) for v in self._variables]).astype(np.float64)

    def _assign(self, flat: np.ndarray) -> None:
        for variable, part in zip(self._variables, self._shaped(flat), strict=True):
            variable.assign(tf.cast(part, variable.dtype))


def check_finite(scale: float, gradient: np.ndarray) -> None:
    """Raises FloatingPointError unless all is finite."""
    if not (math.isfinite(scale) and np.isfinite(gradient).all()):
        raise FloatingPointError


def factorized(matrix: np.ndarray, shift: float) -> Callable[[np.ndarray], np.ndarray]:
    """The solver of (matrix + shift) x = b by Cholesky. Raises LinAlgError where it is singular."""
    shifted = matrix.T.copy(order="F")  # symmetric, in the order that LAPACK works on in place
    shifted[np.diag_indices_from(shifted)] += shift
    factor = scipy.linalg.cho_factor(shifted, overwrite_a=True, check_finite=False)
    return lambda b: scipy.linalg.cho_solve(factor, b, check_finite=False)


def is_precise(loss: float, dtype: tf.DType, noise: float = 0.0) -> bool:
    """Whether the root mean square residual is at round-off; `noise` is the loss that rounding errors alone make."""
    return loss <= max((ROUND_OFF * np.finfo(dtype.as_numpy_dtype).eps) ** 2, 2 * noise)


def batch_size(economy: Economy) -> int:
    """States of a batch, held-out ones included: RESIDUALS for each weight, STATES for each dimension, within BATCH."""
    weights, wanted = economy.policy.network.count_params(), STATES * len(economy.center.states)
    return int(np.clip(max(math.ceil(5 / 4 * RESIDUALS * weights / equation_count(economy)), wanted), *BATCH))


def equation_count(economy: Economy) -> int:
    """The number of equations, rows of vector equations counted one by one."""
    return stacked(economy.residuals(tf.constant(economy.center.states[None], economy.policy.dtype)), 1).shape[0]


class LeastSquaresStage(BatchStage):
    """Levenberg-Marquardt on a large batch, a fifth of which is held out."""

    def __init__(self, economy: Economy, sampler: Sampler, settings: Optimizer, weights: dict[str, float]):
        each = settings.refresh
        super().__init__("levenberg_marquardt", economy, sampler, settings.iterations, report_every=each, life=each)
        self.solver = LeastSquares(economy, settings.damping, settings.memory * 2**30, weights)
        self.equations = equation_count(economy)
        self.idle = tf.Variable(0, trainable=False)  # batches in a row without progress worth the name
        self.first_loss = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # on the current batch
        self.last_loss = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.noise = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # of rounding errors, on the current batch
        self._training = self._held_out = None

    @property
    def done(self) -> bool:
        """Whether round-off is reached, or several batches in a row brought no progress."""
        precise = self.step > 0 and self._is_precise(self.last_loss.numpy())
        return self.step >= self.cycles or self.idle.numpy() >= IDLE or precise

    @property
    def work(self) -> float:
        """Multiplications of a step, roughly: a gradient of each equation, normal equations, factorization."""
        n, states = self.solver.parameters, self.sampler.states
        rows = self.equations * states
        dense = min(n, rows) ** 2 * (max(n, rows) + min(n, rows) / 3)
        return rows * self.economy.gradient_work + dense

    @property
    def rates(self) -> dict[str, float]:
        """What metrics.csv tells of the step size."""
        return {"damping": float(self.solver.damping.numpy())}

    def chunk(self, cycles: int) -> bool:
        """Iterate; returns whether every loss was finite, and stops before the first that is not."""
        for _ in range(cycles):
            if self.worn:
                self._refresh()
            elif self._training is None:  # resumed within a batch
                self._split()
            losses = self.solver.iterate(self._training, self._held_out)
            if losses is None:
                return False
            before, after = losses
            fits = self._is_precise(after)
            if fits:  # a batch that has been interpolated says nothing of other states
                after = max(after, self.solver.loss(self._held_out))
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
        """The newest loss."""
        return float(self.last_loss.numpy())

    def _refresh(self) -> None:
        """Judge the last batch, then draw another."""
        if self.step:
            gained = self.last_loss.numpy() < PROGRESS * self.first_loss.numpy()
            self.idle.assign(0 if gained else self.idle + 1)
        self.draw()
        self._split()
        self.noise.assign(self.solver.noise(self.batch))

    def _is_precise(self, loss: float) -> bool:
        return is_precise(loss, self.drawn.dtype, self.noise.numpy())

    def _split(self) -> None:
        """Every fifth state of the batch is held out."""
        outside = np.arange(self.sampler.states) % 5 == 4
        self._training, self._held_out = (tf.boolean_mask(self.drawn, kept) for kept in (~outside, outside))
