"""Complete Chebyshev polynomials as a Keras network: linear in its weights (Judd 1992)."""

import math
from itertools import combinations_with_replacement

import keras
import numpy as np
import tensorflow as tf

from deqn.system.errors import InputError

TERMS = 10_000  # of a polynomial, at most


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
