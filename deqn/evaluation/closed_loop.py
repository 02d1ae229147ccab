"""The closed loop: whether it contracts at the steady state, and whether paths from dispersed starts come together."""

import math

import numpy as np
import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.economy.simulation import advance_states, simulate_end
from deqn.evaluation.summary import Stability, UnitRoot
from deqn.model.declaration import Model
from deqn.model.layout import box, box_widths, fixed
from deqn.perturbation.modes import Modes, split_modes, transition_slopes
from deqn.system.errors import InputError

LONGEST = 5000  # dates that paths from dispersed starts are followed, at most


def find_closed_loop_modes(economy: Economy) -> Modes:
    """The modes of the closed loop at the steady state; in a family those of the member with the largest modulus."""
    model, policy, rests = economy.model, economy.policy, stack_rests(economy)  # [members, n_states]
    try:
        laws_of_motion = [solution.law_of_motion for solution in economy.members.first_order(economy.steady)]
    except InputError:  # one of the members has no first-order solution
        laws_of_motion = [None] * len(rests)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rests)
        tomorrow = tf.reduce_sum(advance_states(model, policy, rests, None), 0)  # no member enters another's
    loops = np.swapaxes(tape.jacobian(tomorrow, rests, unconnected_gradients="zero", experimental_use_pfor=False), 0, 1)
    A, B = transition_slopes(model, rests.numpy().astype(float), policy(rests).numpy().astype(float))
    moving = ~fixed(model.states)
    by_member = [
        split_modes(model, (A[i][moving][:, moving], B[i][moving]), loop, laws_of_motion[i])
        for i, loop in enumerate(loops[:, moving][:, :, moving].astype(float))
    ]
    return max(by_member, key=lambda m: math.inf if math.isnan(m.spectral_radius) else m.spectral_radius)


def stack_rests(economy: Economy) -> tf.Tensor:
    """The steady states of the members that stand for all, [members, n_states], the baseline first."""
    rests = economy.members.rests(economy.steady)[: economy.members.representatives]
    return tf.constant(np.stack([rest.states for rest in rests]), economy.policy.dtype)


def assess_stability(economy: Economy, loop: Modes) -> Stability:
    """Eigenvalues, and how far dispersed starts stay apart, shocks at their means; in a family the worst member's."""
    model, policy = economy.model, economy.policy
    unit_roots, needed = [UnitRoot(r.kind, list(r.states)) for r in loop.unit_roots], decay_periods(loop.decaying, 1e-4)
    if needed > LONGEST or loop.drifts:
        return Stability(loop.spectral_radius, loop.decaying, unit_roots, False, None, None, needed, 0.0)
    rests = stack_rests(economy)
    box, periods = SobolPoints(economy.domain, 128, 3, policy.dtype), max(50, math.ceil(needed))
    starts = tf.concat([project_out(model, box.points(of=rest[None]), rest[None], loop.kept) for rest in rests], 0)
    low, high = (x.numpy() for x in economy.domain.corners(rests))
    ends = simulate_end(model, policy, starts, tf.constant(periods), None).numpy().reshape(len(rests), 128, -1)
    with np.errstate(invalid="ignore"):
        spread = float(np.max((ends.max(1) - ends.min(1)) / (high - low)))
        distance = float(np.max(np.abs(ends - rests.numpy()[:, None]) / (high - low)[:, None]))
    lost = float((~np.isfinite(ends).all(2)).mean())
    return Stability(loop.spectral_radius, loop.decaying, unit_roots, True, spread, distance, periods, lost)


def project_out(model: Model, states: tf.Tensor, rest: tf.Tensor, kept: np.ndarray) -> tf.Tensor:
    """Packed states [n, n_states] moved to where the combinations `kept`, which never return, are those at rest."""
    if not kept.shape[1]:
        return states
    moving, widths = ~fixed(model.states), box_widths(model.states)
    away = ((states - rest).numpy() / widths)[:, moving]
    away = away - away @ kept @ kept.T
    (low, high), center = (x[moving] for x in box(model.states)), rest.numpy()[0, moving]
    room = np.where(away > 0, high - center, center - low)
    shares = np.where(away == 0, 1.0, room / widths[moving] / np.where(away == 0, 1.0, np.abs(away)))
    projected = states.numpy().copy()
    projected[:, moving] = center + np.minimum(shares.min(1), 1.0)[:, None] * away * widths[moving]
    return tf.constant(projected, states.dtype)


def decay_periods(modulus: float, share: float) -> float:
    """The dates in which an eigenvalue shrinks a distance to a share of it; infinite where it does not."""
    if not modulus < 1:
        return math.inf
    return math.log(share) / math.log(modulus) if modulus > 0 else 1.0
