"""A policy network fitted to given policies: least squares on a plain function, whose zero is not the model's."""

from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.linalg
import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.model.layout import has_many_policies, width
from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.optimizers.residual_function import ResidualFunction
from deqn.policies.network import PolicyNetwork
from deqn.training.objective import layerwise_jacobian
from deqn.training.stage import choose_held_out

DAMPING = 1e-3  # of the first step
RIDGES = 10.0 ** np.arange(-10, 1)  # of a linear fit, relative to the mean square of a feature
SLACK = 1.5  # times the smallest held-out loss, up to which a smaller ridge is taken: it has less of a bias
HELD = 1e-3  # weight of a state at which a policy is held near its anchor
HEAVY = 1e11  # multiplications of a step above which the last layer alone is fitted


class Fit(Protocol):
    """Fits the outputs of a policy network, which stand before the bounds, to given ones at packed states."""

    work: float  # multiplications of a step, roughly

    def fit(self, states: tf.Tensor, outputs: np.ndarray, steps: int) -> bool:
        """At most so many steps towards `outputs` [n, outputs] at `states` [n, n_states]; whether all were finite."""


def choose_fit(economy: Economy[PolicyNetwork], states: int, memory: float) -> Fit:
    """All weights by Levenberg-Marquardt, or the last layer alone: where there is no other, or a step takes too long.

    `states`: how many are fitted at once; `memory` (bytes) bounds every matrix.
    """
    policy = economy.policy
    whole = Regression(policy, states, sum(map(width, economy.model.states)), memory)
    if sum(bool(layer.trainable_variables) for layer in policy.network.layers) > 1 and whole.work <= HEAVY:
        return whole
    far = None
    if has_many_policies(economy.model):
        far = SobolPoints(economy.domain, states, 7, policy.dtype).points()
    return LastLayerRegression(policy, states, far)


class Regression(tf.Module):
    """Fits all weights."""

    def __init__(self, policy: PolicyNetwork, states: int, n_states: int, memory: float):
        """For so many states of `n_states` columns; `memory` (bytes) bounds every matrix."""
        super().__init__()
        n, rows = policy.network.count_params(), states * policy.anchor.outputs
        self.work = float(rows * n * min(rows, n))
        values = lambda data: policy.outputs(data[:, :n_states]) - data[:, n_states:]
        rows = lambda data, follow: tf.transpose(follow(data[:, :n_states]) - data[:, n_states:])
        recorded = lambda states, record: policy.anchor(states) + policy.approximator.record_layers(states, record)
        jacobian = lambda data: layerwise_jacobian(rows, recorded, data)
        weights = [w.value for w in policy.network.trainable_variables]
        self.solver = LeastSquares(ResidualFunction(values, weights, memory, 8.0 * policy.floats, jacobian), DAMPING)

    def fit(self, states: tf.Tensor, outputs: np.ndarray, steps: int) -> bool:
        """See `Fit`."""
        data = tf.concat([states, tf.constant(outputs, states.dtype)], 1)
        for _ in range(steps):
            losses = self.solver.iterate(data, data[:0])
            if losses is None:
                return False
            if not losses[1] < losses[0]:
                break
        return True


class LastLayerRegression(tf.Module):
    """Fits the last layer, linear in what the layers before it make of the states; these stay as they are.

    It moves from its present weights by ridge regression, as far as lowers the error of a fifth of the states that are
    held out: many features fit the noise of few states.

    At states `far` from those that are fitted, as most of a box of many dimensions is, the policy is held near its
    anchor: without that it would lead anywhere there.
    """

    def __init__(self, policy: PolicyNetwork, states: int, far: tf.Tensor | None = None):
        super().__init__()
        self._policy, self._far = policy, far
        self.work = float(states * policy.network.layers[-1].kernel.shape[0] ** 2)
        self._features = tf.function(self._compute_features, autograph=False, reduce_retracing=True)

    def fit(self, states: tf.Tensor, outputs: np.ndarray, steps: int) -> bool:
        """See `Fit`; the fit is exact in one step."""
        features, present = (x.numpy().astype(float) for x in self._features(states))
        missing = outputs - present
        if not (np.isfinite(features).all() and np.isfinite(missing).all()):
            return False
        outside = choose_held_out(len(features))
        kept = self._form_equations(features[~outside], missing[~outside])
        left = [np.sum((missing[outside] - features[outside] @ solve_ridge(*kept, ridge)) ** 2) for ridge in RIDGES]
        if min(left) < np.sum(missing[outside] ** 2):
            ridge = RIDGES[np.argmax(np.array(left) < SLACK * min(left))]
            self._add(solve_ridge(*self._form_equations(features, missing), ridge))
        return True

    def _form_equations(self, features: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of the change that adds what is `missing` [n, outputs]: matrix and right side."""
        hold = len(features) * self._hold
        return features.T @ features + hold, features.T @ missing - hold @ self._weights

    @property
    def _weights(self) -> np.ndarray:
        """Those of the last layer, its bias as a last row: [features, outputs]."""
        return np.concatenate([np.atleast_2d(w.numpy()) for w in self._policy.network.layers[-1].weights]).astype(float)

    def _add(self, change: np.ndarray) -> None:
        layer = self._policy.network.layers[-1]
        layer.kernel.assign_add(change[: layer.kernel.shape[0]])
        if layer.use_bias:
            layer.bias.assign_add(change[-1])

    @cached_property
    def _hold(self) -> np.ndarray:
        """What holds the policy near its anchor, [features, features] for each state that is fitted."""
        if self._far is None:
            return np.zeros((len(self._weights),) * 2)
        held = self._features(self._far)[0].numpy().astype(float)
        return HELD**2 / len(held) * held.T @ held

    def _compute_features(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the last layer reads [n, features], with a one for its bias, and the outputs [n, outputs]."""
        record: list = []
        residue = self._policy.approximator.record_layers(states, record)
        layer, read, _ = record[-1]
        ones = [tf.ones_like(read[:, :1])] * layer.use_bias
        return tf.concat([read, *ones], 1), self._policy.anchor(states) + residue


def solve_ridge(matrix: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """The solution of normal equations, with a ridge relative to the mean of their diagonal."""
    damped = matrix.copy()
    damped[np.diag_indices_from(damped)] += ridge * matrix.diagonal().mean()
    return scipy.linalg.solve(damped, right, assume_a="pos")
