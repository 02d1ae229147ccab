"""Taylor expansions around a rest point: anchors before the bounds of the policies, and first-order rules in levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from deqn.model.declaration import Multiplier, Policy
from deqn.model.layout import limits


class Rows(Protocol):
    """Numbers that follow packed states [n, n_states]: [n, k], or [1, k] where they are the same everywhere."""

    floats: int  # numbers that one state needs

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """The rows at states."""


@dataclass(frozen=True)
class ConstantRow:
    """The same row [k] at all states."""

    values: np.ndarray
    floats = 0

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """[1, k]."""
        return tf.constant(self.values[None], states.dtype)


@dataclass(frozen=True)
class Expansion:
    """y = value + slope (x - rest) + (x - rest)' curvature (x - rest) / 2, of `outputs` numbers in coordinates x.

    `rows` gives rest [n_states], value [outputs] and slope [n_states, outputs] in a row for each state, or in one for
    all. The coordinates are logarithms in the columns `logs`. `curvature`: [n_states, outputs * n_states], halved.
    """

    rows: Rows
    outputs: int
    logs: np.ndarray
    curvature: tf.Tensor | None = None
    reach: float | None = None  # outputs move by at most that from their value at rest

    @property
    def floats(self) -> int:
        return self.rows.floats + (0 if self.curvature is None else self.curvature.shape[1])

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """[n, n_states] -> [n, outputs]."""
        n, m = states.shape[1], self.outputs
        rest, value, slope = tf.split(self.rows(states), [n, m, n * m], axis=1)
        slope = tf.reshape(slope, (-1, n, m))
        away = to_coordinates(states, self.logs) - rest
        shared = slope.shape[0] == 1  # one slope for all states, or one for each
        change = tf.matmul(away, slope[0]) if shared else tf.linalg.matvec(slope, away, transpose_a=True)
        moved = value + (change if self.reach is None else self.reach * tf.tanh(change / self.reach))
        if self.curvature is None:
            return moved
        return moved + tf.linalg.matvec(tf.reshape(tf.matmul(away, self.curvature), (-1, m, n)), away)  # x'Q x / 2


def pack_expansion(rest: np.ndarray, value: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """One row for `Expansion`: rest [n_states], value [outputs], and slope [outputs, up to n_states], zero beyond."""
    slope = np.pad(slope, ((0, 0), (0, len(rest) - slope.shape[1])))
    return np.concatenate([rest, value, slope.T.ravel()])


def to_coordinates(states: tf.Tensor, logs: np.ndarray) -> tf.Tensor:
    """Packed states [n, n_states] with logarithms in the columns `logs`."""
    return tf.where(logs, tf.math.log(tf.where(logs, states, 1)), states)


class LinearRule:
    """The first-order policies in levels, as Dynare's `order=1` has them, cut off at the policies' bounds."""

    def __init__(self, expansion: Expansion, policies: Sequence[Policy | Multiplier], dtype: tf.DType):
        self.dtype, self._expansion = dtype, expansion
        self._lower, self._upper = (tf.constant(x, dtype) for x in limits(policies))
        self.floats = expansion.floats + expansion.outputs

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, n_states] -> [n, n_policies]."""
        return tf.clip_by_value(self._expansion(states), self._lower, self._upper)
