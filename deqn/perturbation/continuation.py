"""Steady states of many economies at once: followed from a known one by Newton's method while the parameters move.

For models that do not give their steady state; a search in the box for each economy would take a second or more.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from deqn.perturbation.derivatives import jacobians

MOVES, NEWTON = 8, 4  # steps of the parameters from the known economy on, and Newton's steps after each
SETTLED = 1e-10


def followed(
    system: Callable[[tf.Tensor], tf.Tensor], start: np.ndarray, first: np.ndarray, samples: np.ndarray
) -> np.ndarray:
    """Roots at parameters `samples` [n, k] followed from `start` [unknowns], the root at `first` [k]: [n, unknowns].

    `system` maps unknowns and parameters [batch, unknowns + k] to as many equations as unknowns. A row without a root
    is nan.
    """
    n, unknowns = len(samples), len(start)
    directions = np.eye(unknowns + len(first))[:unknowns]
    roots = np.tile(start, (n, 1))
    for move in range(1, MOVES + 1):
        parameters = first + (samples - first) * move / MOVES
        for _ in range(NEWTON):
            at = np.hstack([roots, parameters])
            values, slopes = system(tf.constant(at)).numpy(), jacobians(system, at, directions)
            usable = np.isfinite(values).all(1) & np.isfinite(slopes).all((1, 2))
            roots[usable] -= np.einsum("nij,nj->ni", np.linalg.pinv(slopes[usable]), values[usable])
    left = np.abs(system(tf.constant(np.hstack([roots, samples]))).numpy()).max(1)
    return np.where((left <= SETTLED)[:, None], roots, np.nan)
