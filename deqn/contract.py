"""The contract between a model and the engine, checked before training: names, shapes, steady state, gradients.

Every failure is an InputError that names the function, the variable, and the value.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.errors import InputError, first_line
from deqn.expectation import Expectation, expectation
from deqn.model import (
    Discrete,
    Markov,
    Model,
    Normal,
    Point,
    Policy,
    State,
    box,
    box_widths,
    flatten,
    outcome_count,
    shock_names,
    width,
)
from deqn.residuals import residuals, without_risk
from deqn.simulate import Box
from deqn.steady_state import TOLERANCE, SteadyState, moderate, steady_state
from deqn.variables import point

BATCH = 2


def check_model(
    model: Model, normal_rule: Callable[[int], tuple[np.ndarray, np.ndarray]]
) -> tuple[SteadyState, list[str]]:
    """Refuse a model that breaks the contract; returns its steady state and the names of its equations.

    `normal_rule` is that of the expectation with which the model will be solved. Raises InputError.
    """
    given = call("steady_state", model.steady_state, Mapping | None)
    for name in ("states", "policies", "shocks"):
        call(name, partial(getattr, model, name))
    check_declarations(model)
    chosen = expectation(model, normal_rule)
    if given is not None:
        check_steady_state(model, given)
        steady = steady_state(model)
        states = tf.constant(np.tile(steady.states, (BATCH, 1)))
        row = tf.constant(steady.policies[None])
    else:
        low, high = box(model.states)
        states = tf.constant(np.tile((low + high) / 2, (BATCH, 1)))
        row = tf.constant(moderate(model.policies)[None])
    check_shapes(model, chosen, lambda s: tf.repeat(row, s.shape[0], 0), states)
    if given is None:
        steady = steady_state(model)
    check_probabilities(model, tf.constant(steady.policies[None]))
    return steady, check_residuals(model, steady)


def check_declarations(model: Model) -> None:
    """Names used once, boxes and bounds in order, probabilities that sum to one."""
    if not model.states or not model.policies:
        raise InputError("a model declares at least one state and one policy")
    names = Counter(v.name for v in (*model.states, *model.policies))
    for name, count in names.items():
        if count > 1:
            raise InputError(f"the variable {name!r} is declared {count} times")
    for name, count in Counter(shock_names(model.shocks)).items():
        if count > 1:
            raise InputError(f"the shock {name!r} is declared {count} times")
    for s in model.states:
        low, high = call(f"the box of state {s.name!r}", partial(getattr, s, "box"))
        if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
            raise InputError(f"state {s.name!r}: the box [{low}, {high}] is empty or not finite")
        if s.log and (low <= 0).any():
            raise InputError(f"state {s.name!r} is in logarithms, but its box begins at {low.min()}, not above zero")
    for p in model.policies:
        if p.lower is not None and p.upper is not None and not p.lower < p.upper:
            raise InputError(f"policy {p.name!r}: lower bound {p.lower} is not below upper bound {p.upper}")
    for shock in model.shocks:
        if isinstance(shock, Normal):
            continue
        if not shock.values:
            raise InputError(f"a {type(shock).__name__} shock declares no values")
        for name, values in shock.values.items():
            if np.shape(values)[-1] != outcome_count(shock):
                raise InputError(f"shock {name!r} has {np.shape(values)[-1]} outcomes, others {outcome_count(shock)}")
        if isinstance(shock, Discrete):
            weights = shock.probabilities
            total = np.sum(weights)
            if len(weights) != outcome_count(shock) or np.min(weights) < 0 or abs(total - 1) > 1e-10:
                raise InputError(f"the probabilities {list(weights)} of shock {next(iter(shock.values))!r} are not "
                                 f"{outcome_count(shock)} shares that sum to one")  # fmt: skip


def check_steady_state(model: Model, values: Mapping[str, Any]) -> None:
    """A value for every state and policy, finite, inside box and bounds."""
    for v in (*model.states, *model.policies):
        if v.name not in values:
            raise InputError(f"steady_state does not return {v.name!r}; it returns {', '.join(values)}")
        x = np.asarray(values[v.name], float)
        if x.shape not in ((), (width(v),)):
            raise InputError(f"steady_state returned {v.name!r} with shape {x.shape}, declared is {(width(v),)}")
        if not np.isfinite(x).all():
            raise InputError(f"steady_state returned {v.name}={x}, which is not finite")
    for p in model.policies:
        x = np.asarray(values[p.name], float)
        if (p.lower is not None and (x < p.lower).any()) or (p.upper is not None and (x > p.upper).any()):
            raise InputError(f"steady_state returned {p.name}={x} outside its bounds [{p.lower}, {p.upper}]")
    low, high = box(model.states)
    states = flatten(values, model.states)
    if ((states < low) | (states > high)).any():
        raise InputError(f"the steady state {states} lies outside the box from {low} to {high}")


def check_shapes(model: Model, expectation: Expectation, policy: Callable, states: tf.Tensor) -> None:
    """What definitions, transition and residuals return: names and shapes."""
    declared = Point({v.name: None for v in (*model.states, *model.policies)})
    now = call("definitions", lambda: point(model, policy, states))
    for name, value in now.__dict__.items():
        if name not in declared.__dict__:
            expect_shape("definitions", name, value, (1, BATCH))
    given = call("definitions", lambda: model.definitions(now))
    for name in given:
        if name in declared.__dict__:
            raise InputError(f"definitions returned {name!r}, which is declared as a state or policy")
    tomorrow = call("transition", lambda: model.transition(now, expectation.shocks(states.dtype)))
    names = [s.name for s in model.states]
    if set(tomorrow) != set(names):
        wrong = sorted(set(tomorrow) ^ set(names))
        raise InputError(f"transition returned {', '.join(tomorrow)}; the model declares the states "
                         f"{', '.join(names)} (look at {', '.join(wrong)})")  # fmt: skip
    for s in model.states:
        expect_shape("transition", s.name, tomorrow[s.name], (expectation.nodes, BATCH), s)
    errors = call("residuals", lambda: residuals(model, policy, expectation, states))
    if not errors:
        raise InputError("residuals returned no equation")
    for name, value in errors.items():
        hint = "; is an expectation E missing?" if np.shape(value)[-2:-1] == (expectation.nodes,) else ""
        expect_shape("residuals", name, value, (1, BATCH), hint=hint)


def check_probabilities(model: Model, row: tf.Tensor) -> None:
    """Today's probabilities of a chain, at steady-state policies and over the box: shares that sum to one."""
    states = Box(model.states, 16, 0, row.dtype).points()
    now = point(model, lambda s: tf.repeat(row, s.shape[0], 0), states)
    for chain in (s for s in model.shocks if isinstance(s, Markov)):
        name = f"probabilities of shock {next(iter(chain.values))!r}"
        shares = call(name, lambda chain=chain: np.asarray(chain.probabilities(now)), np.ndarray)
        if shares.shape not in ((outcome_count(chain), 16), (outcome_count(chain), 1)):
            raise InputError(f"{name} have shape {list(shares.shape)}; expected [{outcome_count(chain)}, batch = 16]")
        if not (shares >= 0).all() or np.abs(shares.sum(0) - 1).max() > 1e-8:
            raise InputError(f"{name} are {shares[:, 0]}, not shares that sum to one")


