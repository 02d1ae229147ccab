"""Interpolation over the parameters of a family by complete Chebyshev polynomials, fitted by least squares."""

import logging
import math

import numpy as np
import tensorflow as tf

from deqn.economy.members import Parameters
from deqn.policies.approximators import ChebyshevBasis

DEGREE, MOST_TERMS = 8, 200  # at most
MISFIT = 0.01  # relative to the largest value, from which an interpolation is doubtful
SMALLEST = 1e-9  # size to which a misfit is relative, at least
log = logging.getLogger("deqn")


def choose_total_degree(count: int) -> int:
    """The degree of the polynomials in so many parameters."""
    return max((d for d in range(1, DEGREE + 1) if math.comb(count + d, d) <= MOST_TERMS), default=1)


def count_terms(count: int) -> int:
    """How many polynomials there are in so many parameters."""
    return math.comb(count + choose_total_degree(count), count)


class Interpolation:
    """Values known at samples of the parameters, as a function of packed states, whose last columns they are."""

    def __init__(self, parameters: Parameters, samples: np.ndarray, values: np.ndarray):
        """`samples` [samples, parameters], `values` [samples, k]. Logs a warning where they are not smooth."""
        self._low, self._high = np.array(parameters.lower), np.array(parameters.upper)
        degree = choose_total_degree(len(self._low))
        self._basis = ChebyshevBasis(degree, "float64")
        at_samples = self._basis(tf.constant(self._scaled(samples))).numpy()  # [samples, terms], more than terms
        self._fitted = np.linalg.lstsq(at_samples, values, rcond=None)[0]
        self.floats = at_samples.shape[1] * min(degree, len(self._low)) + values.shape[1]
        sizes = np.maximum(np.abs(values).max(0), SMALLEST)
        misfit = (np.abs(at_samples @ self._fitted - values) / sizes).max()
        if misfit > MISFIT:
            log.warning("what is interpolated over %s is off by up to %.1g of its size; take narrower intervals",
                        parameters, misfit)  # fmt: skip

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """[n, n_states] -> [n, k]."""
        parameters = tf.cast(states[:, -len(self._low) :], tf.float64)
        return tf.cast(tf.matmul(self._basis(self._scaled(parameters)), self._fitted), states.dtype)

    def _scaled(self, parameters):
        return (2 * parameters - (self._low + self._high)) / (self._high - self._low)
