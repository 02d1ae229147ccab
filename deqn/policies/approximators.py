"""Approximators: what is trained, a Keras network that reads coordinates in which the domain is [-1, 1]."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement

import keras
import numpy as np
import tensorflow as tf

from deqn.model.declaration import Model
from deqn.model.layout import has_many_policies, multipliers, width
from deqn.settings.schema import Network
from deqn.system.errors import InputError

NARROW, WIDER, WIDEST = 16, 4, 32  # hidden units: up to two states, more for each further one, and at most
KINKS = 8  # more where constraints may bind
FEATURES = 500  # units of the only hidden layer with many policies, fixed while the last layer is fitted
TERMS = 10_000  # of a polynomial, at most


def make_network(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """The chosen Keras network [batch, inputs] -> [batch, outputs], its last layer zero; `hidden` is set.

    Raises InputError where there are too many complete Chebyshev polynomials in all inputs (Judd 1992).
    """
    if settings.name == "mlp":
        return multilayer_perceptron(inputs, outputs, settings, dtype, seed)
    terms = math.comb(inputs + settings.degree, settings.degree)
    if terms > TERMS:
        raise InputError(f"network.degree={settings.degree}: complete polynomials in {inputs} states have {terms:,} "
                         f"terms, more than {TERMS:,}; lower the degree, or take network=mlp")  # fmt: skip
    last = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros", dtype=dtype)
    return keras.Sequential([keras.Input((inputs,), dtype=dtype), ChebyshevBasis(settings.degree, dtype=dtype), last])


def choose_widths(model: Model, settings: Network, kinked: bool = False) -> list[int] | None:
    """Of the hidden layers: those that are set, else what so many states, and kinks, need; None of a polynomial.

    `kinked`: whether the equations have kinks that no multiplier declares.
    """
    if settings.name != "mlp" or settings.hidden:
        return settings.hidden
    if has_many_policies(model):
        return [FEATURES]
    states = sum(map(width, model.states))
    kinks = KINKS * (kinked or bool(multipliers(model)))
    return [min(NARROW + WIDER * max(0, states - 2) + kinks, WIDEST)] * 2


def multilayer_perceptron(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """A Keras MLP, seeded on its own. Biases are spread, so that hidden units bend at different places of the box."""

    def fresh(offset: int) -> keras.initializers.Initializer:
        kind = type(keras.initializers.get(settings.initializer))
        return kind(seed=seed + offset) if "seed" in inspect.signature(kind).parameters else kind()

    penalty = keras.regularizers.L1L2(settings.l1, settings.l2) if settings.l1 or settings.l2 else None
    dense = partial(keras.layers.Dense, kernel_regularizer=penalty, dtype=dtype)
    layers = [keras.Input((inputs,), dtype=dtype)]
    for i, units in enumerate(settings.hidden):
        spread = keras.initializers.RandomUniform(-1, 1, seed=seed + len(settings.hidden) + i)
        layers.append(dense(units, kernel_initializer=fresh(i), bias_initializer=spread))
        layers.append(keras.layers.Activation(settings.activation, dtype=dtype))
        if settings.dropout:
            layers.append(keras.layers.Dropout(settings.dropout, seed=seed + i, dtype=dtype))
    return keras.Sequential([*layers, dense(outputs, kernel_initializer="zeros")])


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
        values = tf.transpose(self.univariate(x), (1, 2, 0))
        table = tf.reshape(values, (x.shape[1] * (self.degree + 1), -1))  # T_p(x_v)
        products = tf.gather(table, self._factors[0])  # of rows, which lie together in memory
        for factor in self._factors[1:]:
            products *= tf.gather(table, factor)
        return tf.transpose(products)

    def univariate(self, x):
        """T_p(x_v), [batch, n, degree + 1]."""
        values = [tf.ones_like(x), x]
        for _ in range(2, self.degree + 1):
            values.append(2 * x * values[-1] - values[-2])
        return tf.stack(values, 2)


class Approximator(tf.Module):
    """A Keras network of packed states [n, n_states] -> [n, outputs]; `scale` maps the states to its inputs."""

    def __init__(self, network: keras.Model, scale: Callable[[tf.Tensor], tf.Tensor]):
        super().__init__()
        self.network, self._scale = network, scale

    @property
    def dtype(self) -> tf.DType:
        return tf.as_dtype(self.network.weights[0].dtype)

    @property
    def floats(self) -> int:
        return sum(sum(w.shape) for w in self.network.trainable_variables if len(w.shape) == 2)

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, n_states] -> [n, outputs]."""
        return self.network(self._scale(states), training=training)

    def record_layers(self, states: tf.Tensor, record: list) -> tf.Tensor:
        """The same; each layer with weights is appended to `record`, with its inputs and outputs."""
        a = self._scale(states)
        for layer in self.network.layers:
            z = layer(a)
            if layer.trainable_variables:
                record.append((layer, a, z))
            a = z
        return a
