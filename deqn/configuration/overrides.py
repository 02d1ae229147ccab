"""Overrides, the words `key=value` of a command line, as Hydra parses them."""

import itertools

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from deqn.configuration.explanation import explain
from deqn.configuration.loading import COMPOSITION_ERRORS
from deqn.system.errors import InputError


def parse_overrides(overrides: list[str]) -> list[Override]:
    """The words as Hydra understands them. Raises InputError."""
    try:
        return OverridesParser.create().parse_overrides(overrides)
    except COMPOSITION_ERRORS as error:
        raise InputError(explain(error, overrides, None)) from error


def find_value(key: str, overrides: list[str]) -> str | None:
    """The value that the overrides give to a key, None where they do not. Raises InputError."""
    given = [o.value() for o in parse_overrides(overrides) if o.key_or_group == key]
    return None if not given or given[-1] is None else str(given[-1])


def split_sweep(overrides: list[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, in the order in which Hydra's own sweeper runs them. Raises InputError."""
    values: dict[str, list[str]] = {}
    for o in parse_overrides(overrides):
        if o.is_sweep_override() and not o.is_discrete_sweep():
            raise InputError(f"{o.input_line.lstrip('+')}: a sweep knows A,B and choice() and range()")
        try:
            words = list(o.sweep_string_iterator()) if o.is_sweep_override() else [o.get_value_element_as_str()]
        except COMPOSITION_ERRORS as error:  # a range without a step
            raise InputError(f"{o.input_line.lstrip('+')}: {error}") from error
        values[o.get_key_element()] = [f"{o.get_key_element()}={word}" for word in words]
    return [list(job) for job in itertools.product(*values.values())]
