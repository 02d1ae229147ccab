"""The contract between a model and the engine, checked before training: names, shapes, steady state, gradients.

Every failure is an InputError that names the function, the variable, and the value.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.checks.at_rest import check_given, check_residuals, find_steady_state
from deqn.checks.declarations import check_declarations, equation_problems, variable_problems
from deqn.economy.domain import Domain, SobolPoints
from deqn.economy.members import Members
from deqn.equations.expectation import Expectation, build_expectation
from deqn.equations.quadrature import NormalRule
from deqn.equations.residuals import residuals, with_shocks
from deqn.model.declaration import Markov, Model, Point, Policy, State, reports_expectations
from deqn.model.findings import Finding, Line, call, check
from deqn.model.layout import outcome_count, point, probabilities
from deqn.perturbation.steady_state import SteadyState, find_middle
from deqn.system.errors import InputError

TRIAL_BATCH = 2
RuleChoice = Callable[[Model], NormalRule]


def check_model(
    members: Members, choose_rule: RuleChoice, anchor: str = "linear", tell: Callable[[str], None] = lambda text: None
) -> tuple[SteadyState | None, list[str]]:
    """Refuse a model that breaks the contract; returns its steady state and the names of its equations.

    `choose_rule` gives that of the expectation with which the model will be solved. A steady state is needed for every
    `anchor` but none and auto; it is None where none is wanted, or found. `tell` receives messages about slow steps.
    Raises InputError.
    """
    values = {}
    for line in check_contract(members, choose_rule, anchor, tell):
        for failure in line.failures:
            raise failure
        values[line.name] = line.value
    return values["steady state"], values["residuals"]


def check_contract(
    members: Members, choose_rule: RuleChoice, anchor: str = "linear", tell: Callable[[str], None] = lambda text: None
) -> Iterator[Line]:
    """The checks in the order in which they build on each other; all that can be made are made."""
    model, rests, needed = members.model, anchor != "none", anchor != "auto"
    yield (declared := check("declarations", check_declarations, model))
    yield (chosen := check("expectation", check_expectation, declared, choose_rule))
    left_out = lambda model: Finding(None, "left out: network.anchor=none does without one")
    given = check("steady state", partial(check_given, needed=needed) if rests else left_out, declared)
    if given.failures or given.warnings or given.value is not None or not rests:
        yield given
    trial = check("trial", choose_trial_point, declared, given.value)
    yield (now := check("definitions", check_definitions, declared, trial))
    yield (moved := check("transition", check_transition, declared, chosen, now))
    yield (equations := check("residuals", check_shapes, declared, chosen, trial, now))
    if reports_expectations(members.base):
        yield check("expectations", check_reported, declared, chosen, trial, now)
    yield (compiled := check("compilation", check_compilation, declared, chosen, trial, after=[moved, equations]))
    steady = given
    if rests and not given.failures and not given.warnings and given.value is None:
        yield (steady := check("steady state", find_steady_state, declared, tell, needed, after=[compiled]))
    if declared.passed and any(isinstance(s, Markov) for s in model.shocks):
        yield check("probabilities", check_probabilities, declared, members.domain, steady)
    if rests and (steady.value is not None or not steady.passed):
        yield check("zero residuals", check_residuals, declared, steady, after=[compiled])


def check_expectation(model: Model, choose_rule: RuleChoice) -> Finding:
    """The expectation over all shocks."""
    chosen = build_expectation(model, choose_rule(model))
    return Finding(chosen, f"{chosen.nodes} node{'s' * (chosen.nodes > 1)}" if model.shocks else "no shocks")


def choose_trial_point(model: Model, steady: SteadyState | None) -> Finding:
    """Packed states [BATCH, n_states] and one row of policies at which shapes are looked at."""
    at = steady or find_middle(model)
    return Finding((tf.constant(np.tile(at.states, (TRIAL_BATCH, 1))), tf.constant(at.policies[None])), "")


def make_constant_policy(row: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """The policy function that is the same row everywhere."""
    return lambda states: tf.repeat(row, states.shape[0], 0)


def check_definitions(model: Model, trial: tuple[tf.Tensor, tf.Tensor]) -> Finding:
    """Names and shapes of the definitions; the value is the point with them."""
    states, row = trial
    now = call("definitions", lambda: point(model, make_constant_policy(row), states))
    declared = {v.name for v in (*model.states, *model.policies)}
    given = call("definitions", lambda: model.definitions(now))
    problems = [*variable_problems("definition", given)]
    problems += [f"definitions returned {n!r}, which is declared as a state or policy" for n in given if n in declared]
    for name, value in given.items():
        problems += shape_problems("definitions", name, value, (1, TRIAL_BATCH))
    return Finding(now, ", ".join(map(str, given)) or "none", problems)


def check_transition(model: Model, chosen: Expectation, now: Point) -> Finding:
    """Tomorrow's states, by name and shape."""
    tomorrow = call("transition", lambda: model.transition(now, chosen.shocks(tf.float64)))
    names = [s.name for s in model.states]
    problems = []
    if set(tomorrow) != set(names):
        wrong = sorted(set(tomorrow) ^ set(names))
        problems.append(f"transition returned {', '.join(tomorrow) or 'nothing'}; the model declares the states "
                        f"{', '.join(names)} (look at {', '.join(wrong)})")  # fmt: skip
    for s in model.states:
        if s.name in tomorrow:
            problems += shape_problems("transition", s.name, tomorrow[s.name], (chosen.nodes, TRIAL_BATCH), s)
    unread = chosen.nodes > 1 and all(np.shape(x)[-2:-1] != (chosen.nodes,) for x in tomorrow.values())
    warning = f"transition: no state differs between the {chosen.nodes} outcomes of the shocks; is one forgotten?"
    return Finding(tomorrow, ", ".join(names), problems, [warning] * unread)


