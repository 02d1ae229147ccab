"""The policy function: states scaled by the box, a Keras network, and a map into each policy's bounds.

With x the scaled states and s* the steady state, policy = bound(u* + slope (s - s*) + net(x)): `bound` is a sigmoid
between two bounds, an exponential above or below one (a softplus where the steady state lies on it), and the identity
where there is none, in units of the steady state.
The last layer starts at zero, so that the untrained network is the anchor: the first-order solution in the pre-image
of the bounds, or, without a slope, the steady state everywhere.
"""

import inspect
import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import keras
import numpy as np
import tensorflow as tf

from deqn.errors import InputError
from deqn.model import Model, Policy, box, coordinates, in_logs, limits
from deqn.settings import Network
from deqn.steady_state import SteadyState

TERMS = 10_000  # of a polynomial, at most


def approximator(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """The chosen Keras network [batch, inputs] -> [batch, outputs], its last layer zero."""
    if settings.name == "chebyshev":
        return chebyshev(inputs, outputs, settings.degree, dtype)
    return multilayer_perceptron(inputs, outputs, settings, dtype, seed)


def multilayer_perceptron(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """A Keras MLP, seeded on its own. Biases are spread, so that hidden units bend at different places of the box."""

    def fresh(offset: int) -> keras.initializers.Initializer:
        kind = type(keras.initializers.get(settings.initializer))
        return kind(seed=seed + offset) if "seed" in inspect.signature(kind).parameters else kind()

    penalty = keras.regularizers.L1L2(settings.l1, settings.l2) if settings.l1 or settings.l2 else None
    layers = [keras.Input((inputs,), dtype=dtype)]
    for i, units in enumerate(settings.hidden):
        spread = keras.initializers.RandomUniform(-1, 1, seed=seed + len(settings.hidden) + i)
        layers.append(
            keras.layers.Dense(
                units, kernel_initializer=fresh(i), bias_initializer=spread, kernel_regularizer=penalty, dtype=dtype
            )
        )
        layers.append(keras.layers.Activation(settings.activation, dtype=dtype))
        if settings.dropout:
            layers.append(keras.layers.Dropout(settings.dropout, seed=seed + i, dtype=dtype))
    layers.append(keras.layers.Dense(outputs, kernel_initializer="zeros", kernel_regularizer=penalty, dtype=dtype))
    return keras.Sequential(layers)


def chebyshev(inputs: int, outputs: int, degree: int, dtype: str) -> keras.Model:
    """Complete Chebyshev polynomials of total degree up to `degree` in all inputs (Judd 1992), as a Keras network.

    Raises InputError where there are too many of them.
    """
    terms = math.comb(inputs + degree, degree)
    if terms > TERMS:
        raise InputError(f"network.degree={degree}: complete polynomials in {inputs} states have {terms:,} terms, "
                         f"more than {TERMS:,}; lower the degree, or take network=mlp")  # fmt: skip
    last = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros", dtype=dtype)
    return keras.Sequential([keras.Input((inputs,), dtype=dtype), ChebyshevBasis(degree, dtype=dtype), last])


class ChebyshevBasis(keras.layers.Layer):
    """Products T_i(x_1) T_j(x_2) ... of total degree at most `degree`: [batch, n] -> [batch, (n + degree choose n)]."""

    def __init__(self, degree: int, dtype: str):
        super().__init__(dtype=dtype)
        self.degree = degree

    def build(self, shape):
        """List each product by its factors, `degree` of them: T_p of variable v stands at v (degree + 1) + p."""
        variables = shape[-1]
        products = combinations_with_replacement(range(variables + 1), self.degree)  # the last stands for "none"
        powers = [np.bincount(chosen, minlength=variables + 1)[:-1] for chosen in products]
        count = min(self.degree, variables)  # at most so many factors differ from one
        factors = np.zeros((len(powers), count), int)
        for row, power in zip(factors, powers, strict=True):
            used = np.flatnonzero(power)
            row[: len(used)] = used * (self.degree + 1) + power[used]
        self._factors = factors.T  # [factors, products]

    def call(self, x):
        values = [tf.ones_like(x), x]
        for _ in range(2, self.degree + 1):
            values.append(2 * x * values[-1] - values[-2])
        table = tf.reshape(tf.stack(values, 2), (-1, x.shape[1] * (self.degree + 1)))  # T_p(x_v)
        products = tf.gather(table, self._factors[0], axis=1)
        for factor in self._factors[1:]:
            products *= tf.gather(table, factor, axis=1)
        return products


class PolicyNetwork(tf.Module):
    """The policies [n, n_policies] at packed states [n, n_states], inside their bounds by construction."""

    def __init__(
        self,
        model: Model,
        steady: SteadyState,
        network: keras.Model,
        dtype: str,
        slope: np.ndarray | None = None,
        margin: float = 0.0,
        domain: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        """`slope` [n_policies, n_states] is the anchor's. `domain`, by default the box, made wider by the share
        `margin`, is scaled to [-1, 1] for the network."""
        super().__init__()
        self.network = network
        self.dtype = tf.as_dtype(dtype)
        self._in_logs = in_logs(model.states)
        levels = (*(box(model.states) if domain is None else domain), steady.states)
        low, high, rest = (coordinates(x, self._in_logs) for x in levels)
        self._center = tf.constant((low + high) / 2, self.dtype)
        self._half_width = tf.constant((1 + margin) * (high - low) / 2, self.dtype)
        self._bounds = Bounds(model.policies, steady.policies, self.dtype)
        self._steady = tf.constant(rest, self.dtype)
        self._slope = None  # of the pre-image in the coordinates, [n_states, n_policies]
        if slope is not None:
            slope = slope * np.where(self._in_logs, steady.states, 1) / self._bounds.slope()[:, None]
            self._slope = tf.constant(slope.T, self.dtype)

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Policies at states; `training` switches dropout on."""
        x = self._coordinates(states)
        return self._policies(x, self.network(self._scaled(x), training=training))

    def recorded(self, states: tf.Tensor, record: list) -> tf.Tensor:
        """Policies at states; each layer with weights is appended to `record`, with its inputs and outputs."""
        x = self._coordinates(states)
        a = self._scaled(x)
        for layer in self.network.layers:
            z = layer(a)
            if layer.trainable_variables:
                record.append((layer, a, z))
            a = z
        return self._policies(x, a)

    def _coordinates(self, states: tf.Tensor) -> tf.Tensor:
        """The states, in logarithms where they are declared so."""
        return tf.where(self._in_logs, tf.math.log(tf.where(self._in_logs, states, 1)), states)

    def _scaled(self, x: tf.Tensor) -> tf.Tensor:
        return (x - self._center) / self._half_width

    def _policies(self, x: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
        if self._slope is not None:
            u += tf.matmul(x - self._steady, self._slope)
        return self._bounds(u)


class Bounds:
    """Maps network outputs u, zero at the steady state, into the bounds of each policy column."""

    def __init__(self, policies: Sequence[Policy], steady: np.ndarray, dtype: tf.DType):
        lower, upper = limits(policies)
        below, above = np.isfinite(lower), np.isfinite(upper)
        both, free = below & above, ~below & ~above
        anchor = np.where(below, lower, np.where(above, upper, 0.0))  # where exponential, softplus or sigmoid is zero
        gap = np.abs(steady - anchor)
        inside = ~both & ~free & (gap > 0)
        touching = ~both & ~free & (gap == 0)  # the steady state is the bound: start a little inside
        span = np.where(both, np.where(both, upper - lower, 1.0), np.where(gap > 0, gap, 1.0))
        share = np.clip(gap / span, 1e-3, 1 - 1e-3)  # of a two-sided policy
        start = np.where(both, np.log(share / (1 - share)), np.where(touching, np.log(np.expm1(1e-3)), 0.0))

        def constant(x):
            return tf.constant(x, dtype)

        self._both, self._inside, self._touching = tf.constant(both), tf.constant(inside), tf.constant(touching)
        self._start = constant(start)
        self._anchor = constant(np.where(free, steady, anchor))
        self._span = constant(np.where(above & ~below, -span, span))

    def __call__(self, u: tf.Tensor) -> tf.Tensor:
        """[n, n_policies] -> [n, n_policies]."""
        u = self._start + u
        inside = tf.where(self._both, tf.sigmoid(u), tf.where(self._touching, tf.nn.softplus(u), u))
        inside = tf.where(self._inside, tf.exp(tf.where(self._inside, u, 0)), inside)
        return self._anchor + self._span * inside

    def slope(self) -> np.ndarray:
        """The derivative of each policy in its network output at the steady state, [n_policies]."""
        u = tf.zeros_like(self._start)[None]
        with tf.GradientTape() as tape:
            tape.watch(u)
            policies = self(u)
        return tape.gradient(policies, u)[0].numpy()
