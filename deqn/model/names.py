"""Which names a model may use, and why: equations, tables, files and command lines read variables by name.

A state and a shock may share a name, since `now.A` and `shock.A` are different things; an impulse response to this name
is that of the shock. A parameter is read as `self.A` and may share it, too. States, policies, multipliers and
definitions stand beside each other at one point, and so each has a name of its own.
"""

import keyword
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

VARIABLES = {  # names of variables that are taken
    "path": "simulated tables have a column of this name",
    "period": "simulated tables have a column of this name",
    "also": "every point has a method of this name",
}
SHOCKS = {"also": VARIABLES["also"]}
EQUATIONS = {"all": "tables of errors have a row of this name, over all equations"}
PARAMETERS = {  # of a family, given as keywords to the functions of a solution or as words of deqn-irf
    **dict.fromkeys(("states", "periods", "paths", "seed", "order", "name", "size"), "functions of a solution"),
    **dict.fromkeys(("run", "shock"), "deqn-irf"),
}


def variable_problems(kind: str, names: Iterable[Any], taken: dict[str, str] = VARIABLES) -> Iterator[str]:
    """Names of one kind, such as "state", that an equation or a table cannot read, each with the reason."""
    for name in names:
        why = unreadable(name) or taken.get(name, "")
        if why:
            yield f"the {kind} {name!r} needs another name: {why}"


def unreadable(name: Any) -> str:
    """Why an equation cannot read a variable as `now.<name>`; empty where it can."""
    if not isinstance(name, str):
        return f"it is a {type(name).__name__}, not a word"
    if not name.isidentifier():
        return f"now.{name} is not Python; a name has letters, digits and underscores"
    if name.startswith("_"):
        return "it begins with an underscore"
    if keyword.iskeyword(name):
        return f"{name} is a word of Python"
    usual = unicodedata.normalize("NFKC", name)
    return "" if usual == name else f"Python reads it as {usual!r} in an equation; declare {usual!r}"


def equation_problems(names: Iterable[Any]) -> Iterator[str]:
    """Names of equations that a table or a loss weight cannot hold."""
    for name in names:
        if not isinstance(name, str) or not name.strip():
            yield f"residuals returned an equation named {name!r}; expected is a word"
        elif name in EQUATIONS:
            yield f"the equation {name!r} needs another name: {EQUATIONS[name]}"
