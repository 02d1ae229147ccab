"""Nested dataclasses as plain JSON, and back by the types of their fields.

A field without a default is always there, as null if it is None; a field with a default is then left out. A key that is
missing is read as None.
"""

from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin


def from_content(kind: Any, content: Any) -> Any:
    """A value of an annotated type from plain JSON; None where there is none, and for each field that is missing."""
    if content is None:
        return None
    if isinstance(kind, UnionType):  # a type, or None
        kind = get_args(kind)[0]
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{f.name: from_content(f.type, content.get(f.name)) for f in fields(kind)})
    if get_origin(kind) is dict:
        return {key: from_content(get_args(kind)[1], x) for key, x in content.items()}
    if get_origin(kind) is list:
        return [from_content(get_args(kind)[0], x) for x in content]
    return content


def to_content(value: Any) -> Any:
    """Nested dataclasses as dictionaries, without the fields that have a default and are None."""
    if is_dataclass(value):
        given = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: to_content(x) for f, x in given if x is not None or f.default is MISSING}
    if isinstance(value, dict):
        return {key: to_content(x) for key, x in value.items()}
    return [to_content(x) for x in value] if isinstance(value, list) else value
