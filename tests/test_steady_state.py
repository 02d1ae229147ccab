from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from deqn.errors import InputError
from deqn.model import Policy, State, flatten
from deqn.models.olg_analytic import OlgAnalytic
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.steady_state import steady_state

BOX = (State("k", 1.0, 40.0), State("z", -0.3, 0.3))


def unsolved(base=StochasticGrowth, **members):
    """A model that does not give its steady state, with a box of its own."""
    members = {"states": BOX, **members} if base is StochasticGrowth else members
    return dataclass(frozen=True)(type("Unsolved", (base,), {"steady_state": lambda self: None, **members}))()


def test_the_equations_alone_find_it():
    found, known = steady_state(unsolved()), StochasticGrowth().steady_state()
    np.testing.assert_allclose(found.states, [known["k"], 0], atol=1e-9)
    np.testing.assert_allclose(found.policies, [known["s"]], rtol=1e-10)


def test_units_do_not_matter():
    """Capital counted in hundred thousands."""
    unit = 1e5

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.s * now.y * unit, "z": 0.9 * now.z}

    def definitions(self, now):
        y = tf.exp(now.z) * (now.k / unit) ** self.alpha
        return {"y": y, "c": (1 - now.s) * y, "R": self.alpha * y * unit / now.k + 1 - self.delta}

    members = {"transition": transition, "definitions": definitions}
    found = steady_state(unsolved(states=(State("k", 1e5, 40e5), State("z", -0.3, 0.3)), **members))
    np.testing.assert_allclose(found.states, [StochasticGrowth().steady_state()["k"] * unit, 0], rtol=1e-8, atol=1e-8)


def test_many_equations_with_an_unbounded_policy():
    known = OlgAnalytic(head="level")
    model = dataclass(frozen=True)(
        type("Unsolved", (OlgAnalytic,), {"steady_state": lambda self: None, "states": known.states})
    )(head="level")
    found = steady_state(model)
    np.testing.assert_allclose(found.policies, flatten(known.steady_state(), known.policies), rtol=1e-9)


def test_a_policy_may_rest_on_its_bound():
    """mu >= 0 is complementary to a slack that is positive: mu = 0 there."""

    def residuals(self, now, nxt, E):
        slack = 1 - now.s
        return {**StochasticGrowth.residuals(self, now, nxt, E),
                "slack": now.mu + slack - tf.sqrt(now.mu**2 + slack**2)}  # fmt: skip

    found = steady_state(unsolved(policies=(Policy("s", 0, 1), Policy("mu", 0)), residuals=residuals))
    assert found.policies[1] == pytest.approx(0, abs=1e-8)


def test_the_equation_that_cannot_be_met_is_named():
    def residuals(self, now, nxt, E):
        return {"euler": StochasticGrowth.residuals(self, now, nxt, E)["euler"], "never": 1 + now.s**2}

    with pytest.raises(InputError, match="no steady state was found.*equation 'never' is 1"):
        steady_state(unsolved(policies=(Policy("s", 0, 1), Policy("x")), residuals=residuals))


def test_an_equation_that_is_nowhere_finite_is_named():
    def residuals(self, now, nxt, E):
        return {**StochasticGrowth.residuals(self, now, nxt, E), "root": tf.sqrt(-1 - now.s)}

    with pytest.raises(InputError, match="not finite at any start; at k=.*equation 'root' is nan"):
        steady_state(unsolved(policies=(Policy("s", 0, 1), Policy("x")), residuals=residuals))


def test_equations_and_policies_must_be_as_many():
    with pytest.raises(InputError, match="1 equations for 2 policies"):
        steady_state(unsolved(policies=(Policy("s", 0, 1), Policy("x"))))
