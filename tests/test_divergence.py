"""Why training stops where arithmetic loses a derivative: the equation, the variable and the remedy are named."""

import pytest
from small_economies import Harvest

from conftest import build, settings
from deqn.checks.undefined import find_lost_derivative
from deqn.economy.domain import Box, SobolPoints
from deqn.economy.members import OneMember


class Units(Harvest):
    """The same economy, its expectation in units whose square exceeds what single precision holds."""

    size = 1e25

    def residuals(self, now, nxt, E):
        expected = self.size * E(self.alpha * nxt.y / nxt.k / nxt.c)
        return {"euler": self.size / (self.beta * expected) / now.c - 1}


class Huge(Units):
    """And what double precision does not hold."""

    size = 1e200


@pytest.mark.parametrize(("model", "dtype", "remedy"), [
    (Units(), "float32", "take dtype=float64"), (Huge(), "float64", "take logarithms"),
    (Units(), "float64", None), (Harvest(), "float32", None),
])  # fmt: skip
def test_an_overflow_on_the_way_to_a_derivative_is_named(model, dtype, remedy):
    e = build(settings("model=stochastic_growth", "network.anchor=steady_state", f"dtype={dtype}"), OneMember(model))
    found = find_lost_derivative(e, SobolPoints(Box(model), 16, 0, e.policy.dtype).points())
    if remedy is None:
        assert found is None
    else:
        assert found.startswith(f"{dtype} loses equation 'euler' at k=")
        assert "derivative in tomorrow's c is computed as" in found and remedy in found
