"""Anchors from local solutions, and the policy network around one.

An anchor is an expansion of the outputs before the bounds: a point (the steady state everywhere), the first-order
solution, also saturated away from rest, or the second-order one, corrected for risk. A family has that of each member,
interpolated between them.
"""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from deqn.economy.domain import Domain
from deqn.economy.members import Members
from deqn.equations.expectation import Expectation
from deqn.equations.residuals import residuals, stack_rows
from deqn.model.declaration import Model
from deqn.model.layout import coordinates, in_logs, multipliers
from deqn.perturbation.first_order import differentiate_equations
from deqn.perturbation.second_order import curvature, risk_correction
from deqn.perturbation.steady_state import SteadyState
from deqn.policies.approximators import Approximator
from deqn.policies.bounds import Bounds
from deqn.policies.expansion import ConstantRow, Expansion, LinearRule, pack_expansion, to_coordinates
from deqn.policies.network import PolicyNetwork

LOCAL = "linear", "saturated", "quadratic"  # anchors from the solution near the steady state
REACH = 2.0  # of a saturated anchor, in units of the outputs


@dataclass(frozen=True)
class Scale:
    """What a network reads: coordinates in which the domain, wider by the share `margin`, is [-1, 1]."""

    domain: Domain
    margin: float = 0.0

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """[n, n_states] -> [n, n_states]."""
        low, high = self.domain.corner_coordinates(states)
        x = to_coordinates(states, in_logs(self.domain.model.states))
        return (x - (low + high) / 2) / ((1 + self.margin) * (high - low) / 2)


def build_policy(
    members: Members, steady: SteadyState, approximator: Approximator, kind: str, expectation: Expectation
) -> PolicyNetwork:
    """The policy network with an anchor of a `kind`: none, steady_state, linear, saturated or quadratic.

    `none` is the constant `steady.policies`, whatever they are. Raises InputError where there is no such solution.
    """
    model, dtype = members.model, approximator.dtype
    rests = [steady] if kind == "none" else members.rests(steady)
    solutions = members.first_order(steady) if kind in LOCAL else None
    jacobian_today = differentiate_today(model, steady) if solutions is None else solutions[0].jacobian_today
    bounds = Bounds(model.policies, steady.policies, dtype, jacobian_today)
    logs, rows = in_logs(model.states), []
    for i, rest in enumerate(rests):
        value = bounds.outputs(rest.policies)
        slope = np.zeros((len(value), 0))
        if solutions is not None:
            own = solutions[i].decision_rule
            slope = bounds.pre_image(own * np.where(logs, rest.states, 1)[: own.shape[1]], value)
        rows.append(pack_expansion(coordinates(rest.states, logs), value, slope))
    follow = ConstantRow(rows[0]) if kind == "none" else members.interpolate(np.stack(rows))
    anchor = Expansion(follow, len(value), logs, reach=REACH if kind == "saturated" else None)
    if kind == "quadratic":
        exact = Bounds(model.policies, steady.policies, tf.float64, jacobian_today)
        Q = curvature(model, exact, coordinates(steady.states, logs), value, slope)
        halved = np.transpose(Q / 2, (1, 0, 2)).reshape(len(logs), -1)
        anchor = replace(anchor, curvature=tf.constant(halved, dtype))
        value = value + correct_for_risk(model, anchor, bounds, expectation, steady)
        anchor = replace(anchor, rows=ConstantRow(pack_expansion(coordinates(steady.states, logs), value, slope)))
    return PolicyNetwork(approximator, anchor, bounds)


def differentiate_today(model: Model, at: SteadyState) -> np.ndarray | None:
    """The derivatives of the equations in today's policies [equations, n_policies] at a point, tomorrow's given; None
    where no constraint needs them."""
    if not multipliers(model):
        return None
    (_, T_u), (_, F_u, F_later_s, _) = differentiate_equations(model, at)
    return F_u + F_later_s @ T_u


def correct_for_risk(
    model: Model, anchor: Expansion, bounds: Bounds, expectation: Expectation, steady: SteadyState
) -> np.ndarray:
    """The constant [outputs] that the equations at the steady state ask an anchor to add under risk."""

    def errors(shift: tf.Tensor) -> tf.Tensor:
        batch, added = shift.shape[0], tf.cast(shift, bounds.dtype)
        states = tf.constant(np.tile(steady.states, (batch, 1)), bounds.dtype)
        moved = lambda s: bounds(anchor(s) + tf.tile(added, (s.shape[0] // batch, 1)))
        return tf.cast(tf.transpose(stack_rows(residuals(model, moved, expectation, states), batch)), tf.float64)

    return risk_correction(errors, anchor.outputs, expectation.nodes * anchor.floats)


def linear_rule(members: Members, steady: SteadyState, dtype: tf.DType) -> LinearRule:
    """The first-order policies in levels; in a family those of each member. Raises InputError where there are none."""
    solutions, rests = members.first_order(steady), members.rests(steady)
    rows = [pack_expansion(r.states, r.policies, s.decision_rule) for r, s in zip(rests, solutions, strict=True)]
    expansion = Expansion(members.interpolate(np.stack(rows)), len(steady.policies), np.zeros(len(steady.states), bool))
    return LinearRule(expansion, members.model.policies, dtype)
