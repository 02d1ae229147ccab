import pytest

from deqn.settings.ranges import check_range, suggest
from deqn.system.errors import InputError


@pytest.mark.parametrize("value, allowed", [(0.5, "(0, 1)"), (1, "(0, 1]"), (0, "[0, inf)"), ([1, 2], "[1, 2]")])
def test_values_inside_pass(value, allowed):
    check_range("key", value, allowed)


@pytest.mark.parametrize(
    "value, allowed",
    [
        (1, "(0, 1)"),
        (0, "(0, 1]"),
        (-1, "[0, inf)"),
        ([1, 3], "[1, 2]"),
        (float("nan"), "[0, 1]"),
        ({"a": -1}, "[0, 1]"),
    ],
)
def test_values_outside_are_named_with_the_interval(value, allowed):
    with pytest.raises(InputError) as refusal:
        check_range("key", value, allowed)
    assert "key" in str(refusal.value) and allowed in str(refusal.value)


def test_a_choice_names_the_nearest_word():
    with pytest.raises(InputError, match="did you mean 'level'.*share, level"):
        check_range("model.head", "levl", ("share", "level"))
    assert suggest("zzz", ["share"]) == ""
