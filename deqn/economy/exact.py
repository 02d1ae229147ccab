"""Exact policies: the closed form of a model, and the residual that it leaves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn.equations.expectation import Expectation
from deqn.equations.residuals import residuals
from deqn.model.declaration import Model
from deqn.model.points import named_point
from deqn.perturbation.steady_state import SteadyState


@dataclass(frozen=True)
class Exact:
    """What a policy is compared with: `closed_form`, or `reference`, a far more accurate numerical solution.

    `values` maps packed states [n, n_states] to policies by name, [1, n] or [size, 1, n]; `covers` says where it holds.
    """

    kind: str
    values: Callable[[tf.Tensor], dict[str, np.ndarray]]
    covers: Callable[[tf.Tensor], np.ndarray]


def exact_residuals(
    model: Model, exact: Exact, expectation: Expectation, states: tf.Tensor
) -> dict[str, tf.Tensor] | None:
    """Residuals by equation of exact policies, zero where they are; None where they leave out a policy."""

    def policy(at: tf.Tensor) -> tf.Tensor:
        values = exact.values(at)
        columns = np.concatenate([values[p.name].reshape(-1, at.shape[0]) for p in model.policies])
        return tf.constant(columns.T, states.dtype)

    if any(p.name not in exact.values(states[:1]) for p in model.policies):
        return None
    return residuals(model, policy, expectation, states)


def closed_form(model: Model, steady: SteadyState) -> Exact | None:
    """The exact policies; None where the model has none for its parameters."""

    def values(states: tf.Tensor) -> dict[str, np.ndarray] | None:
        anything = tf.constant(np.tile(steady.policies, (states.shape[0], 1)), states.dtype)
        exact = model.closed_form(named_point(model, states, anything))
        sizes = {p.name: p.size for p in model.policies}
        n = states.shape[0]
        return exact and {
            name: np.broadcast_to(np.asarray(x), (1, n) if sizes[name] is None else (sizes[name], 1, n))
            for name, x in exact.items()
        }

    if values(tf.constant(steady.states[None])) is None:
        return None
    return Exact("closed_form", values, lambda states: np.ones(states.shape[0], bool))
