"""What a model declares, checked: names used once, boxes and bounds in order, probabilities that sum to one.

Equations, tables, files and command lines read variables by name. A state and a shock may share one, since `now.A` and
`shock.A` are different things; an impulse response to this name is that of the shock. A parameter is read as `self.A`
and may share it, too. States, policies, multipliers and definitions stand beside each other at one point, and so each
has a name of its own.
"""

import dataclasses
import keyword
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from deqn.model.declaration import Discrete, Markov, Model, Multiplier, Normal, Policy, State
from deqn.model.findings import Finding, call
from deqn.model.layout import multipliers, outcome_count, shock_names
from deqn.settings.ranges import suggest
from deqn.system.errors import InputError

TAKEN = {  # names of variables that are taken
    **dict.fromkeys(("path", "period"), "simulated tables have a column of this name"),
    "also": "every point has a method of this name",
}
PARAMETERS = {  # of a family, given as keywords to the functions of a solution or as words of deqn-irf
    **dict.fromkeys(("states", "periods", "paths", "seed", "order", "name", "size"), "functions of a solution"),
    **dict.fromkeys(("run", "shock", "outcome"), "deqn-irf"),
}
KINDS = {"states": (State,), "policies": (Policy, Multiplier), "shocks": (Normal, Discrete, Markov)}


def check_declarations(model: Model) -> Finding:
    """States, policies and shocks; the value is the model itself. Raises InputError where one cannot be read."""
    try:
        for name, kinds in KINDS.items():
            check_kinds(name, call(name, partial(getattr, model, name), object), kinds)
    except InputError:
        call("steady_state", model.steady_state, Mapping | None)  # a box made from it fails with it: name the cause
        raise
    if not model.states or not model.policies:
        raise InputError("a model declares at least one state and one policy")
    names = [f.name for f in dataclasses.fields(model)]
    problems = [
        *name_problems(model),
        *(f"ranges has {name!r}: {suggest(name, names)}the parameters are {', '.join(names)}"
          for name in model.ranges if name not in names),
        *(problem for s in model.states for problem in box_problems(s)),
        *(f"policy {p.name!r}: lower bound {p.lower} is not below upper bound {p.upper}"
          for p in model.policies if p.lower is not None and p.upper is not None and not p.lower < p.upper),
        *(problem for m in multipliers(model) for problem in multiplier_problems(m, model)),
        *(problem for s in model.shocks if not isinstance(s, Normal) for problem in outcome_problems(s)),
    ]  # fmt: skip
    if problems:
        return Finding(None, "", problems)
    states, policies = (", ".join(map(describe_declaration, declared)) for declared in (model.states, model.policies))
    shocks = ", ".join(shock_names(model.shocks)) or "none"
    return Finding(model, f"states {states}\npolicies {policies}\nshocks {shocks}")


def check_kinds(name: str, declared: Any, kinds: tuple[type, ...]) -> None:
    """A tuple of declarations of the right kinds. Raises InputError."""
    expected = f"expected is a tuple of {', '.join(kind.__name__ for kind in kinds)}"
    if not isinstance(declared, Sequence):
        raise InputError(f"{name} is a {type(declared).__name__}; {expected}: is a comma missing?")
    for entry in declared:
        if not isinstance(entry, kinds):
            raise InputError(f"{name} has {entry!r}; {expected}")


def describe_declaration(variable: State | Policy) -> str:
    """A variable's name, its size where it is a vector, and its box or bounds."""
    name = variable.name if variable.size is None else f"{variable.name}[{variable.size}]"
    if isinstance(variable, State):
        low, high = variable.box
        return f"{name} in [{low.min():.3g}, {high.max():.3g}]"
    if variable.lower is variable.upper is None:
        return name
    lower = "(-inf" if variable.lower is None else f"[{variable.lower:.3g}"
    upper = "inf)" if variable.upper is None else f"{variable.upper:.3g}]"
    return f"{name} in {lower}, {upper}"


def name_problems(model: Model) -> Iterator[str]:
    """Names that are declared twice, or that cannot be used."""
    states, policies = ([v.name for v in declared] for declared in (model.states, model.policies))
    shocks = shock_names(model.shocks)
    yield from variable_problems("state", states)
    yield from variable_problems("policy", policies)
    yield from variable_problems("shock", shocks, {"also": TAKEN["also"]})
    for kind, names in (("variable", [*states, *policies]), ("shock", shocks)):
        for name, count in Counter(map(str, names)).items():
            if count > 1:
                yield f"the {kind} {name!r} is declared {count} times"