def check_shapes(model: Model, chosen: Expectation, trial: tuple[tf.Tensor, tf.Tensor], now: Point) -> Finding:
    """Names and shapes of the residuals, tomorrow being like today; the value is the names."""
    dates = repeat_today(model, chosen, trial, now)
    errors = call("residuals", lambda: model.residuals(*dates), Mapping)
    if not errors:
        raise InputError("residuals returned no equation")
    problems = [*equation_problems(errors)]
    for name, value in errors.items():
        hint = "; is an expectation E missing?" if np.shape(value)[-2:-1] == (chosen.nodes,) else ""
        problems += shape_problems("residuals", name, value, (1, TRIAL_BATCH), hint=hint)
    sizes = {name: f"[{np.shape(value)[0]}]" if np.ndim(value) == 3 else "" for name, value in errors.items()}
    return Finding(list(errors), ", ".join(f"{name}{size}" for name, size in sizes.items()), problems)


def check_reported(model: Model, chosen: Expectation, trial: tuple[tf.Tensor, tf.Tensor], now: Point) -> Finding:
    """Names and shapes of what is reported of expectations, tomorrow being like today."""
    dates = repeat_today(model, chosen, trial, now)
    given = call("expectations", lambda: model.expectations(*dates), Mapping)
    problems = [*variable_problems("expectation", given)]
    problems += [f"expectations returned {n!r}, which is declared or defined already" for n in given if hasattr(now, n)]
    for name, value in given.items():
        problems += shape_problems("expectations", name, value, (1, TRIAL_BATCH))
    return Finding(None, ", ".join(map(str, given)) or "none", problems)


def repeat_today(
    model: Model, chosen: Expectation, trial: tuple[tf.Tensor, tf.Tensor], now: Point
) -> tuple[Point, Point, Callable[[Any], Any]]:
    """Today, a tomorrow that is like it but for the shocks, and the expectation."""
    states, row = trial
    nxt = point(model, make_constant_policy(row), tf.tile(states, (chosen.nodes, 1)), chosen.nodes)
    return now, with_shocks(nxt, chosen.shocks(states.dtype)), chosen.operator(now, states.dtype)


def check_compilation(model: Model, chosen: Expectation, trial: tuple[tf.Tensor, tf.Tensor]) -> Finding:
    """Whether TensorFlow can make one graph of the equations: numpy and `if` on variables end here."""
    states, row = trial
    graph = tf.function(lambda at: residuals(model, make_constant_policy(row), chosen, at), autograph=False)
    hint = "; TensorFlow compiles its own functions alone: tf.exp for np.exp, tf.where for if"
    made = call("compilation", lambda: graph.get_concrete_function(states), Callable, hint)
    return Finding(None, f"{len(made.graph.get_operations())} operations")


def check_probabilities(model: Model, domain: Domain, steady: SteadyState | None) -> Finding:
    """Today's probabilities of a chain, at steady-state policies and over the box: shares that sum to one."""
    states = SobolPoints(domain, 16, 0, tf.float64).points()
    now = point(model, make_constant_policy(tf.constant((steady or find_middle(model)).policies[None])), states)
    problems = []
    for chain in (s for s in model.shocks if isinstance(s, Markov)):
        name = f"probabilities of shock {next(iter(chain.values))!r}"
        shares = probabilities(chain, now, tf.float64).numpy()
        if shares.shape[1] not in (16, 1):
            problems.append(f"{name} have shape {list(shares.shape)}; expected [{outcome_count(chain)}, batch = 16]")
        elif not (shares >= 0).all() or np.abs(shares.sum(0) - 1).max() > 1e-8:
            problems.append(f"{name} are {shares[:, 0]}, not shares that sum to one")
    return Finding(None, "shares that sum to one at 16 points of the box", problems)


def shape_problems(
    function: str, name: str, value: Any, tail: tuple[int, int], variable: State | Policy | None = None, hint: str = ""
) -> Iterator[str]:
    """A value must broadcast to [nodes, batch], or [n, nodes, batch] for a vector (any n where it is not declared)."""
    if value is None:
        yield f"{function} returned None for {name!r}"
        return
    shape = tuple(np.shape(value))
    free = shape[0] if len(shape) == 3 else None
    size = free if variable is None else variable.size
    target = tail if size is None else (size, *tail)
    try:
        fits = np.broadcast_shapes(shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        yield f"{function} returned {name!r} with shape {list(shape)}; expected {list(target)}{hint}"
