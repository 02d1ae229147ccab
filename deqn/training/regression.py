"""A policy network fitted to given policies: least squares on a plain function, whose zero is not the model's."""

import numpy as np
import tensorflow as tf

from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.optimizers.residual_function import ResidualFunction
from deqn.policies.network import PolicyNetwork
from deqn.training.objective import layerwise_jacobian

DAMPING = 1e-3  # of the first step


class Regression(tf.Module):
    """Fits the outputs of a policy network, which stand before the bounds, to given ones at packed states."""

    def __init__(self, policy: PolicyNetwork, n_states: int, memory: float):
        """`memory` (bytes) bounds every matrix."""
        super().__init__()
        values = lambda data: policy.outputs(data[:, :n_states]) - data[:, n_states:]
        rows = lambda data, follow: tf.transpose(follow(data[:, :n_states]) - data[:, n_states:])
        recorded = lambda states, record: policy.anchor(states) + policy.approximator.record_layers(states, record)
        jacobian = lambda data: layerwise_jacobian(rows, recorded, data)
        weights = [w.value for w in policy.network.trainable_variables]
        self.solver = LeastSquares(ResidualFunction(values, weights, memory, 8.0 * policy.floats, jacobian), DAMPING)

    def fit(self, states: tf.Tensor, outputs: np.ndarray, steps: int) -> bool:
        """At most so many steps towards `outputs` [n, outputs] at `states` [n, n_states]; whether all were finite."""
        data = tf.concat([states, tf.constant(outputs, states.dtype)], 1)
        for _ in range(steps):
            losses = self.solver.iterate(data, data[:0])
            if losses is None:
                return False
            if not losses[1] < losses[0]:
                break
        return True
