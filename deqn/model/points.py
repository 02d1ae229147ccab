"""Named variables and packed matrices: equations read names, networks read columns.

A packed matrix is [nodes * batch, width], rows ordered node by node; the named form is [nodes, batch] for a scalar and
[n, nodes, batch] for a vector.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.model.declaration import Discrete, Markov, Model, Normal, Point
from deqn.model.layout import Variable, width


def unpack(columns: tf.Tensor, variables: Sequence[Variable], nodes: int) -> dict[str, tf.Tensor]:
    """Name the columns of a packed matrix."""
    rows = tf.transpose(columns)  # [width, nodes * batch]
    named, first = {}, 0
    for v in variables:
        block = rows[first : first + width(v)]
        shape = (nodes, -1) if v.size is None else (v.size, nodes, -1)
        named[v.name] = tf.reshape(block, shape)
        first += width(v)
    return named


def pack(named: Mapping[str, Any], variables: Sequence[Variable], nodes: int, batch: int, dtype: tf.DType) -> tf.Tensor:
    """Stack named variables, broadcast to [nodes, batch], into a packed matrix."""
    rows = []
    for v in variables:
        shape = (nodes, batch) if v.size is None else (v.size, nodes, batch)
        value = tf.broadcast_to(tf.cast(named[v.name], dtype), shape)
        rows.append(tf.reshape(value, (width(v), nodes * batch)))
    return tf.transpose(tf.concat(rows, 0))


def point(model: Model, policy: Callable[[tf.Tensor], tf.Tensor], states: tf.Tensor, nodes: int = 1) -> Point:
    """All variables at packed states [nodes * batch, n_states], under a policy function of packed states."""
    return named_point(model, states, policy(states), nodes)


def named_point(model: Model, states: tf.Tensor, policies: tf.Tensor, nodes: int = 1) -> Point:
    """All variables at packed states and policies, [nodes * batch, ...] each."""
    now = Point({**unpack(states, model.states, nodes), **unpack(policies, model.policies, nodes)})
    return now.also(model.definitions(now))


def mean_shocks(model: Model, now: Point, dtype: tf.DType) -> Point:
    """Every shock at its mean given today: [1, batch], or [n, 1, batch] for vectors."""
    means = {}
    for shock in model.shocks:
        means.update(mean_shock(shock, now, dtype))
    return Point(means)


def mean_shock(shock: Normal | Discrete | Markov, now: Point, dtype: tf.DType) -> dict[str, tf.Tensor]:
    """The mean of each variable of one shock."""
    if isinstance(shock, Normal):
        return {shock.name: tf.zeros((1, 1) if shock.size is None else (shock.size, 1, 1), dtype)}
    weights = probabilities(shock, now, dtype)  # [outcomes, batch or 1]
    return {
        name: tf.reduce_sum(weights * tf.constant(np.asarray(values, float)[..., None], dtype), -2, keepdims=True)
        for name, values in shock.values.items()
    }


def probabilities(shock: Discrete | Markov, now: Point, dtype: tf.DType) -> tf.Tensor:
    """The probability of each outcome given today, [outcomes, batch], or [outcomes, 1] where it is the same for all."""
    if isinstance(shock, Markov):
        return tf.cast(shock.probabilities(now), dtype)
    return tf.constant(np.asarray(shock.probabilities, float)[:, None], dtype)
