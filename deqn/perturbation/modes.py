"""Modes of an economy at rest: the eigenvalues that follow from its policies, and those that no policy can move.

Tomorrow's states s' = T(s, u) move with slopes A = T_s and B = T_u, and under policies u = g s by C = A + B g. Policies
reach, sooner or later, the states that B, AB, AAB, ... span. What is left moves by itself, whatever g is (Popov,
Belevitch and Hautus): there an eigenvalue on the unit circle is a random walk or a conserved quantity, and says nothing
about the solution. Elsewhere it says that the economy drifts, since every level is a resting point.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import tensorflow as tf

from deqn.model.declaration import Model
from deqn.model.layout import box_widths, fixed, labels, limits, mean_shocks, named_point, pack
from deqn.perturbation.derivatives import jacobians
from deqn.perturbation.first_order import LinearSolution
from deqn.perturbation.reachable import split_reachable
from deqn.perturbation.steady_state import SteadyState

CIRCLE = 1e-6  # distance from the unit circle up to which an eigenvalue of the equations lies on it
LEARNED = 1e-3  # the same for one of a trained policy, whose slopes carry its error
SUPPORT = 1e-6  # share of the largest entry from which a state belongs to a mode
NAMED = 0.1  # share of the largest entry from which a state is named as drifting


@dataclass(frozen=True)
class UnitRoot:
    """An eigenvalue on the unit circle: `kind` is exogenous, conserved or drift; `states` holds the labels it moves."""

    kind: str
    states: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.states[:4]) + ", ..." * (len(self.states) > 4)
        words = {"exogenous": f"{names}: unit root that no policy moves",
                 "conserved": f"a combination of {names}: conserved, whatever the policies are",
                 "drift": f"{names}: every level is a resting point"}  # fmt: skip
        return words[self.kind]


@dataclass(frozen=True)
class Modes:
    """The eigenvalues of a closed loop: those that no policy moves, and those that follow from the policies.

    `kept` [n_states, k]: the combinations of states, in widths of the box, that stay what they were (unit roots that no
    policy moves). `unit_roots`: what is on the circle, by name; drifts are those of the first-order solution.
    `shared_spread`: where the economy rests nowhere, and the one mode is the rate at which paths with the same shocks
    come together, the distance between them in the end, in widths of the box; None where it rests.
    """

    exogenous: np.ndarray
    endogenous: np.ndarray
    kept: np.ndarray
    unit_roots: tuple[UnitRoot, ...]
    shared_spread: float | None = None

    @property
    def spectral_radius(self) -> float:
        return largest_modulus([*self.exogenous, *self.endogenous])

    @property
    def drifts(self) -> int:
        """How many directions have no resting point of their own."""
        return sum(root.kind == "drift" for root in self.unit_roots)

    @property
    def decaying(self) -> float:
        """The largest modulus beside unit roots: the rate at which starts are forgotten, or at which paths explode."""
        own = [abs(x) for x in self.exogenous if abs(abs(x) - 1) > CIRCLE]
        moved = sorted(map(abs, self.endogenous), key=lambda r: abs(r - 1))
        drifting = all(abs(r - 1) <= LEARNED for r in moved[: self.drifts])
        return largest_modulus([*own, *moved[self.drifts if drifting else 0 :]])


def largest_modulus(eigenvalues: Sequence[complex]) -> float:
    """The largest modulus, zero where there is none."""
    return float(max(map(abs, eigenvalues), default=0.0))


def transition_slopes(model: Model, states: np.ndarray, policies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A [members, n, n] and B [members, n, m] at packed states [members, n] and policies, with shocks at means."""
    n, m = states.shape[1], policies.shape[1]

    def move(z: tf.Tensor) -> tf.Tensor:
        now = named_point(model, z[:, :n], z[:, n:])
        return pack(model.transition(now, mean_shocks(model, now, z.dtype)), model.states, 1, z.shape[0], z.dtype)

    slopes = jacobians(move, np.hstack([states, policies]), np.eye(n + m))
    return slopes[:, :, :n], slopes[:, :, n:]


def split_equilibrium_modes(model: Model, steady: SteadyState, solution: LinearSolution) -> Modes:
    """The modes of the first-order solution."""
    A, B = transition_slopes(model, steady.states[None], steady.policies[None])
    moving = ~fixed(model.states)
    h_x = solution.law_of_motion[moving][:, moving]
    return split_modes(model, (A[0][moving][:, moving], B[0][moving]), h_x, h_x)


def split_modes(
    model: Model, slopes: tuple[np.ndarray, np.ndarray], closed_loop: np.ndarray, first_order: np.ndarray | None
) -> Modes:
    """The modes of a closed loop C [n, n] at a steady state, where the transition has the `slopes` (A, B).

    `first_order`: the C of the first-order solution, which tells whether the economy drifts; None where it has none.
    States that are constant by construction (the parameters of a family) are left out of all [n, ...].
    """
    if not all(np.isfinite(x).all() for x in (*slopes, closed_loop)):
        return Modes(np.zeros(0), np.array([np.inf]), np.zeros((len(closed_loop), 0)), ())
    widths, names = (np.array(x)[~fixed(model.states)] for x in (box_widths(model.states), labels(model.states)))
    A, C = (x * widths / widths[:, None] for x in (slopes[0], closed_loop))
    spans = np.subtract(*reversed(limits(model.policies)))  # of the policies, which move by one where this is infinite
    reached, alone = split_reachable(A, slopes[1] * np.where(np.isfinite(spans), spans, 1.0) / widths[:, None])
    by_itself = alone.T @ A @ alone
    kept = alone @ span_unit_circle(by_itself.T)
    roots = [*name_unit_roots(kept, names)]
    if first_order is not None:
        drifting = span_unit_circle(reached.T @ (first_order * widths / widths[:, None]) @ reached)
        sizes = np.abs(reached @ drifting)  # [n, directions]
        roots += [UnitRoot("drift", tuple(names[size >= NAMED * size.max()])) for size in sizes.T]
    return Modes(np.linalg.eigvals(by_itself), np.linalg.eigvals(reached.T @ C @ reached), kept, tuple(roots))


def span_unit_circle(M: np.ndarray) -> np.ndarray:
    """An orthonormal basis [n, k] of what M maps into itself with eigenvalues on the unit circle."""
    if not len(M):
        return np.zeros((0, 0))
    _, Z, count = scipy.linalg.schur(M, sort=lambda re, im: abs(np.hypot(re, im) - 1) <= CIRCLE, output="real")
    return Z[:, :count]


def name_unit_roots(kept: np.ndarray, names: np.ndarray) -> Sequence[UnitRoot]:
    """What stays by itself, by name: states one by one, or all together where they are conserved in combination."""
    sizes = np.abs(kept).max(1, initial=0.0)
    if not sizes.any():
        return []
    support = tuple(names[sizes > SUPPORT * sizes.max()])
    if len(support) == kept.shape[1]:
        return [UnitRoot("exogenous", (name,)) for name in support]
    return [UnitRoot("conserved", support)]
