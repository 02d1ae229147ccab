"""The policy network: an approximator, which is trained, added to an anchor, and the sum mapped into the bounds.

policy(s) = bounds(anchor(s) + approximator(s)). The approximator's last layer starts at zero, so that the untrained
network is its anchor: the first-order solution before the bounds, or the steady state everywhere.
"""

from collections.abc import Sequence
from typing import Protocol

import keras
import tensorflow as tf

from deqn.policies.approximators import Approximator
from deqn.policies.bounds import Bounds
from deqn.policies.expansion import Expansion


class PolicyFunction(Protocol):
    """Packed states [n, n_states] -> packed policies [n, n_policies], in levels and inside their bounds."""

    dtype: tf.DType

    @property
    def floats(self) -> int:
        """Numbers that one state needs on its way through the function."""

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The policies at states; `training` switches noise such as dropout on."""


class PolicyNetwork(tf.Module):
    """The policies [n, n_policies] at packed states [n, n_states], inside their bounds by construction."""

    def __init__(self, approximator: Approximator, anchor: Expansion, bounds: Bounds):
        super().__init__()
        self.approximator, self.anchor, self.bounds = approximator, anchor, bounds
        self.dtype = bounds.dtype

    @property
    def network(self) -> keras.Model:
        return self.approximator.network

    @property
    def floats(self) -> int:
        return self.approximator.floats + self.anchor.floats

    def start(self, states: tf.Tensor) -> tf.Tensor:
        """Policies [n, n_policies] of the anchor alone: where training starts."""
        return self.bounds(self.anchor(states))

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Policies at states; `training` switches dropout on."""
        return self.bounds(self.outputs(states, training))

    def outputs(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What stands before the bounds [n, outputs], complementary where a bound may bind."""
        return self.anchor(states) + self.approximator(states, training)

    def record_layers(self, states: tf.Tensor, record: list) -> tf.Tensor:
        """Policies at states; each layer with weights is appended to `record`, with its inputs and outputs."""
        return self.bounds(self.anchor(states) + self.approximator.record_layers(states, record))


class EnsemblePolicy:
    """The mean of policy functions of one model and type; it lies inside their bounds, as each of them does."""

    def __init__(self, policies: Sequence[PolicyFunction]):
        self._policies, self.dtype = tuple(policies), policies[0].dtype
        self.floats = max(policy.floats for policy in policies)

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, n_states] -> [n, n_policies]."""
        return tf.add_n([policy(states, training) for policy in self._policies]) / len(self._policies)
