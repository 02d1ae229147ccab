"""First and second derivatives of functions that work row by row on a batch.

A derivative in many directions is one evaluation on a batch with a direction in each row, so that no Python loop runs
over equations, states or countries. A directional derivative is the gradient of a gradient: J'w is linear in w, and its
derivative in w along d is J d. TensorFlow's own forward mode gives the same and takes seconds to trace.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

NUMBERS, TYPICAL = 2**25, 64  # in all directions at once; and for each coordinate of a row, where f does not say

Function = Callable[[tf.Tensor], tf.Tensor]  # [batch, n] -> [batch, outputs]


def jacobian(f: Function, at: np.ndarray, floats: int | None = None) -> np.ndarray:
    """The derivatives of f at one point [n], [outputs, n]; `floats`: the numbers that f needs for a row."""
    return jacobians(f, at[None], np.eye(len(at)), floats)[0]


def jacobians(f: Function, at: np.ndarray, directions: np.ndarray, floats: int | None = None) -> np.ndarray:
    """The derivatives of f at each point [points, n] along each direction [k, n]: [points, outputs, k]."""
    points, k, rows = len(at), len(directions), max(1, NUMBERS // (floats or TYPICAL * len(directions[0])))
    x, turned = np.repeat(at, k, 0), np.tile(directions, (points, 1))
    parts = [directional_derivative(f, tf.constant(x[i : i + rows]), tf.constant(turned[i : i + rows])).numpy()
             for i in range(0, len(x), rows)]  # fmt: skip
    return np.swapaxes(np.concatenate(parts).reshape(points, k, -1), 1, 2)


def differentiate_twice(f: Function, at: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The second derivatives of f at one point [n] along each direction [k, n]: [k, outputs]."""
    parts, rows = [], max(1, NUMBERS // (TYPICAL * len(at)))
    for first in range(0, len(directions), rows):
        d = tf.constant(directions[first : first + rows])
        slope = lambda z, d=d: directional_derivative(f, z, d)
        parts.append(directional_derivative(slope, tf.constant(np.tile(at, (d.shape[0], 1))), d).numpy())
    return np.concatenate(parts)


def directional_derivative(f: Function, x: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
    """The derivative of f at each row of x along the same row of d, [batch, outputs]."""
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = f(x)
        w = tf.zeros_like(y)
        outer.watch(w)
        pulled = inner.gradient(y, x, output_gradients=w, unconnected_gradients="zero")
    return outer.gradient(pulled, w, output_gradients=d, unconnected_gradients="zero")


def bilinear(f: Function, at: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The second derivatives of f at one point [n] in pairs of directions [k, n]: [outputs, k, k], by polarization."""
    k = len(basis)
    rows, columns = np.triu_indices(k, 1)
    own = differentiate_twice(f, at, basis)
    both = differentiate_twice(f, at, basis[rows] + basis[columns]) if k > 1 else own[:0]
    mixed = (both - own[rows] - own[columns]) / 2
    found = np.zeros((own.shape[1], k, k))
    found[:, range(k), range(k)] = own.T
    found[:, rows, columns] = found[:, columns, rows] = mixed.T
    return found
