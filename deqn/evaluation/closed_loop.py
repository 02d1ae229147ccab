"""The closed loop: whether it contracts at the steady state, and whether paths from dispersed starts come together.

The steady state without risk need not be where the economy rests. Where the loop is not stable there, or paths do not
come together, they are followed until they settle: at one other point, or at several, each of them judged by itself.
Where they settle nowhere, the economy is stable if paths with the same shocks come together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from deqn.economy.domain import SobolPoints, is_inside
from deqn.economy.economy import Economy
from deqn.economy.simulation import advance_states, simulate_end, simulate_path
from deqn.evaluation.records import CONVERGENCE_SPREAD, Settled, Stability, UnitRoot
from deqn.model.declaration import Model
from deqn.model.layout import box, box_widths, fixed, labels
from deqn.perturbation.modes import Modes, split_modes, transition_slopes
from deqn.system.errors import InputError

STARTS = 128  # dispersed
MEETING = 1000  # dates in which paths with the same shocks are to meet
SHORT, LONGEST = 200, 5000  # dates that paths from them are followed: at first, and at most
MET = 1e-4  # of what they were: distances between paths that have met
SETTLED, SAME = 1e-6, 1e-3  # of the box: the last move of a path at rest, and between ends that are one
BESIDE, MANY = 0.5, 8  # widths of the box up to which a rest point belongs to it; rest points at most


@dataclass(frozen=True)
class RestPoint:
    """Where a `share` of paths settles, shocks at means: packed `states` [n_states], and the modes there."""

    states: np.ndarray
    share: float
    modes: Modes


def find_closed_loop_modes(economy: Economy) -> Modes | None:
    """The modes of the closed loop at the steady state; in a family those of the member with the largest modulus.

    Where there is no steady state, or the loop is unstable there, those of the slowest point at which paths settle.
    Where they settle nowhere, as those of a regime, whose mean is none of its outcomes, the one mode is the rate at
    which paths with the same shocks come together. None where they do not come together either, and nothing is known.
    """
    modes = None if economy.steady is None else find_modes_at_steady_state(economy)
    regimes = bool(economy.domain.chains) and (modes is None or not modes.unit_roots)
    if modes is not None and (modes.decaying < 1 or modes.drifts) and not regimes:
        return modes
    points = find_rest_points(economy)
    if points:
        return max((p.modes for p in points), key=lambda m: m.spectral_radius)
    met = measure_meeting(economy)
    if met is not None and (met.spread < CONVERGENCE_SPREAD or regimes):
        return Modes(np.zeros(0), np.array([met.rate]), np.zeros((len(box_widths(economy.model.states)), 0)), (),
                     met.spread)  # fmt: skip
    return modes


def find_modes_at_steady_state(economy: Economy) -> Modes:
    """The modes at the steady state; in a family those of the member with the largest modulus."""
    rests = stack_rests(economy)  # [members, n_states]
    try:
        laws_of_motion = [solution.law_of_motion for solution in economy.members.first_order(economy.steady)]
    except InputError:  # one of the members has no first-order solution
        laws_of_motion = [None] * len(rests)
    by_member = find_modes(economy, rests, laws_of_motion)
    return max(by_member, key=lambda m: math.inf if math.isnan(m.spectral_radius) else m.spectral_radius)


def find_modes(economy: Economy, rests: tf.Tensor, laws_of_motion: Sequence[np.ndarray | None]) -> list[Modes]:
    """The modes at packed rest points [points, n_states]; each with the first-order law of motion where it has one."""
    model, policy = economy.model, economy.policy
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rests)
        tomorrow = tf.reduce_sum(advance_states(model, policy, rests, None), 0)  # no member enters another's
    loops = np.swapaxes(tape.jacobian(tomorrow, rests, unconnected_gradients="zero", experimental_use_pfor=False), 0, 1)
    A, B = transition_slopes(model, rests.numpy().astype(float), policy(rests).numpy().astype(float))
    moving = ~fixed(model.states)
    return [
        split_modes(model, (A[i][moving][:, moving], B[i][moving]), loop, laws_of_motion[i])
        for i, loop in enumerate(loops[:, moving][:, :, moving].astype(float))
    ]


def find_rest_points(economy: Economy) -> list[RestPoint]:
    """Where paths from dispersed starts settle, the most visited first; in a family or a chain none are looked for."""
    model, policy = economy.model, economy.policy
    if economy.members.parameters.names or economy.domain.chains:
        return []
    ends, widths = SobolPoints(economy.domain, STARTS, 3, policy.dtype).points(), box_widths(model.states)
    for periods in (SHORT, LONGEST):
        ends = simulate_end(model, policy, ends, tf.constant(periods), None)
        moves = np.abs(advance_states(model, policy, ends, None) - ends) / widths
        if np.max(moves) <= SETTLED and np.all(is_inside(economy.domain, ends, BESIDE)):
            break
    else:
        return []
    left, clusters = ends.numpy(), []
    while len(left) and len(clusters) < MANY:
        near = np.abs((left - left[0]) / widths).max(1) <= SAME
        clusters.append(left[near])
        left = left[~near]
    if len(left):
        return []
    clusters.sort(key=len, reverse=True)
    means = np.stack([cluster.mean(0) for cluster in clusters])
    centers = tf.constant(np.where(np.abs(means) < SETTLED * widths, 0.0, means), policy.dtype)
    modes = find_modes(economy, centers, [None] * len(clusters))
    return [RestPoint(center, len(cluster) / STARTS, own)
            for center, cluster, own in zip(centers.numpy(), clusters, modes, strict=True)]  # fmt: skip


def stack_rests(economy: Economy) -> tf.Tensor:
    """The steady states of the members that stand for all, [members, n_states], the baseline first."""
    rests = economy.members.rests(economy.steady)[: economy.members.representatives]
    return tf.constant(np.stack([rest.states for rest in rests]), economy.policy.dtype)


def assess_stability(economy: Economy, loop: Modes) -> Stability:
    """Eigenvalues, and how far dispersed starts stay apart, shocks at their means; in a family the worst member's.

    Where they do not come together near the steady state, that of the points at which they settle; where they settle
    nowhere, paths with the same shocks are to come together.
    """
    if loop.shared_spread is not None:
        return Stability(None, loop.decaying, [], True, None, None, decay_periods(loop.decaying, MET), 0.0,
                         shared_spread=loop.shared_spread, rests_nowhere=True)  # fmt: skip
    at_rest = None if economy.steady is None else assess_return(economy, loop)
    if at_rest is not None and (at_rest.contracts or loop.drifts):
        return at_rest
    points = find_rest_points(economy)
    if not points:
        met = measure_meeting(economy)
        return at_rest and replace(at_rest, shared_spread=None if met is None else met.spread)
    slowest = max((p.modes for p in points), key=lambda m: m.spectral_radius)
    names = labels(economy.model.states)
    settled = [
        Settled(dict(zip(names, map(float, p.states), strict=True)), p.share, p.modes.spectral_radius) for p in points
    ]
    periods = max(50.0, decay_periods(slowest.decaying, MET))
    return Stability(slowest.spectral_radius, slowest.decaying, [], True, 0.0, None, periods, 0.0, settled)


def assess_return(economy: Economy, loop: Modes) -> Stability:
    """The same around the steady state alone."""
    model, policy = economy.model, economy.policy
    unit_roots, needed = [UnitRoot(r.kind, list(r.states)) for r in loop.unit_roots], decay_periods(loop.decaying, MET)
    if needed > LONGEST or loop.drifts:
        return Stability(loop.spectral_radius, loop.decaying, unit_roots, False, None, None, needed, 0.0)
    rests = stack_rests(economy)
    box, periods = SobolPoints(economy.domain, STARTS, 3, policy.dtype), max(50, math.ceil(needed))
    starts = tf.concat([project_out(model, box.points(of=rest[None]), rest[None], loop.kept) for rest in rests], 0)
    low, high = (x.numpy() for x in economy.domain.corners(rests))
    ends = simulate_end(model, policy, starts, tf.constant(periods), None).numpy().reshape(len(rests), STARTS, -1)
    with np.errstate(invalid="ignore"):
        spread = float(np.max((ends.max(1) - ends.min(1)) / (high - low)))
        distance = float(np.max(np.abs(ends - rests.numpy()[:, None]) / (high - low)[:, None]))
    lost = float((~np.isfinite(ends).all(2)).mean())
    return Stability(loop.spectral_radius, loop.decaying, unit_roots, True, spread, distance, periods, lost)


@dataclass(frozen=True)
class Meeting:
    """How paths with the same shocks come together: their largest distance in the end, in widths of the box, infinite
    where one leaves it, and the mean factor a date by which it shrinks until it is MET."""

    spread: float
    rate: float


def measure_meeting(economy: Economy) -> Meeting | None:
    """How paths with the same shocks that start all over the box, in the same outcome of a regime, come together. None
    for a family, and without shocks.

    An economy may be unstable at a point without risk that it never rests at, as where a debt limit that falls with
    debt binds there, and still forget where it began.
    """
    if economy.members.parameters.names or not economy.model.shocks:
        return None
    model, policy = economy.model, economy.policy
    starts = SobolPoints(economy.domain, STARTS, 3, policy.dtype).points()
    columns = [column for chain in economy.domain.chains for column in chain.columns]
    starts = tf.where(np.isin(np.arange(starts.shape[1]), columns), starts[:1], starts)
    generator = tf.random.Generator.from_seed(0, alg="philox")
    visited = simulate_path(model, policy, starts, MEETING, generator, True)
    ends = visited[-1]
    if not np.isfinite(visited).all() or not np.all(is_inside(economy.domain, ends, BESIDE)):
        return Meeting(math.inf, math.inf)
    spreads = (np.ptp(np.concatenate([starts[None], visited]), 1) / box_widths(model.states)).max(1)  # [dates]
    met = np.flatnonzero(spreads <= MET * spreads[0])
    date = int(met[0]) if len(met) else MEETING
    share = max(spreads[date] / spreads[0], np.finfo(float).tiny) if spreads[0] > 0 else 0.0
    return Meeting(float(spreads[-1]), float(share ** (1 / date)) if date else 0.0)


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
