"""Allowed values of parameters and settings: intervals as economists write them, "(0, 1]", or a choice of words."""

import difflib
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from deqn.system.errors import InputError

RISING = "rising in "  # an interval, for a list whose entries must increase, such as the two ends of a box


def parse_interval(text: str) -> tuple[float, float, bool, bool]:
    """Parse "[0, inf)" into lower, upper, and whether each end belongs to the interval."""
    text = text.removeprefix(RISING)
    lower, upper = (float(end) for end in text[1:-1].split(","))
    return lower, upper, text[0] == "[", text[-1] == "]"


def check_range(key: str, value: Any, allowed: str | Iterable[Any]) -> None:
    """Refuse a value, or an entry of a list, outside its interval or choice; None is unset. Raises InputError."""
    if value is None:
        return
    if not isinstance(allowed, str):
        if value not in (choices := tuple(allowed)):
            words = list(map(str, choices))
            raise InputError(f"{key}={value}: {suggest(str(value), words)}allowed are {', '.join(words)}")
        return
    if isinstance(value, Mapping):
        for name, entry in value.items():
            check_range(f"{key}.{name}", entry, allowed)
        return
    lower, upper, closed_below, closed_above = parse_interval(allowed)
    for x in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(x, int | float):
            raise InputError(f"{key}={format_value(value)} is not a number")
        inside = (lower <= x if closed_below else lower < x) and (x <= upper if closed_above else x < upper)
        if not inside or math.isnan(x):
            raise InputError(f"{key}={format_value(value)} is outside {allowed.removeprefix(RISING)}")
    if allowed.startswith(RISING) and any(a >= b for a, b in itertools.pairwise(value)):
        raise InputError(f"{key}={format_value(value)}: expected are numbers {allowed}, each below the next")


def suggest(word: str, known: Iterable[str]) -> str:
    """ "did you mean ...? ", or nothing where no known word is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'? " if close else ""


def format_value(value: Any) -> str:
    """A value as it is typed on the command line."""
    return "[" + ",".join(map(format_value, value)) + "]" if isinstance(value, list | tuple) else str(value)
