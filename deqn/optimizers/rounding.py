"""Rounding errors: what makes them, and whether a loss consists of them."""

import numpy as np
import tensorflow as tf

ROUND_OFF = 5  # errors at most so many times the rounding error are rounding errors


def nudge(data: tf.Tensor) -> tf.Tensor:
    """The data, moved by a few rounding errors."""
    return data * (1 + 2 * np.finfo(data.dtype.as_numpy_dtype).eps)


def is_precise(loss: float, dtype: tf.DType, noise: float = 0.0) -> bool:
    """Whether the root mean square residual is at round-off; `noise` is the loss that rounding errors alone make."""
    return loss <= max((ROUND_OFF * np.finfo(dtype.as_numpy_dtype).eps) ** 2, 2 * noise)
