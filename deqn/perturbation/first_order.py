"""The first-order solution around the deterministic steady state, for any model.

With deviations s of the states and u of the policies, the derivatives of the model's own equations give the system
L [s'; u'] = R [s; u]. Its generalized Schur form with the stable eigenvalues first yields the decision rule u = g_x s
and the law of motion s' = h_x s, provided that as many eigenvalues are stable as there are states. Sources: Blanchard
and Kahn (1980), Klein (2000). Certainty equivalence makes it the first-order solution with risk, too.

If a policy rests exactly on its bound with a multiplier of zero, complementary slackness has a kink, and each side has
a solution of its own. The slack side is used if it has a stable solution, and the binding side otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.linalg
import tensorflow as tf

from deqn.equations.residuals import stack_rows, without_risk
from deqn.model.declaration import Model
from deqn.model.layout import box_widths, labels, limits, output_columns
from deqn.perturbation.derivatives import jacobian
from deqn.perturbation.reachable import find_exogenous_moduli
from deqn.perturbation.steady_state import SteadyState
from deqn.system.errors import InputError

SINGULAR = 1e-13  # an eigenvalue 0 / 0, in a system whose rows have length one
FREE = 1e-9  # singular value of the steady state's equations, up to which there is a line of rest points
TINY_POLICY = 1e-3  # a policy at rest below it is measured by the distance of its bounds, or by one
KINK = 1e-8  # distance from a bound and multiplier up to which a constraint just binds
UNIT = 1 + 1e-6  # eigenvalues up to here count as stable, so that states which never change are allowed


class NoLocalSolution(InputError):
    """The equations have no stable solution near the steady state, or no finite derivatives; elsewhere they may."""


class Indeterminate(InputError):
    """The equations have many stable solutions near the steady state."""


@dataclass(frozen=True)
class LinearSolution:
    """The stable solution in levels around the steady state.

    `jacobian_today`: of the equations with respect to today's policies, with tomorrow's on the decision rule.
    `note`: on which side of its bound a policy moves that rests exactly on it, and what the other side says.
    """

    decision_rule: np.ndarray  # g_x [n_policies, n_states]
    law_of_motion: np.ndarray  # h_x [n_states, n_states]
    moduli: np.ndarray  # of all eigenvalues, sorted
    jacobian_today: np.ndarray  # [equations, n_policies]
    note: str = ""


def linear_solution(model: Model, steady: SteadyState) -> LinearSolution:
    """The stable first-order solution. Raises NoLocalSolution where there is none, InputError where there are more."""
    return solve_at_rest(model, *differentiate_equations(model, steady), steady)


def solve_at_rest(
    model: Model, transition: Sequence[np.ndarray], equations: Sequence[np.ndarray], steady: SteadyState
) -> LinearSolution:
    """As `solve_first_order`, on one side of each constraint that just binds at rest: slack, else binding."""
    found, reasons = {}, {}
    for side, kept in split_kink(model, equations, steady).items():
        try:
            found[side] = solve_first_order(transition, kept, steady)
        except InputError as error:
            reasons[side] = error
    if "" in reasons:  # there is no kink
        raise reasons[""]
    if "" in found:
        return found[""]
    names = ", ".join(labels(model.policies)[i] for i in find_just_binding(model, steady)[1])
    if not found:
        local = all(isinstance(reason, NoLocalSolution) for reason in reasons.values())
        kind = NoLocalSolution if local else InputError
        raise kind(f"{names} rests exactly on a bound. Off it: {reasons['off']}. On it: {reasons['on']}")
    side, other = ("off", "on") if "off" in found else ("on", "off")
    note = f"{names} rests exactly on a bound; this is the solution {side} it"
    if other in reasons:
        note += f", and {other} it there is none: {reasons[other]}. Under risk there may be no equilibrium"
    return replace(found[side], note=note)


def split_kink(model: Model, equations: Sequence[np.ndarray], steady: SteadyState) -> dict[str, Sequence[np.ndarray]]:
    """The derivatives of the equations by the side of the kink at which the steady state lies: "off" the bounds that
    just bind and "on" them; where none does, one entry with an empty name."""
    rows, own, beside = find_just_binding(model, steady)
    if not len(rows):
        return {"": equations}
    sides = {}
    for side, kept in (("off", beside), ("on", own)):  # the multiplier stays at zero, or the policy at its bound
        sides[side] = [part.copy() for part in equations]
        for part in sides[side]:
            part[rows] = 0
        sides[side][1][rows, kept] = 1
    return sides


def find_just_binding(model: Model, steady: SteadyState) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Constraints at whose kink the steady state lies: the rows of their slackness among the equations, which stand
    last in the order of the multipliers, and the columns of policy and multiplier, [constraints] each."""
    columns, found = output_columns(model.policies), []
    for bounds, beside, reached in zip(limits(model.policies), (columns.lower, columns.upper),
                                       (columns.reach_lower, columns.reach_upper), strict=True):  # fmt: skip
        found.append([columns.own[reached], beside[reached], bounds[columns.own][reached]])
    own, beside, bound = map(np.concatenate, zip(*found, strict=True))
    own, beside, bound = (x[np.argsort(beside)] for x in (own, beside, bound))
    near = (np.abs(steady.policies[own] - bound) <= KINK) & (np.abs(steady.policies[beside]) <= KINK)
    return (len(steady.policies) - len(own) + np.arange(len(own)))[near], own[near], beside[near]


