"""The part of the contract that holds at rest: a steady state, given or found, at which every residual is zero."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.equations.residuals import without_risk
from deqn.model.declaration import Model, Policy, State
from deqn.model.findings import Finding, call
from deqn.model.layout import box, box_widths, limits, pack_row, width
from deqn.perturbation.first_order import find_free_directions
from deqn.perturbation.steady_state import TOLERANCE, NoSteadyState, SteadyState, steady_state


def check_given(model: Model, needed: bool = True) -> Finding:
    """The steady state that the model gives, finite, inside box and bounds; None where it leaves it to be found.

    One outside the box is refused where it is `needed`, and left aside elsewhere.
    """
    try:
        values = call("steady_state", model.steady_state, Mapping | None)
    except NoSteadyState as error:  # of a family, whose members find their own
        return do_without(error, needed)
    if values is None:
        return Finding(None, "")
    problems = [*(p for v in (*model.states, *model.policies) for p in value_problems(v, values))]
    if problems:
        return Finding(None, "", problems)
    for policy in model.policies:
        x, (lower, upper) = np.asarray(values[policy.name], float), limits([policy])
        if ((x < lower) | (x > upper)).any():
            bounds = f"[{policy.lower}, {policy.upper}]"
            problems.append(f"steady_state returned {policy.name}={x} outside its bounds {bounds}")
    (low, high), states = box(model.states), pack_row(values, model.states)
    if ((states < low) | (states > high)).any():
        outside = f"the steady state {states} lies outside the box from {low} to {high}"
        if not needed and not problems:
            return Finding(None, "left aside", warnings=[f"{outside}: the solution starts without one"])
        problems.append(outside)
    steady = SteadyState(states, pack_row(values, model.policies))
    return Finding(steady, f"given: {describe_steady_state(model, steady)}", problems)


def value_problems(variable: State | Policy, values: Mapping[str, Any]) -> Iterator[str]:
    """A steady-state value that is missing, of the wrong shape or not finite."""
    if variable.name not in values:
        yield f"steady_state does not return {variable.name!r}; it returns {', '.join(values)}"
        return
    x = call("steady_state", lambda: np.asarray(values[variable.name], float), np.ndarray)
    if x.shape not in ((), (width(variable),)):
        yield f"steady_state returned {variable.name!r} with shape {x.shape}, declared is {(width(variable),)}"
    elif not np.isfinite(x).all():
        yield f"steady_state returned {variable.name}={x}, which is not finite"


def find_steady_state(model: Model, tell: Callable[[str], None], needed: bool = True) -> Finding:
    """The steady state found from the equations. Raises InputError where one is `needed` and none is found."""
    try:
        steady = steady_state(model, tell)
    except NoSteadyState as error:
        return do_without(error, needed)
    return Finding(steady, f"found: {describe_steady_state(model, steady)}")


def do_without(error: NoSteadyState, needed: bool) -> Finding:
    """What is found where there is no steady state. Raises the error where one is `needed`."""
    if needed:
        raise error
    return Finding(None, "none", warnings=[f"{error}; the solution starts without one"])


def describe_steady_state(model: Model, steady: SteadyState) -> str:
    """A steady state by name; of a vector its first and last entry."""
    variables = (*model.states, *model.policies)
    ends = np.cumsum([width(v) for v in variables])[:-1]
    values = np.concatenate([steady.states, steady.policies])
    named = zip(variables, np.split(np.where(np.abs(values) > 1e-12, values, 0.0), ends), strict=True)
    return ", ".join(f"{v.name}={x[0]:.4g}" + f"...{x[-1]:.4g}" * (len(x) > 1) for v, x in named)


def check_residuals(model: Model, steady: SteadyState) -> Finding:
    """Zero residuals and finite derivatives in states and policies at the deterministic steady state."""
    states, row = (tf.constant(x[None]) for x in (steady.states, steady.policies))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([states, row])
        tomorrow, errors = without_risk(model, states, row, states, row)
    problems = []
    drift = (np.abs(tomorrow - states) / box_widths(model.states)).max()
    if not drift <= TOLERANCE:
        problems.append(f"transition does not stay at steady_state: the states {states.numpy()[0]} become "
                        f"{tomorrow.numpy()[0]}")  # fmt: skip
    sizes = {name: np.abs(r).max() for name, r in errors.items()}
    for name, r in errors.items():
        if not sizes[name] <= TOLERANCE:
            problems.append(f"residuals: equation {name!r} is {sizes[name]:.3g} at steady_state, not zero")
            continue
        for where, at in (("states", states), ("policies", row)):
            slope = tape.gradient(r, at)
            if slope is not None and not np.isfinite(slope).all():
                problems.append(f"residuals: equation {name!r} has the derivative {slope.numpy()[0]} in the {where} "
                                f"at steady_state")  # fmt: skip
    text = f"at most {max(sizes.values()):.1e} at the steady state"
    if not problems:
        for names in find_free_directions(model, steady)[:1]:
            what = "may move together" if names[1:] else "is free"
            text += f", one of many rest points: {', '.join(names[:8])} {what}"
    return Finding(None, text, problems)