def check_residuals(model: Model, steady: SteadyState) -> list[str]:
    """Zero residuals and finite derivatives in states and policies at the deterministic steady state."""
    states, row = (tf.constant(x[None]) for x in (steady.states, steady.policies))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([states, row])
        tomorrow, errors = without_risk(model, states, row, states, row)
    drift = (np.abs(tomorrow - states) / box_widths(model.states)).max()
    if not drift <= TOLERANCE:
        raise InputError(f"transition does not stay at steady_state: the states {states.numpy()[0]} become "
                         f"{tomorrow.numpy()[0]}")  # fmt: skip
    for name, r in errors.items():
        worst = np.abs(r).max()
        if not worst <= TOLERANCE:
            raise InputError(f"residuals: equation {name!r} is {worst:.3g} at steady_state, not zero")
        for where, at in (("states", states), ("policies", row)):
            slope = tape.gradient(r, at)
            if slope is not None and not np.isfinite(slope).all():
                raise InputError(f"residuals: equation {name!r} has the derivative {slope.numpy()[0]} in the {where} "
                                 f"at steady_state")  # fmt: skip
    return list(errors)


def call(function: str, run: Callable[[], Any], returns: Any = Mapping | Point | Sequence) -> Any:
    """The result of a model's function, and whatever goes wrong in it under the function's name."""
    try:
        result = run()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{function} failed: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(result, returns):
        raise InputError(f"{function} returned {type(result).__name__}, not named values")
    return result


def expect_shape(
    function: str, name: str, value: Any, tail: tuple[int, int], variable: State | Policy | None = None, hint: str = ""
) -> None:
    """A value must broadcast to [nodes, batch], or [n, nodes, batch] for a vector (any n where it is not declared)."""
    shape = tuple(np.shape(value))
    target = tail
    if variable is not None and variable.size is not None:
        target = (variable.size, *tail)
    elif variable is None and len(shape) == 3:
        target = (shape[0], *tail)
    try:
        fits = np.broadcast_shapes(shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"{function} returned {name!r} with shape {list(shape)}; expected {list(target)}{hint}")
