"""The mean of policy functions. Networks that solve one economy from several seeds err in different directions."""

from collections.abc import Sequence

import tensorflow as tf

from deqn.policies.protocol import PolicyFunction


class EnsemblePolicy:
    """The mean of policy functions of one model and type; it lies inside their bounds, as each of them does."""

    def __init__(self, policies: Sequence[PolicyFunction]):
        self._policies, self.dtype = tuple(policies), policies[0].dtype
        self.floats = max(policy.floats for policy in policies)

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, n_states] -> [n, n_policies]."""
        return tf.add_n([policy(states, training) for policy in self._policies]) / len(self._policies)
