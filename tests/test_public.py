"""What is public stands in a stored list: a name that goes or changes is a decision, with notice (docs/promises.md)."""

import json

from public_names import STORED, list_public_names


def test_public_names_are_those_that_are_stored():
    """Where this fails and the change is meant: python tests/public_names.py, and a line in CHANGELOG.md."""
    stored, now = json.loads(STORED.read_text(encoding="utf-8")), list_public_names()
    assert list(now) == list(stored)
    gone = {kind: sorted(set(stored[kind]) - set(now[kind])) for kind in now}
    new = {kind: sorted(set(now[kind]) - set(stored[kind])) for kind in now}
    assert not {kind: names for kind, names in gone.items() if names}, "a public name is gone, or has changed"
    assert not {kind: names for kind, names in new.items() if names}, "a public name is not stored yet"