def box_problems(state: State) -> Iterator[str]:
    """A box that is empty, not finite, or not positive where the state is in logarithms."""
    low, high = call(f"the box of state {state.name!r}", lambda: state.box, hint=f"; its size is {state.size}")
    if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
        ends = ", ".join(f"{x[0]:g}" if len(x) == 1 else str(x) for x in (low, high))
        yield f"state {state.name!r}: the box [{ends}] is empty or not finite"
    elif state.log and (low <= 0).any():
        yield f"state {state.name!r} is in logarithms, but its box begins at {low.min()}, not above zero"


def multiplier_problems(multiplier: Multiplier, model: Model) -> Iterator[str]:
    """A multiplier on no policy, on a bound that is not there or has one already, or of another size."""
    found = {p.name: p for p in model.policies if isinstance(p, Policy)}
    name = f"multiplier {multiplier.name!r}"
    if multiplier.of not in found:
        yield f"{name} is on the policy {multiplier.of!r}, which is not declared; the policies are {', '.join(found)}"
        return
    policy = found[multiplier.of]
    if multiplier.bound not in ("lower", "upper"):
        yield f"{name} is on the bound {multiplier.bound!r}; allowed are lower, upper"
    elif getattr(policy, multiplier.bound) is None:
        yield f"{name} is on the {multiplier.bound} bound of {policy.name!r}, which has none"
    if multiplier.size != policy.size:
        yield f"{name} has size {multiplier.size}, its policy {policy.name!r} has size {policy.size}"
    if sum((m.of, m.bound) == (policy.name, multiplier.bound) for m in multipliers(model)) > 1:
        yield f"{name}: the {multiplier.bound} bound of {policy.name!r} has more than one multiplier"


def outcome_problems(shock: Discrete | Markov) -> Iterator[str]:
    """Outcomes of different number, and probabilities that are no shares."""
    if not shock.values:
        yield f"a {type(shock).__name__} shock declares no values"
        return
    for name, values in shock.values.items():
        if not np.shape(values):
            yield f"shock {name!r} has the outcome {values}; expected is a list of outcomes"
            return
        if np.shape(values)[-1] != outcome_count(shock):
            yield f"shock {name!r} has {np.shape(values)[-1]} outcomes, others {outcome_count(shock)}"
    if isinstance(shock, Discrete):
        shares, count, name = shock.probabilities, outcome_count(shock), next(iter(shock.values))
        if len(shares) != count or np.min(shares) < 0 or abs(np.sum(shares) - 1) > 1e-10:
            yield f"the probabilities {list(shares)} of shock {name!r} are not {count} shares that sum to one"


def variable_problems(kind: str, names: Iterable[Any], taken: dict[str, str] = TAKEN) -> Iterator[str]:
    """Names of one kind, such as "state", that an equation or a table cannot read, each with the reason."""
    for name in names:
        why = explain_unreadable(name) or taken.get(name, "")
        if why:
            yield f"the {kind} {name!r} needs another name: {why}"


def explain_unreadable(name: Any) -> str:
    """Why an equation cannot read a variable as `now.<name>`; empty where it can."""
    if not isinstance(name, str):
        return f"it is a {type(name).__name__}, not a word"
    if not name.isidentifier():
        return f"now.{name} is not Python; a name has letters, digits and underscores"
    if name.startswith("_"):
        return "it begins with an underscore"
    if keyword.iskeyword(name):
        return f"{name} is a word of Python"
    normal = unicodedata.normalize("NFKC", name)
    return "" if normal == name else f"Python reads it as {normal!r} in an equation; declare {normal!r}"


def equation_problems(names: Iterable[Any]) -> Iterator[str]:
    """Names of equations that a table or a loss weight cannot hold."""
    for name in names:
        if not isinstance(name, str) or not name.strip():
            yield f"residuals returned an equation named {name!r}; expected is a word"
        elif name == "all":
            yield "the equation 'all' needs another name: tables of errors have a row of this name, over all equations"
