"""A policy whose lower and upper bounds both bind, each with its multiplier."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, settings
from deqn.checks.declarations import check_declarations
from deqn.economy.members import OneMember
from deqn.evaluation.constraints import find_binding
from deqn.model.declaration import Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class Clipped(Model):
    """d = x between 0 and 1, with low = -x below and high = x - 1 above; x moves around its mean."""

    mean: float = 0.5
    bounds: tuple[str, ...] = ("lower", "upper")

    states = (State("x", -1.0, 2.0),)
    shocks = (Normal("eps"),)

    @property
    def policies(self):
        names = zip(("low", "high"), self.bounds, strict=True)
        return (Policy("d", 0, 1), *(Multiplier(name, "d", bound) for name, bound in names))

    def transition(self, now, shock):
        return {"x": self.mean + 0.5 * (now.x - self.mean) + 0.1 * shock.eps}

    def residuals(self, now, nxt, E):
        return {"choice": now.d - now.x - now.low + now.high}


@pytest.mark.parametrize("mean", [0.5, 0.0, 1.0, -0.3, 1.4], ids=["inside", "lower", "upper", "below", "above"])
def test_the_first_order_rule_goes_through_both_kinks(mean):
    """From a rest point between the bounds, on either kink, or beyond one."""
    e = build(settings("model=growth"), OneMember(Clipped(mean)))
    x = np.linspace(-1, 2, 61)[:, None]
    found = e.policy(tf.constant(x)).numpy()
    expected = np.hstack([np.clip(x, 0, 1), np.maximum(-x, 0), np.maximum(x - 1, 0)])
    np.testing.assert_allclose(found, expected, atol=1e-8)
    binds = find_binding(e, tf.constant(x))
    for name, column in (("low", x[:, 0] < -1e-7), ("high", x[:, 0] > 1 + 1e-7)):
        sure = ~binds[name][1][0]
        np.testing.assert_array_equal(binds[name][0][0][sure], column[sure])
        assert sure.sum() >= len(x) - 2  # the points on the kinks


def test_a_bound_has_one_multiplier():
    (problem, _) = check_declarations(Clipped(bounds=("upper", "upper"))).failures
    assert problem == "multiplier 'low': the upper bound of 'd' has more than one multiplier"
