"""The model: its class, the one that a configuration may name, and its parameters. Needs no TensorFlow."""

import dataclasses
import logging
import math
import os
import sys
from functools import partial
from typing import Any

from hydra.utils import get_class

from deqn.configuration.explanation import explain_class
from deqn.model.declaration import Model
from deqn.model.findings import call
from deqn.settings.ranges import check_range, format_value, suggest
from deqn.system.errors import InputError
from deqn.system.lazy_tensorflow import postpone_tensorflow

UNHEARD = logging.NullHandler()  # one, since a sweep looks for the model's class many times


def find_model_class(target: Any) -> type[Model]:
    """The class that `_target_` names. Raises InputError where it cannot be imported or is no model."""
    if not isinstance(target, str):
        raise InputError("the model's YAML must name its class: _target_: mine.Mine")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    postpone_tensorflow()
    logging.getLogger("hydra").addHandler(UNHEARD)  # what it logs is said below
    try:
        kind = get_class(target)
    except Exception as error:
        raise InputError(f"model._target_={target}: {explain_class(target, error)}") from error
    if not issubclass(kind, Model) or not dataclasses.is_dataclass(kind):
        raise InputError(f"model._target_={target} is not a dataclass derived from deqn.Model")
    if kind.__hash__ is None:
        raise InputError(f"model._target_={target} can be changed after it was made; write @dataclass(frozen=True)")
    if kind.__abstractmethods__:
        raise InputError(f"model._target_={target} does not define {', '.join(sorted(kind.__abstractmethods__))}")
    return kind


def check_parameters(kind: type[Model], parameters: dict[str, Any]) -> None:
    """Check parameters against the names, types and ranges that the class declares. Raises InputError."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name, value in parameters.items():
        if name == "_target_":
            continue
        if name not in fields:
            raise InputError(f"unknown key 'model.{name}': {suggest(name, fields)}model has {', '.join(fields)}")
        check_type(f"model.{name}", value, fields[name])
        if name in kind.ranges:
            check_range(f"model.{name}", value, kind.ranges[name])
    for name, f in fields.items():
        if name not in parameters and f.default is f.default_factory is dataclasses.MISSING:
            raise InputError(f"model.{name} has no default; give it a value in the model's YAML")


def complete_parameters(kind: type[Model], parameters: dict[str, Any]) -> dict[str, Any]:
    """All parameters of a class as YAML holds them, by default where not given. Raises InputError for one it cannot."""
    complete = {"_target_": parameters["_target_"]}
    for f in dataclasses.fields(kind):
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        value = to_parameter(f, parameters[f.name]) if f.name in parameters else default
        if value is dataclasses.MISSING:
            continue
        if not is_plain(value):
            raise InputError(f"model.{f.name} is a {type(value).__name__}; a parameter is a number, a word, true, "
                             f"false, none or a tuple of these: write an array or a list as a tuple, which numpy takes "
                             f"where it is used, and a dictionary as several parameters")  # fmt: skip
        complete[f.name] = to_lists(value)
    return complete


def build_model(kind: type[Model], parameters: dict[str, Any]) -> Model:
    """The model with given parameters, its numbers as floats and its lists as tuples. Raises InputError."""
    values = {f.name: to_parameter(f, parameters[f.name]) for f in dataclasses.fields(kind) if f.name in parameters}
    return call("the model", partial(kind, **values), Model)


def to_parameter(f: dataclasses.Field, value: Any) -> Any:
    """A parameter as a model holds it."""
    return float(value) if is_real(f) else to_tuples(value)


def is_real(f: dataclasses.Field) -> bool:
    """Whether a parameter is a number and no count: by its default, or, as in `gamma: float = 2`, by its annotation."""
    return isinstance(f.default, float) or (f.type in (float, "float") and isinstance(f.default, int))


def check_type(key: str, value: Any, f: dataclasses.Field) -> None:
    """Refuse a parameter without the type of its default; an integer may stand for a number. Raises InputError."""
    default = f.default
    if default is dataclasses.MISSING or default is None:
        return
    if isinstance(default, bool) or isinstance(default, str):
        right, wanted = isinstance(value, type(default)), type(default).__name__
    elif is_real(f):
        right, wanted = is_number(value), "a number"
    elif isinstance(default, int):
        right, wanted = isinstance(value, int) and not isinstance(value, bool), "an integer"
    else:
        right, wanted = is_alike(value, default), f"like its default, {format_value(default)}"
        if isinstance(default, list | tuple) and all(map(is_number, default)):
            wanted = f"a list of {len(default)} numbers"
    if not right:
        quoted = [x for x in (value if isinstance(value, list) else [value]) if isinstance(x, str) and is_numeral(x)]
        hint = f": '{quoted[0]}' is a text; write it without quotes" if quoted and wanted != "str" else ""
        raise InputError(f"{key}={format_value(value)} is not {wanted}{hint}")


def is_numeral(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def is_alike(value: Any, default: Any) -> bool:
    """Whether a list has the lengths of its default, at every depth, and numbers where it has numbers."""
    if isinstance(default, list | tuple):
        alike = isinstance(value, list | tuple) and len(value) == len(default)
        return alike and all(map(is_alike, value, default))
    return is_number(value) if is_number(default) else isinstance(value, type(default))


def to_tuples(value: Any) -> Any:
    """Lists, and lists of lists, as tuples, their numbers as floats."""
    if isinstance(value, list | tuple):
        return tuple(float(x) if is_number(x) else to_tuples(x) for x in value)
    return value


def is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def is_plain(value: Any) -> bool:
    """Whether a parameter never changes, and can be stored in YAML."""
    return isinstance(value, int | float | str | None) or (isinstance(value, tuple) and all(map(is_plain, value)))


def to_lists(value: Any) -> Any:
    """A parameter as YAML holds it: tuples as lists, numbers as Python's."""
    if isinstance(value, tuple):
        return [to_lists(x) for x in value]
    return float(value) if isinstance(value, float) else value
