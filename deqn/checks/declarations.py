"""What a model declares, checked: names used once, boxes and bounds in order, probabilities that sum to one."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from deqn.model.declaration import Discrete, Markov, Model, Multiplier, Normal, Policy, State
from deqn.model.findings import Finding, call
from deqn.model.layout import multipliers, outcome_count, shock_names
from deqn.model.names import SHOCKS, VARIABLES, variable_problems
from deqn.settings.ranges import suggest
from deqn.system.errors import InputError

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
    problems = [
        *name_problems(model),
        *range_problems(model),
        *(problem for s in model.states for problem in box_problems(s)),
        *(problem for p in model.policies for problem in bound_problems(p)),
        *(problem for m in multipliers(model) for problem in multiplier_problems(m, model)),
        *(problem for s in model.shocks if not isinstance(s, Normal) for problem in outcome_problems(s)),
    ]
    if problems:
        return Finding(None, "", problems)
    states, policies = (", ".join(map(shown, declared)) for declared in (model.states, model.policies))
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


def shown(variable: State | Policy) -> str:
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
    for kind, names, taken in (
        ("state", states, VARIABLES), ("policy", policies, VARIABLES), ("shock", shock_names(model.shocks), SHOCKS),
    ):  # fmt: skip
        yield from variable_problems(kind, names, taken)
    yield from repeated("variable", map(str, [*states, *policies]))
    yield from repeated("shock", map(str, shock_names(model.shocks)))


def repeated(kind: str, names: Iterable[str]) -> Iterator[str]:
    """Names that are declared more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            yield f"the {kind} {name!r} is declared {count} times"


def range_problems(model: Model) -> Iterator[str]:
    """Ranges of parameters that do not exist."""
    names = [f.name for f in dataclasses.fields(model)]
    for name in model.ranges:
        if name not in names:
            yield f"ranges has {name!r}: {suggest(name, names)}the parameters are {', '.join(names)}"


def box_problems(state: State) -> Iterator[str]:
    """A box that is empty, not finite, or not positive where the state is in logarithms."""
    low, high = call(
        f"the box of state {state.name!r}", partial(getattr, state, "box"), hint=f"; its size is {state.size}"
    )
    if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
        yield f"state {state.name!r}: the box [{ends(low)}, {ends(high)}] is empty or not finite"
    elif state.log and (low <= 0).any():
        yield f"state {state.name!r} is in logarithms, but its box begins at {low.min()}, not above zero"


def ends(values: np.ndarray) -> str:
    """A number, or several, as they are typed."""
    return f"{values[0]:g}" if len(values) == 1 else str(values)


def bound_problems(policy: Policy) -> Iterator[str]:
    """Bounds in the wrong order."""
    if policy.lower is not None and policy.upper is not None and not policy.lower < policy.upper:
        yield f"policy {policy.name!r}: lower bound {policy.lower} is not below upper bound {policy.upper}"


def multiplier_problems(multiplier: Multiplier, model: Model) -> Iterator[str]:
    """A multiplier on no policy, on a bound that is not there, of another size, or beside another one."""
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
    if sum(m.of == policy.name for m in multipliers(model)) > 1:
        yield f"{name}: the policy {policy.name!r} has more than one multiplier"


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
        yield from share_problems(next(iter(shock.values)), shock.probabilities, outcome_count(shock))


def share_problems(name: str, shares: Sequence[float], count: int) -> Iterator[str]:
    """Probabilities that are not `count` shares that sum to one."""
    if len(shares) != count or np.min(shares) < 0 or abs(np.sum(shares) - 1) > 1e-10:
        yield f"the probabilities {list(shares)} of shock {name!r} are not {count} shares that sum to one"
