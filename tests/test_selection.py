"""Which tests a command runs: the fast ones, all, or those that are named."""

from types import SimpleNamespace

import pytest

from conftest import pytest_collection_modifyitems


class Item(SimpleNamespace):
    def get_closest_marker(self, name):
        return self.marker if self.marker == name else None


@pytest.mark.parametrize(
    "everything, markers, words, left",
    [
        (False, "", ["tests"], ["fast"]),
        (True, "", ["tests"], ["fast", "slow"]),
        (False, "slow", ["tests"], ["fast", "slow"]),  # pytest itself applies the choice of markers
        (False, "", ["tests/test_cli.py::test_the_main_job"], ["fast", "slow"]),
    ],
)
def test_slow_tests_run_when_they_are_asked_for(everything, markers, words, left):
    items, deselected = [Item(name="fast", marker=None), Item(name="slow", marker="slow")], []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    config = SimpleNamespace(
        getoption={"--all": everything}.get, option=SimpleNamespace(markexpr=markers), args=words, hook=hook
    )
    pytest_collection_modifyitems(config, items)
    assert [item.name for item in items] == left and len(items) + len(deselected) == 2
