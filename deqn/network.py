"""The policy function: states scaled by the box, a Keras network, and a map into each policy's bounds.

With x the scaled states, policy = bound(u_ss + net(x)): `bound` is a sigmoid between two bounds, a softplus above or
below one, and the identity where there is none, in units of the steady state. The last layer starts at zero, so that
the untrained network is the steady state everywhere.
"""

import inspect
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from deqn.model import Model, Policy, box, flatten, width
from deqn.settings import Network


def multilayer_perceptron(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """A Keras MLP [batch, inputs] -> [batch, outputs] whose last layer is zero; seeded on its own."""

    def fresh(offset: int) -> keras.initializers.Initializer:
        kind = type(keras.initializers.get(settings.initializer))
        return kind(seed=seed + offset) if "seed" in inspect.signature(kind).parameters else kind()

    penalty = keras.regularizers.L1L2(settings.l1, settings.l2) if settings.l1 or settings.l2 else None
    layers = [keras.Input((inputs,), dtype=dtype)]
    for i, units in enumerate(settings.hidden):
        layers.append(
            keras.layers.Dense(
                units, settings.activation, kernel_initializer=fresh(i), kernel_regularizer=penalty, dtype=dtype
            )
        )
        if settings.dropout:
            layers.append(keras.layers.Dropout(settings.dropout, seed=seed + i, dtype=dtype))
    layers.append(keras.layers.Dense(outputs, kernel_initializer="zeros", kernel_regularizer=penalty, dtype=dtype))
    return keras.Sequential(layers)


class PolicyNetwork(tf.Module):
    """The policies [n, n_policies] at packed states [n, n_states], inside their bounds by construction."""

    def __init__(self, model: Model, network: keras.Model, dtype: str):
        super().__init__()
        low, high = box(model.states)
        steady = flatten(model.steady_state(), model.policies)
        self.network = network
        self.dtype = tf.as_dtype(dtype)
        self._center = tf.constant((low + high) / 2, self.dtype)
        self._half_width = tf.constant((high - low) / 2, self.dtype)
        self._bounds = Bounds(model.policies, steady, self.dtype)

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Policies at states; `training` switches dropout on."""
        return self._bounds(self.network((states - self._center) / self._half_width, training=training))


class Bounds:
    """Maps network outputs u, zero at the steady state, into the bounds of each policy column."""

    def __init__(self, policies: Sequence[Policy], steady: np.ndarray, dtype: tf.DType):
        lower, upper = (
            np.concatenate([np.full(width(p), empty if bound(p) is None else bound(p)) for p in policies])
            for bound, empty in ((lambda p: p.lower, -np.inf), (lambda p: p.upper, np.inf))
        )
        below, above = np.isfinite(lower), np.isfinite(upper)
        both, free = below & above, ~below & ~above
        anchor = np.where(below, lower, np.where(above, upper, 0.0))  # where softplus or sigmoid is zero
        gap = np.abs(steady - anchor)  # a steady state on its bound starts a little inside
        span = np.where(both, np.where(both, upper - lower, 1.0), np.where(gap > 0, gap, 1.0))
        share = np.clip(gap / span, 1e-3, 1 - 1e-3)  # of a two-sided policy
        start = np.where(both, np.log(share / (1 - share)), np.log(np.expm1(np.where(gap > 0, 1.0, 1e-3))))

        def constant(x):
            return tf.constant(x, dtype)

        self._both, self._free = tf.constant(both), tf.constant(free)
        self._start = constant(np.where(free, 0.0, start))
        self._anchor = constant(np.where(free, steady, anchor))
        self._span = constant(np.where(above & ~below, -span, span))

    def __call__(self, u: tf.Tensor) -> tf.Tensor:
        """[n, n_policies] -> [n, n_policies]."""
        u = self._start + u
        inside = tf.where(self._both, tf.sigmoid(u), tf.where(self._free, u, tf.nn.softplus(u)))
        return self._anchor + self._span * inside
