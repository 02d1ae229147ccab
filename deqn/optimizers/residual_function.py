"""Residuals as a function of data and weights, with their derivatives in the weights and their rounding errors.

TensorFlow compiles residuals, Jacobian and products with it. They are evaluated in parts of the data that fit into
memory and read as float64 arrays, whose rows go point by point, equation by equation.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from deqn.optimizers.weights import count_weights, flatten_weights, unflatten_weights

ROUND_OFF = 5  # errors at most so many times the rounding error are rounding errors


class ResidualFunction:
    """Residuals [batch * equations] of data [batch, ...] under weights; those of a point depend on no other point."""

    def __init__(
        self, function: Callable[[tf.Tensor], tf.Tensor], variables: Sequence[tf.Variable], memory: float,
        bytes_per_point: float = 8.0, jacobian: Callable[[tf.Tensor], tf.Tensor] | None = None,
        jit_compile: bool = True,
    ):  # fmt: skip
        """`function`: data -> [batch, equations]. `jacobian`: data -> [batch, equations, weights], by automatic
        differentiation where it is not given. `memory` (bytes) bounds every matrix; an evaluation at one point takes
        `bytes_per_point`. `jit_compile=False`: plain graphs, for problems that XLA would take longer to compile."""
        self.variables, self.memory, self.bytes_per_point = variables, memory, bytes_per_point
        self.parameters = count_weights(variables)
        self._function = function
        compiled = partial(tf.function, jit_compile=jit_compile, autograph=False)
        self._values = compiled(function)
        self._jacobian = compiled(jacobian or self._differentiate)
        self._product, self._transposed_product = compiled(self._push_forward), compiled(self._pull_back)

    def values(self, data: tf.Tensor) -> np.ndarray:
        """Residuals, [batch * equations]."""
        parts = [self._values(data[part]).numpy() for part in self._parts(data, self.bytes_per_point)]
        return np.concatenate(parts).astype(np.float64, copy=False).ravel()

    def jacobian(self, data: tf.Tensor) -> np.ndarray:
        """Their derivatives in the weights, J [batch * equations, weights], of all data at once."""
        part = self._jacobian(data).numpy().astype(np.float64, copy=False)
        return part.reshape(-1, part.shape[-1])

    def product(self, data: tf.Tensor, v: np.ndarray) -> np.ndarray:
        """J v, without the matrix J."""
        tangents = unflatten_weights(v, self.variables)
        parts = [np.ravel(self._product(data[part], tangents)) for part in self._parts(data, self.bytes_per_point)]
        return np.concatenate(parts).astype(np.float64)

    def transposed_product(self, data: tf.Tensor, u: np.ndarray) -> np.ndarray:
        """J'u, without the matrix J."""
        shaped = tf.constant(u.reshape(len(data), -1), self.variables[0].dtype)  # [batch, equations]
        total = np.zeros(self.parameters)
        for part in self._parts(data, self.bytes_per_point):
            total += flatten_weights(self._transposed_product(data[part], shaped[part])).numpy()
        return total

    def slices(self, data: tf.Tensor, values: np.ndarray) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
        """Data and residuals in equal parts, so small that the Jacobian and what it is made from fit."""
        equations = len(values) // len(data)
        for part in self._parts(data, equations * max(8 * self.parameters, self.bytes_per_point)):
            yield data[part], values.reshape(-1, equations)[part].ravel()

    def _parts(self, data: tf.Tensor, size: float) -> Iterator[slice]:
        """Equal parts of a batch, a quarter of the memory each at most where a point takes `size` bytes."""
        count = min(len(data), math.ceil(size * len(data) / (self.memory / 4)))
        points_each = math.ceil(len(data) / count)
        for first in range(0, len(data), points_each):
            yield slice(first, first + points_each)

    def _differentiate(self, data: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            rows = self._function(data)  # [batch, equations]
        parts = tape.jacobian(rows, self.variables, unconnected_gradients="zero")
        return tf.concat([tf.reshape(part, (*rows.shape, -1)) for part in parts], 2)

    def _push_forward(self, data: tf.Tensor, tangents: list[tf.Tensor]) -> tf.Tensor:
        with tf.autodiff.ForwardAccumulator(self.variables, tangents) as forward:
            rows = self._function(data)
        return forward.jvp(rows, unconnected_gradients="zero")

    def _pull_back(self, data: tf.Tensor, u: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            rows = self._function(data)
        return tape.gradient(rows, self.variables, output_gradients=u, unconnected_gradients="zero")


def nudge(data: tf.Tensor) -> tf.Tensor:
    """The data, moved by a few rounding errors."""
    return data * (1 + 2 * np.finfo(data.dtype.as_numpy_dtype).eps)


def is_precise(loss: float, dtype: tf.DType, noise: float = 0.0) -> bool:
    """Whether the root mean square residual is at round-off; `noise` is the loss that rounding errors alone make."""
    return loss <= max((ROUND_OFF * np.finfo(dtype.as_numpy_dtype).eps) ** 2, 2 * noise)
