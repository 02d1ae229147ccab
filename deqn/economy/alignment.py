"""The direction of tomorrow's normal shocks in which constraints come to bind: there the nodes lie close together.

Let e be the shocks, and b = 1 where a constraint binds under them, or a kink that the model's file writes itself is
passed, else 0. By Stein's lemma E(b e) is the mean gradient of b: it points across the kink, and is the longer the
likelier the kink is met. The axis is the direction in which these vectors, over states and constraints, have the
largest second moment.
"""

import numpy as np
import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.economy.simulation import visit_near
from deqn.equations.quadrature import complete_basis
from deqn.equations.residuals import look_ahead
from deqn.model.layout import multipliers, named_point, pack

PASSES = 2  # the first from axes that no one turned, where the nodes lie far apart along the direction sought
STATES, DATES = 512, 20  # at which the direction is measured, at most; dates of the paths that lead to them
REACH = 0.5  # widths of the box beyond which an end does not count
UNMET = 1e-12  # second moment below which no kink is met


def align(economy: Economy, states: tf.Tensor) -> None:
    """Turn the axis of the expectation into the direction in which constraints come to bind from packed states."""
    turn = economy.expectation.turn
    if turn is None:
        return
    states = states[:: -(-states.shape[0] // STATES)]
    moment = sum_second_moments(economy, states)
    if np.isfinite(moment).all() and np.trace(moment) > UNMET * len(states):
        turn.assign(complete_basis(np.linalg.eigh(moment)[1][:, -1]))


def align_on_paths(economy: Economy) -> None:
    """Align at the ends of paths that start all over the box, at their starts where they leave it.

    The axis is that of the policy alone: it does not depend on where training had turned it.
    """
    turn = economy.expectation.turn
    if turn is None:
        return
    starts = SobolPoints(economy.domain, STATES, 0, economy.policy.dtype).points()
    ends = visit_near(economy.domain, economy.policy, starts, DATES, REACH)
    turn.assign(np.eye(turn.shape[0]))
    for _ in range(PASSES):
        align(economy, ends)


def sum_second_moments(economy: Economy, states: tf.Tensor) -> np.ndarray:
    """The sum over states and constraints of E(b e) E(b e)', [d, d]."""
    model, expectation = economy.model, economy.expectation
    now = named_point(model, states, economy.policy(states))
    nxt = look_ahead(model, economy.policy, expectation, states, now)[1]
    weights = expectation.weights_given(now, states.dtype).numpy().astype(float)  # [nodes, batch] or [nodes, 1]
    shocks = expectation.place_normals(tf.float64).numpy()  # [nodes, d]
    moment = np.zeros((shocks.shape[1],) * 2)
    sides = [getattr(nxt, multiplier.name).numpy() > 0 for multiplier in multipliers(model)]
    if economy.switches:
        later = pack(nxt.__dict__, model.states, expectation.nodes, states.shape[0], states.dtype)
        sides += [side.reshape(-1, states.shape[0]) for side in economy.sides(later).numpy()]
    for binds in sides:
        gradients = np.einsum("nd,knb->dkb", shocks, weights * binds.reshape(-1, *binds.shape[-2:]))
        moment += np.einsum("ikb,jkb->ij", gradients, gradients)
    return moment
