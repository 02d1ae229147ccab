"""Which parameters can become states: the check of `pseudo_states` against the model, and the family that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from deqn.checks.declarations import check_declarations
from deqn.economy.members import Members, OneMember, Parameters
from deqn.families.family import Family
from deqn.families.members import FamilyMembers
from deqn.model.declaration import Markov, Model, Normal
from deqn.model.findings import call
from deqn.model.names import PARAMETERS, variable_problems
from deqn.system.errors import InputError


def gather_members(model: Model, pseudo_states: Mapping[str, Sequence[float]]) -> Members:
    """The economies with parameters in the given intervals; the model alone where there are none.

    Raises InputError for a parameter that is more than a number in the equations.
    """
    if not pseudo_states:
        return OneMember(model)
    for failure in check_declarations(model).failures:
        raise InputError(failure)
    for name, interval in pseudo_states.items():
        if name in [v.name for v in (*model.states, *model.policies)]:
            raise InputError(f"pseudo_states.{name}: the model has a variable of this name, too")
        if name in PARAMETERS:
            raise InputError(f"pseudo_states.{name}: rename the parameter; {PARAMETERS[name]} have an argument of this "
                             f"name")  # fmt: skip
        for problem in variable_problems("parameter", [name]):
            raise InputError(f"pseudo_states.{name}: {problem}")
        for value in interval:
            other = replace(model, **{name: float(value)})
            differs = call(f"with {name}={value:g} the model", partial(difference, other, model), str)
            if differs:
                raise InputError(f"pseudo_states.{name}: the {differs} that the model declares depend on it; only "
                                 f"parameters of equations, steady state and box can be states")  # fmt: skip
    ends = np.array([*pseudo_states.values()], float)
    own = np.array([getattr(model, name) for name in pseudo_states])
    inside = (own >= ends[:, 0]) & (own <= ends[:, 1])
    baseline = np.where(inside, own, ends.mean(1))
    parameters = Parameters(tuple(pseudo_states), *(tuple(map(float, x)) for x in (*ends.T, baseline)))
    return FamilyMembers(Family(model, parameters))


def difference(one: Model, other: Model) -> str:
    """What two economies declare differently, in words, beside the boxes of their states; empty where nothing."""
    shapes = [[(s.name, s.size, s.log) for s in model.states] for model in (one, other)]
    outcomes = [[declared(s) for s in model.shocks] for model in (one, other)]
    if shapes[0] != shapes[1]:
        return "states"
    if tuple(one.policies) != tuple(other.policies):
        return "policies or their bounds"
    return "" if outcomes[0] == outcomes[1] else "outcomes or probabilities of shocks"


def declared(shock: Any) -> Any:
    """A shock as something that can be compared; the probabilities of a chain may follow the parameters."""
    if isinstance(shock, Normal):
        return shock
    values = {name: np.asarray(v, float).tolist() for name, v in shock.values.items()}
    return values, None if isinstance(shock, Markov) else np.asarray(shock.probabilities, float).tolist()
