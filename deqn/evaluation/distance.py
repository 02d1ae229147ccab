"""How far the policies are from the solution: what the residuals that are left add up to over time.

Today's equations, tomorrow's policy function given, map that function to today's policies: time iteration, whose fixed
point is the solution. Near it the map is linear, an average of tomorrow's changes at the states that follow. A residual
e then leaves policies that are about (I - T)^-1 e from the solution, however small e is where T nearly is a unit root:
near the border of determinacy, or where a price values a far future. Where T has an eigenvalue beyond one, sweeps from
nearby lead away: the policies are not the limit of ever longer finite horizons.

T is projected on polynomials in the states, in the mean over simulated dates. Under that measure an average over
tomorrow lengthens no function, so that the projection brings no eigenvalue of its own. As such operators are estimated
from paths elsewhere: Williams, Kevrekidis and Rowley (2015).
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn.economy.anchors import Scale
from deqn.economy.economy import Economy
from deqn.equations.residuals import residuals, stack_rows
from deqn.evaluation.records import Distance
from deqn.model.layout import multipliers, width
from deqn.policies.network import PolicyNetwork

STATES, NUMBERS = (256, 512), 2**24  # states, as many as the functions ask for; and numbers in all derivatives
MANY = 8192  # states before an economy is called indeterminate
UNKNOWNS, SUPPORT = 600, 4  # of the projected map at most, and states for each function at least
DEFINED = 0.5  # share of the states at which numbers are needed
SINGULAR = 1e-12  # of the largest singular value of an equation's slopes, below which a direction moves nothing
RANK = 1e-7  # of the largest singular value, from which a combination of functions counts


class RecordedPolicy:
    """A policy function that keeps the states [n, n_states] it was last asked at, and its outputs there."""

    def __init__(self, policy: PolicyNetwork, tape: tf.GradientTape):
        self._policy, self._tape, self.dtype = policy, tape, policy.dtype
        self.states: tf.Tensor | None = None
        self.outputs: tf.Tensor | None = None

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        self.states, self.outputs = states, self._policy.outputs(states)
        self._tape.watch(self.outputs)
        return self._policy.bounds(self.outputs)


@dataclass(frozen=True)
class Slopes:
    """At some states [n, n_states] with `outputs` [n, m]: `tomorrow` [n, nodes, n_states], the Newton `step` [n, m]
    that solves today's equations, and the `response` [n, m, nodes, m] of today's outputs to tomorrow's at each node."""

    states: np.ndarray
    tomorrow: np.ndarray
    outputs: np.ndarray
    step: np.ndarray
    response: np.ndarray


