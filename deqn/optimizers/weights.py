"""The weights of a model, a list of variables, as one vector: their order is that of the list."""

import math
from collections.abc import Sequence

import tensorflow as tf


def count_weights(variables: Sequence[tf.Variable]) -> int:
    """How many numbers the variables hold together."""
    return sum(math.prod(v.shape) for v in variables)


def flatten_weights(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Weights, or tensors of their shapes such as a gradient, as one vector [weights]."""
    return tf.concat([tf.reshape(x, [-1]) for x in tensors], 0)


def unflatten_weights(flat: tf.Tensor, variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
    """A vector [weights] as tensors of the variables' shapes and type."""
    parts = tf.split(tf.cast(flat, variables[0].dtype), [math.prod(v.shape) for v in variables])
    return [tf.reshape(part, v.shape) for part, v in zip(parts, variables, strict=True)]


def assign_flat(variables: Sequence[tf.Variable], flat: tf.Tensor) -> None:
    """Put a vector [weights] into the variables."""
    for variable, part in zip(variables, unflatten_weights(flat, variables), strict=True):
        variable.assign(part)
