"""What can be known about a model before it is trained, beyond the contract: where training would fail, and why."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from deqn.checks.undefined import check_box, count_affordable, describe_state
from deqn.economy.anchors import LOCAL
from deqn.economy.domain import Domain, SobolPoints, box_states, concerns_rest_alone
from deqn.economy.economy import Economy
from deqn.economy.exact import closed_form, exact_residuals, measure_refinement
from deqn.equations.expectation import Expectation
from deqn.equations.quadrature import choose_quadrature, count_normals
from deqn.equations.residuals import residuals, slackness_names, without_risk
from deqn.model.declaration import Model
from deqn.model.findings import Finding, call
from deqn.model.layout import labels, limits, width
from deqn.optimizers.keras_optimizer import build_optimizer
from deqn.perturbation.first_order import differentiate_equations, linear_solution
from deqn.perturbation.modes import split_equilibrium_modes
from deqn.perturbation.steady_state import SteadyState, find_middle, spread_points
from deqn.settings.schema import Evaluation, Optimizer, Quadrature, Schedule, Training
from deqn.system.errors import InputError

STEP = 0.01  # by which a variable is moved
LARGE, SMALL = 100.0, 1e-3  # changes of a residual, as multiples of the step, that show a unit
INFINITE = 1e8  # an eigenvalue that is infinite but for rounding errors
CLOSED_FORM_RESIDUAL = 1e-6  # residual of a closed form


def list_concerns(economy: Economy) -> list[str]:
    """Residuals with a unit, and points of the box without numbers, not refused: perhaps they are never visited."""
    units = () if economy.steady is None else check_units(economy.model, economy.steady).warnings
    return [*units, *check_box(economy).failures]


def check_gradients(model: Model, domain: Domain, steady: SteadyState | None) -> Finding:
    """Whether a derivative leads from every policy to an equation, at the steady state or elsewhere in the box."""
    points = [*scatter_points(domain, 3)] + [steady] * (steady is not None)
    reach = call("residuals", lambda: influence(model, points))
    unread = np.logical_not(sum(reach.values()))
    if unread.any():
        unread &= ~call("residuals", lambda: find_later_acting(model, points), np.ndarray)
    problems = [
        f"policy {name!r} enters no equation: residuals have no derivative in it, today or by way of tomorrow's states"
        for name, lost in zip(labels(model.policies), unread, strict=True) if lost
    ]  # fmt: skip
    problems += [
        f"equation {name!r} depends on no policy: training cannot change it"
        for name, slopes in reach.items() if not slopes.any()
    ]  # fmt: skip
    return Finding(None, "every policy reaches an equation, and vice versa", problems)


def influence(model: Model, points: Sequence[SteadyState]) -> dict[str, np.ndarray]:
    """For every equation the absolute derivatives in the policies [n_policies], summed over points: in those of today,
    also by way of tomorrow's states, and in those of tomorrow."""
    states = tf.constant(np.stack([p.states for p in points]))
    now, later = (tf.constant(np.stack([p.policies for p in points])) for _ in range(2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([now, later])
        tomorrow, _ = without_risk(model, states, now, states, now)
        _, errors = without_risk(model, states, now, tomorrow, later)
        rows = {}
        for name, r in errors.items():
            parts = tf.unstack(tf.reshape(r, (-1, len(points))))
            rows |= {name if len(parts) == 1 else f"{name}[{i}]": part for i, part in enumerate(parts)}
    return {
        name: sum(np.abs(slope).sum(0) for slope in tape.gradient(row, [now, later], unconnected_gradients="zero"))
        for name, row in rows.items()
    }


def find_later_acting(model: Model, points: Sequence[SteadyState]) -> np.ndarray:
    """Which policies move a state of tomorrow on which tomorrow's policies depend, [n_policies].

    That is a state which enters an equation, or moves a state which does, while an equation reads tomorrow's policies.
    """
    parts = [differentiate_equations(model, p) for p in points]
    (T_s, T_u), (F_s, _, F_later_s, F_later_u) = (
        [sum(np.nan_to_num(np.abs(x)) for x in matrices) for matrices in zip(*side, strict=True)]
        for side in zip(*parts, strict=True)
    )
    matters = (F_s + F_later_s).any(0)  # [n_states]
    for _ in matters:
        matters = matters | T_s[matters].any(0)
    return T_u[matters].any(0) & F_later_u.any()


def scatter_points(domain: Domain, count: int) -> Iterator[SteadyState]:
    """Points of the box with policies spread between their bounds."""
    lower, upper = limits(domain.model.policies)
    rng = np.random.default_rng(0)
    for _ in range(count):
        states = domain.place(tf.constant(rng.random((1, sum(map(width, domain.model.states)))))).numpy()[0]
        yield SteadyState(states, spread_points(rng.random(len(lower)), lower, upper))


def check_units(model: Model, steady: SteadyState) -> Finding:
    """How much each equation changes when a variable moves by 1 %: about as much where its residual has no unit."""
    base = np.concatenate([steady.states, steady.policies])
    ceiling = np.concatenate([np.full(len(steady.states), np.inf), limits(model.policies)[1]])
    moves = STEP * np.where(np.abs(base) > 1e-8, base, 1.0)
    moves = np.tile(np.where(base + moves > ceiling, -moves, moves), 2)
    rows = np.tile(base, 2) + np.concatenate([np.zeros((1, len(moves))), np.diag(moves)])  # [1 + directions, ...]
    cuts = np.cumsum([len(steady.states), len(steady.policies), len(steady.states)])
    dates = [tf.constant(part) for part in np.split(rows, cuts, axis=1)]
    errors = call("residuals", lambda: without_risk(model, *dates)[1])
    errors = {name: r for name, r in errors.items() if name not in slackness_names(model)}  # no equation of the model's
    problems, sizes = [], {}
    for name, r in errors.items():
        r = np.reshape(r, (-1, len(rows)))
        change = np.nan_to_num(np.abs(r[:, 1:] - r[:, :1]) / STEP)  # [n, directions]
        sizes[name] = typical = max(np.median(c[c > 0.01 * c.max()]) if c.any() else 0.0 for c in change)
        least = change.max(1).min()
        if typical > LARGE or 0 < least < SMALL:
            worst = typical if typical > LARGE else least
            problems.append(f"residuals: a variable that moves by 1 % changes equation {name!r} by {worst * STEP:.2g}, "
                            f"expected is about 0.01: write it relative to consumption or output")  # fmt: skip
    changes = ", ".join(f"{name} by {size:.2g} %" for name, size in sizes.items())
    return Finding(None, f"a variable that moves by 1 % changes {changes}", warnings=problems)


def check_eigenvalues(model: Model, steady: SteadyState, domain: Domain, anchor: str) -> Finding:
    """Blanchard and Kahn's count. Raises InputError where the `anchor` cannot do with what it says."""
    try:
        found = linear_solution(model, steady)
    except InputError as error:
        if anchor in LOCAL or (anchor == "auto" and not concerns_rest_alone(error, domain)):
            raise
        return Finding(None, "no first-order solution", warnings=[str(error)])
    n, moduli = len(steady.states), found.moduli
    unstable = f"unstable from {moduli[n]:.4g}" if moduli[n] < INFINITE else "the others infinite"
    text = f"{n} stable, {n} state{'s' * (n > 1)}: up to {moduli[n - 1]:.4g}, {unstable}"
    unit_roots = split_equilibrium_modes(model, steady, found).unit_roots
    text += "".join(f"\n{root}" for root in unit_roots if root.kind != "drift")
    drifts = [f"{root}; under risk there is no long-run distribution" for root in unit_roots if root.kind == "drift"]
    return Finding(None, text, warnings=[*[found.note] * bool(found.note), *drifts])


def check_choices(
    economy: Economy, optimizer: Optimizer, schedule: Schedule, training: Training, evaluation: Evaluation
) -> Finding:
    """Options of the optimizer and the evaluation's box. Raises InputError where this economy cannot use them."""
    if optimizer.learning_rate is not None:
        build_optimizer(optimizer, schedule, training.steps)
    box_states(economy.domain, evaluation, 0, economy.policy.dtype)
    return Finding(None, f"optimizer {optimizer.name}, box times {evaluation.box_scale:g}")


def check_quadrature(economy: Economy, finer: Expectation, quadrature: Quadrature, tolerance: float) -> Finding:
    """How far the residuals move under a finer rule at points of the box."""
    if not count_normals(economy.model):
        return Finding(None, "exact: no normal shocks")
    states = SobolPoints(economy.domain, count_affordable(economy.model, finer), 0, economy.policy.dtype).points()
    coarse, fine = economy.residuals(states), residuals(economy.model, economy.policy, finer, states)
    moved = np.abs(np.concatenate([np.ravel(coarse[name] - fine[name]) for name in coarse]))
    mean = moved.mean()
    nodes = f"{choose_quadrature(quadrature, economy.model).rule} rule, {economy.expectation.nodes} nodes"
    text = f"{nodes}; {finer.nodes} change residuals by {moved.max():.0e}"
    warning = f"expectation: an error of {mean:.1e} exceeds tolerance={tolerance:g}; take a finer rule"
    return Finding(None, text, warnings=[warning] * bool(mean > tolerance))


def check_closed_form(
    model: Model, domain: Domain, steady: SteadyState | None, finer: Expectation, quadrature: Quadrature
) -> Finding:
    """The residual of the closed form, where there is one, at points of the box; the rule's own error is none of it."""
    hint = f"; expected are the policies {', '.join(p.name for p in model.policies)}, or None"
    exact = call("closed_form", lambda: closed_form(model, steady or find_middle(model)), object, hint)
    if exact is None:
        return Finding(None, "none")
    states = SobolPoints(domain, count_affordable(model, finer), 0, tf.float64).points()
    errors = call("closed_form", lambda: exact_residuals(model, exact, finer, states))
    if errors is None:
        given = exact.values(states[:1])
        missing = [p.name for p in model.policies if p.name not in given]
        return Finding(None, f"of {', '.join(given)} alone: no residual without {', '.join(missing)}")
    sizes = {name: np.abs(np.reshape(r, (-1, len(states)))).max(0) for name, r in errors.items()}
    text = f"residual at most {max(s.max() for s in sizes.values()):.1e} at {len(states)} points of the box"
    wrong = [name for name, s in sizes.items() if not s.max() <= CLOSED_FORM_RESIDUAL]
    if not wrong:
        return Finding(None, text)
    finest, problems = measure_refinement(model, exact, quadrature, states), []
    for name in wrong:
        best = finest[name]
        if best.falls:
            text += f"\nthat of {name} is the rule's own error: {best.nodes} nodes leave {best.largest:.0e}"
        elif not best.largest <= CLOSED_FORM_RESIDUAL:
            problems.append(f"closed_form: equation {name!r} is {best.largest:.2g} at "
                            f"{describe_state(model, states[best.at])}; expected is zero")  # fmt: skip
    return Finding(None, text, problems)
