"""The first-order solution around the deterministic steady state, for any model.

With deviations s of the states and u of the policies, the derivatives of the model's own equations give the system
L [s'; u'] = R [s; u]. Its generalized Schur form with the stable roots first yields the rule u = slope s and the law of
motion s' = dynamics s, provided that as many roots are stable as there are states. Sources: Blanchard and Kahn (1980),
Klein (2000). Certainty equivalence makes it the first-order solution with risk, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.linalg
import tensorflow as tf

from deqn.errors import InputError
from deqn.model import Model, limits
from deqn.residuals import stacked, without_risk
from deqn.steady_state import SteadyState
from deqn.taylor import jacobian

SINGULAR = 1e-13  # a root 0 / 0, in a system whose rows have length one
UNIT = 1 + 1e-6  # roots up to here count as stable, so that states which never change are allowed


@dataclass(frozen=True)
class LinearSolution:
    """`slope` [n_policies, n_states] of the policies, `dynamics` [n_states, n_states], moduli of all roots, sorted.

    `impact` [equations, n_policies]: of the equations with respect to today's policies, with tomorrow's on the rule.
    """

    slope: np.ndarray
    dynamics: np.ndarray
    roots: np.ndarray
    impact: np.ndarray


class LinearRule:
    """The first-order policies in levels, as Dynare's `order=1` has them, cut off at the policies' bounds."""

    def __init__(self, model: Model, steady: SteadyState, solution: LinearSolution, dtype: tf.DType):
        self.dtype = dtype
        self._states, self._policies = (tf.constant(x, dtype) for x in (steady.states, steady.policies))
        self._slope = tf.constant(solution.slope.T, dtype)
        self._lower, self._upper = (tf.constant(x, dtype) for x in limits(model.policies))
        self.floats = len(steady.policies)  # numbers that one state needs

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, n_states] -> [n, n_policies]."""
        policies = self._policies + tf.matmul(states - self._states, self._slope)
        return tf.clip_by_value(policies, self._lower, self._upper)


def linear_solution(model: Model, steady: SteadyState) -> LinearSolution:
    """The stable first-order solution. Raises InputError where there is none, or more than one, with the roots."""
    return solved(*derivatives(model, steady), steady)


def solved(transition: Sequence[np.ndarray], equations: Sequence[np.ndarray], steady: SteadyState) -> LinearSolution:
    """The solution that follows from derivatives of the transition in (s, u), and of the equations in (s, u, s', u').

    Raises InputError as `linear_solution` does.
    """
    (T_s, T_u), (F_s, F_u, F_later_s, F_later_u) = transition, equations
    n, m = len(steady.states), len(steady.policies)
    if F_u.shape[0] != m:
        raise InputError(f"residuals returned {F_u.shape[0]} equations for {m} policies: no first-order solution")
    left = np.block([[np.eye(n), np.zeros((n, m))], [F_later_s, F_later_u]])
    right = np.block([[T_s, T_u], [-F_s, -F_u]])
    values = np.concatenate([steady.states, steady.policies])
    units = np.where(np.abs(values) > 0, np.abs(values), 1.0)  # deviations as shares of the steady state
    rows = np.abs(np.hstack([left, right]) * np.tile(units, 2)).max(1, keepdims=True)
    left, right = left * units / np.where(rows > 0, rows, 1), right * units / np.where(rows > 0, rows, 1)
    try:
        *_, alpha, beta, _, Z = scipy.linalg.ordqz(right, left, sort=is_stable, output="complex")
    except (ValueError, np.linalg.LinAlgError) as error:  # not finite, or too ill-conditioned to be ordered
        raise InputError(f"the equations near the steady state cannot be solved to first order: {error}") from error
    if (np.maximum(np.abs(alpha), np.abs(beta)) < SINGULAR).any():
        raise InputError("the equations do not determine the policies near the steady state: to first order one of "
                         "them follows from the others")  # fmt: skip
    with np.errstate(divide="ignore"):
        roots = np.sort(np.abs(alpha) / np.abs(beta))
    stable = int(np.sum(is_stable(alpha, beta)))
    if stable != n or np.linalg.cond(Z[:n, :n]) > 1e12:
        why = "so" if stable != n else "which do not span them, so"
        kind = f"{why} it is indeterminate" if stable > n else f"{why} it has no stable solution"
        raise InputError(f"near the steady state the model has {stable} stable roots for {n} states, {kind} "
                         f"(Blanchard and Kahn); the moduli of its roots are {shown(roots, n)}")  # fmt: skip
    slope = np.real(Z[n:, :n] @ np.linalg.inv(Z[:n, :n])) * units[n:, None] / units[:n]
    impact = F_u + (F_later_s + F_later_u @ slope) @ T_u
    return LinearSolution(slope, T_s + T_u @ slope, roots, impact)


def is_stable(alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Whether the root alpha / beta lies inside the unit circle, or on it."""
    return np.abs(alpha) < UNIT * np.abs(beta)


def shown(roots: np.ndarray, n: int) -> str:
    """The moduli around the n-th, which decide."""
    near = roots[max(0, n - 4) : n + 4]
    return ", ".join([*["..."] * (n > 4), *(f"{r:.4g}" for r in near), *["..."] * (len(roots) > n + 4)])


def derivatives(model: Model, steady: SteadyState) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """At the steady state: of the transition in (s, u), and of the residuals in (s, u, s', u')."""
    n, m = len(steady.states), len(steady.policies)
    row = np.concatenate([steady.states, steady.policies])
    moved, equations = np.split(jacobian(partial(system, model, n, m), np.tile(row, 2)), [n])
    return np.split(moved[:, : n + m], [n], axis=1), np.split(equations, [n, n + m, 2 * n + m], axis=1)


def system(model: Model, n: int, m: int, z: tf.Tensor) -> tf.Tensor:
    """Tomorrow's states and the residuals, [batch, n + equations], at (s, u, s', u'), [batch, 2 (n + m)]."""
    tomorrow, errors = without_risk(model, *tf.split(z, [n, m, n, m], axis=1))
    return tf.concat([tomorrow, tf.transpose(stacked(errors, z.shape[0]))], 1)
