"""The closed loop: whether it contracts at the steady state, and whether paths from dispersed starts come together."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.economy.simulation import advance_states, simulate_end
from deqn.model.declaration import Model
from deqn.model.layout import box, box_widths, fixed
from deqn.perturbation.first_order import LinearSolution
from deqn.perturbation.modes import Modes, split_modes, transition_slopes
from deqn.system.errors import InputError

RETURN_SPREAD = 0.01  # of the box: paths that end closer have come together
LONGEST = 5000  # dates that paths from dispersed starts are followed, at most


def closed_loop_modes(economy: Economy, first_order: Sequence[LinearSolution] | None = None) -> Modes:
    """The modes of the closed loop at the steady state; in a family those of the member with the largest modulus.

    `first_order`: the first-order solution, in a family that of every member, where it is known already.
    """
    model, policy = economy.model, economy.policy
    rests = resting(economy)  # [members, n_states]
    if first_order is None:
        first_order = first_order_solutions(economy)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rests)
        tomorrow = tf.reduce_sum(advance_states(model, policy, rests, None), 0)  # no member enters another's
    loops = np.swapaxes(tape.jacobian(tomorrow, rests, unconnected_gradients="zero", experimental_use_pfor=False), 0, 1)
    A, B = transition_slopes(model, rests.numpy().astype(float), policy(rests).numpy().astype(float))
    moving = ~fixed(model.states)
    found = []
    for i, loop in enumerate(loops[:, moving][:, :, moving].astype(float)):
        dynamics = None if first_order is None else first_order[i].law_of_motion
        found.append(split_modes(model, (A[i][moving][:, moving], B[i][moving]), loop, dynamics))
    return max(found, key=lambda m: math.inf if math.isnan(m.spectral_radius) else m.spectral_radius)


def resting(economy: Economy) -> tf.Tensor:
    """Where the members rest that stand for all, [members, n_states], the baseline first."""
    rests = economy.members.rests(economy.steady)[: economy.members.representatives]
    return tf.constant(np.stack([rest.states for rest in rests]), economy.policy.dtype)


def first_order_solutions(economy: Economy) -> Sequence[LinearSolution] | None:
    """The first-order solution of every member, the baseline's first; None where one has none."""
    try:
        return economy.members.first_order(economy.steady)
    except InputError:
        return None


def stability(economy: Economy, loop: Modes) -> dict[str, Any]:
    """The closed loop with shocks at their means: its eigenvalues, and how far dispersed starts stay apart.

    `spectral_radius`: the largest modulus; `decaying`: the same beside unit roots that the equations have. `tested`:
    whether paths can be followed for as long as the slowest mode needs to shrink distances by 1e-4 (`return_periods`).
    Then `return_spread` is the largest distance that is left between them, and `return_distance` that to the steady
    state, both in widths of the box; `lost` is the share of starts that lead to where there are no numbers. In a family
    all of this is the worst among its usual member, the corners of its parameters, and some in between.
    """
    model, policy = economy.model, economy.policy
    measured = {
        "spectral_radius": loop.spectral_radius, "decaying": loop.decaying,
        "unit_roots": [{"kind": root.kind, "states": list(root.states)} for root in loop.unit_roots],
    }  # fmt: skip
    needed = decay_periods(loop.decaying, 1e-4)
    tested = needed <= LONGEST and not loop.drifts
    if not tested:
        unknown = {"return_spread": None, "return_distance": None, "lost": 0.0}
        return measured | {"tested": False, "return_periods": needed, **unknown}
    rests = resting(economy)
    box, periods = SobolPoints(economy.domain, 128, 3, policy.dtype), max(50, math.ceil(needed))
    starts = tf.concat([keeping(model, box.points(of=rest[None]), rest[None], loop.kept) for rest in rests], 0)
    low, high = (x.numpy() for x in economy.domain.corners(rests))
    ends = simulate_end(model, policy, starts, tf.constant(periods), None).numpy().reshape(len(rests), 128, -1)
    lost = ~np.isfinite(ends).all(2)
    with np.errstate(invalid="ignore"):
        spread = np.max((ends.max(1) - ends.min(1)) / (high - low))
        distance = np.max(np.abs(ends - rests.numpy()[:, None]) / (high - low)[:, None])
    return measured | {"tested": True, "return_spread": float(spread), "return_distance": float(distance),
                       "return_periods": periods, "lost": float(lost.mean())}  # fmt: skip


def keeping(model: Model, states: tf.Tensor, rest: tf.Tensor, kept: np.ndarray) -> tf.Tensor:
    """Packed states [n, n_states] of the box moved to where the combinations `kept` are those of one at rest.

    A conserved quantity, or a random walk, never returns; paths come together only where they share it.
    """
    if not kept.shape[1]:
        return states
    moving, widths = ~fixed(model.states), box_widths(model.states)
    away = ((states - rest).numpy() / widths)[:, moving]
    away = away - away @ kept @ kept.T
    room = np.where(
        away > 0, (box(model.states)[1] - rest.numpy()[0])[moving], (rest.numpy()[0] - box(model.states)[0])[moving]
    )
    shares = np.where(away == 0, 1.0, room / widths[moving] / np.where(away == 0, 1.0, np.abs(away)))
    found = states.numpy().copy()
    found[:, moving] = rest.numpy()[0, moving] + np.minimum(shares.min(1), 1.0)[:, None] * away * widths[moving]
    return tf.constant(found, states.dtype)


def is_stable(measured: dict[str, Any]) -> bool:
    """Whether the closed loop contracts beside the unit roots of the equations, and dispersed starts come together."""
    return measured["decaying"] < 1 and (not measured["tested"] or measured["return_spread"] < RETURN_SPREAD)


def decay_periods(modulus: float, share: float) -> float:
    """The dates in which an eigenvalue shrinks a distance to a share of it; infinite where it does not."""
    if not modulus < 1:
        return math.inf
    return math.log(share) / math.log(modulus) if modulus > 0 else 1.0