def estimate_distance(
    economy: Economy[PolicyNetwork], states: tf.Tensor, finer: Economy[PolicyNetwork]
) -> Distance | None:
    """How far the policies are from the solution at simulated states [n, n_states]; None where there are no numbers, or
    the economy is too large for it.

    `finer`: the same under the expectation by which residuals are judged, many more nodes than the slopes need.
    """
    m, nodes = economy.policy.anchor.outputs, economy.expectation.nodes
    available = min(NUMBERS // (nodes * m * m), states.shape[0])
    degree = choose_degree(states.shape[1], m, min(available, STATES[1]))
    if degree is None:
        return None
    count = min(available, int(np.clip(2 * SUPPORT * count_functions(states.shape[1], degree), *STATES)))
    found = estimate_at(economy, spread_evenly(states, count), finer, degree)
    if found is not None and not found.is_limit:  # few states may err where the economy is persistent and skewed
        found = estimate_at(economy, spread_evenly(states, min(available, MANY)), finer, degree)
    return found


def spread_evenly(states: tf.Tensor, count: int) -> tf.Tensor:
    """So many of packed states [n, n_states], over all of them."""
    return tf.gather(states, np.linspace(0, states.shape[0] - 1, count).astype(int))


def estimate_at(
    economy: Economy[PolicyNetwork], states: tf.Tensor, finer: Economy[PolicyNetwork], degree: int
) -> Distance | None:
    """The estimate at given states, by polynomials of a degree; None where there are no numbers."""
    parts = [measure_slopes(economy, part, finer) for part in economy.slices(states)]
    at = Slopes(*(np.concatenate(x) for x in zip(*(vars(part).values() for part in parts), strict=True)))
    defined = np.isfinite(at.response).all((1, 2, 3)) & np.isfinite(at.step).all(1)
    if defined.mean() < DEFINED:
        return None
    at = Slopes(*(x[defined] for x in vars(at).values()))
    change, radius = sum_up(at, *(span_polynomials(economy, x, degree) for x in (at.states, at.tomorrow)))
    give = lambda outputs: economy.policy.bounds(tf.constant(outputs, states.dtype)).numpy().astype(float)
    return Distance(radius, compare_policies(economy, give(at.outputs), give(at.outputs + change)),
                    [m.name for m in multipliers(economy.model)])  # fmt: skip


def measure_slopes(economy: Economy[PolicyNetwork], states: tf.Tensor, finer: Economy[PolicyNetwork]) -> Slopes:
    """The derivatives of today's equations at packed states: one backward pass an equation serves all states.

    The equations' values are those of the `finer` expectation.
    """
    n, m, nodes = states.shape[0], economy.policy.anchor.outputs, economy.expectation.nodes
    outputs = economy.policy.outputs(states)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(outputs)
        policy = RecordedPolicy(economy.policy, tape)
        errors = residuals(economy.model, policy, economy.expectation, states, economy.policy.bounds(outputs))
        rows = tf.unstack(stack_rows(errors, n))
    slopes = [tape.gradient(row, (outputs, policy.outputs), unconnected_gradients="zero") for row in rows]
    today = np.stack([own.numpy() for own, _ in slopes], 1).astype(float)  # [n, m, m]
    later = np.stack([next_.numpy().reshape(nodes, n, m) for _, next_ in slopes]).astype(float)  # [m, nodes, n, m]
    values = measure_residuals(finer, states)
    inverse = invert(today)
    tomorrow = np.swapaxes(policy.states.numpy().reshape(nodes, n, -1), 0, 1)
    step, response = -np.einsum("pij,pj->pi", inverse, values), -np.einsum("pij,jvpk->pivk", inverse, later)
    return Slopes(states.numpy(), tomorrow, outputs.numpy().astype(float), step, response)


def measure_residuals(economy: Economy[PolicyNetwork], states: tf.Tensor) -> np.ndarray:
    """The residuals of all equations at packed states, [n, equations]."""
    parts = [stack_rows(economy.residuals(part), part.shape[0]).numpy() for part in economy.slices(states)]
    return np.concatenate(parts, 1).T.astype(float)


def invert(slopes: np.ndarray) -> np.ndarray:
    """Inverses [n, m, m]; no numbers (NaN) where there are none, or a direction of the policies moves no equation."""
    known = np.isfinite(slopes).all((1, 2))
    left, sizes, right = np.linalg.svd(np.where(known[:, None, None], slopes, np.eye(slopes.shape[1])))
    regular = known & (sizes[:, -1] > SINGULAR * sizes[:, 0])
    inverse = np.einsum("pji,pj,pkj->pik", right, 1 / np.where(regular[:, None], sizes, 1.0), left)
    return np.where(regular[:, None, None], inverse, np.nan)


def span_polynomials(economy: Economy, states: np.ndarray, degree: int) -> np.ndarray:
    """The monomials up to a degree in the states [..., n_states], scaled to the box: [..., functions]."""
    packed = tf.constant(states.reshape(-1, states.shape[-1]), economy.policy.dtype)
    x = Scale(economy.domain)(packed).numpy().astype(float)
    rows, columns = np.triu_indices(x.shape[1])
    squares = x[:, rows] * x[:, columns] if degree == 2 else x[:, :0]
    return np.concatenate([np.ones_like(x[:, :1]), x, squares], 1).reshape(*states.shape[:-1], -1)


def sum_up(at: Slopes, today: np.ndarray, tomorrow: np.ndarray) -> tuple[np.ndarray, float]:
    """What the Newton steps add up to [n, m], and the largest modulus of an eigenvalue of the map.

    `today` [n, k] and `tomorrow` [n, nodes, k]: the functions on which the map is projected.
    """
    basis, sizes, mixed = np.linalg.svd(today, full_matrices=False)
    kept = sizes > RANK * sizes[0]
    basis, mix = basis[:, kept], mixed[kept].T / sizes[kept]
    spread = np.einsum("pivj,pvk->pijk", at.response, tomorrow @ mix, optimize=True)  # [n, m, m, k]
    (n, m), k = at.step.shape, basis.shape[1]
    image = spread.reshape(n, m, m * k)
    matrix = np.einsum("pl,pic->ilc", basis, image, optimize=True).reshape(m * k, m * k)
    start = np.einsum("pl,pi->il", basis, at.step).ravel()
    total = np.linalg.lstsq(np.eye(m * k) - matrix, start, rcond=None)[0]
    return at.step + image @ total, float(np.abs(np.linalg.eigvals(matrix)).max())


def compare_policies(economy: Economy, before: np.ndarray, after: np.ndarray) -> dict[str, dict[str, float]]:
    """The differences of packed policies [n, n_policies] by name: the mean, the largest, and the mean as a share of the
    policy's mean size."""
    found, first = {}, 0
    for declared in economy.model.policies:
        columns = slice(first, first := first + width(declared))
        difference, size = np.abs(after - before)[:, columns], np.abs(before[:, columns]).mean()
        mean, share = difference.mean(), difference.mean() / size if size > 0 else 0.0
        found[declared.name] = {"mean": float(mean), "max": float(difference.max()), "share": float(share)}
    return found


def count_functions(n_states: int, degree: int) -> int:
    """Of polynomials up to a degree in so many states."""
    return (n_states + 1) * (n_states + 2) // 2 if degree == 2 else n_states + 1


def choose_degree(n_states: int, outputs: int, states: int) -> int | None:
    """The degree of the polynomials: two where that is affordable and the states suffice, else one, or None."""
    for degree in (2, 1):
        functions = count_functions(n_states, degree)
        if functions * outputs <= UNKNOWNS and SUPPORT * functions <= states:
            return degree
    return None