def solve_first_order(
    transition: Sequence[np.ndarray], equations: Sequence[np.ndarray], steady: SteadyState
) -> LinearSolution:
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
        *_, alpha, beta, _, Z = scipy.linalg.ordqz(right, left, sort=is_inside_circle, output="complex")
    except (ValueError, np.linalg.LinAlgError) as error:  # not finite, or too ill-conditioned to be ordered
        raise NoLocalSolution(
            f"the equations near the steady state cannot be solved to first order: {error}"
        ) from error
    if (np.maximum(np.abs(alpha), np.abs(beta)) < SINGULAR).any():
        raise InputError("the equations do not determine the policies near the steady state: to first order one of "
                         "them follows from the others")  # fmt: skip
    with np.errstate(divide="ignore"):
        moduli = np.sort(np.abs(alpha) / np.abs(beta))
    stable = int(np.sum(is_inside_circle(alpha, beta)))
    if stable != n or np.linalg.cond(Z[:n, :n]) > 1e12:
        why = "so" if stable != n else "which do not span them, so"
        kind = f"{why} it is indeterminate" if stable > n else f"{why} it has no stable solution"
        near = [f"{r:.4g}" for r in moduli[max(0, n - 4) : n + 4]]  # which decide
        listed = ", ".join([*["..."] * (n > 4), *near, *["..."] * (len(moduli) > n + 4)])
        free = max(find_exogenous_moduli(T_s, T_u), default=0.0) < UNIT  # else no policy is stable
        error = Indeterminate if stable > n else NoLocalSolution if free else InputError
        raise error(f"near the steady state the model has {stable} stable roots for {n} states, {kind} "
                    f"(Blanchard and Kahn); the moduli of its roots are {listed}")  # fmt: skip
    g_x = np.real(Z[n:, :n] @ np.linalg.inv(Z[:n, :n])) * units[n:, None] / units[:n]
    return LinearSolution(g_x, T_s + T_u @ g_x, moduli, F_u + (F_later_s + F_later_u @ g_x) @ T_u)


def is_inside_circle(alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Whether the eigenvalue alpha / beta lies inside the unit circle, or on it."""
    return np.abs(alpha) < UNIT * np.abs(beta)


def differentiate_equations(model: Model, steady: SteadyState) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """At the steady state: of the transition in (s, u), and of the residuals in (s, u, s', u')."""
    n, m = len(steady.states), len(steady.policies)
    row = np.concatenate([steady.states, steady.policies])
    moved, equations = np.split(jacobian(partial(dated_equations, model, n, m), np.tile(row, 2)), [n])
    return np.split(moved[:, : n + m], [n], axis=1), np.split(equations, [n, n + m, 2 * n + m], axis=1)


def find_free_directions(model: Model, steady: SteadyState) -> list[list[str]]:
    """The variables that may move while the economy stays at rest, by direction; empty if it is isolated."""
    (T_s, T_u), equations = differentiate_equations(model, steady)
    n = len(steady.states)
    spans, sizes = np.subtract(*reversed(limits(model.policies))), np.abs(steady.policies)
    policy_units = np.where(sizes > TINY_POLICY, sizes, np.where(np.isfinite(spans), spans, 1))
    units = np.concatenate([box_widths(model.states), policy_units])
    found = []
    for F_s, F_u, F_later_s, F_later_u in split_kink(model, equations, steady).values():
        slopes = np.block([[T_s - np.eye(n), T_u], [F_s + F_later_s, F_u + F_later_u]]) * units
        sizes = np.abs(slopes).max(1, keepdims=True)
        slopes[:n] /= units[:n, None]
        slopes[n:] /= np.where(sizes[n:] > 0, sizes[n:], 1)
        _, gains, directions = np.linalg.svd(slopes)
        found += [v for gain, v in zip(gains, directions, strict=True) if gain < FREE]
    names = np.array(labels([*model.states, *model.policies]))
    return [list(names[np.abs(v) > 0.05 * np.abs(v).max()]) for v in found]


def dated_equations(model: Model, n: int, m: int, z: tf.Tensor) -> tf.Tensor:
    """Tomorrow's states and the residuals, [batch, n + equations], at (s, u, s', u'), [batch, 2 (n + m)]."""
    tomorrow, errors = without_risk(model, *tf.split(z, [n, m, n, m], axis=1))
    return tf.concat([tomorrow, tf.transpose(stack_rows(errors, z.shape[0]))], 1)
