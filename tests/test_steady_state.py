import io
import time
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from deqn.checks.at_rest import check_residuals
from deqn.model.declaration import Model, Multiplier, Normal, Policy, State
from deqn.model.layout import pack_row
from deqn.models.olg_analytic import OlgAnalytic
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.perturbation.first_order import find_free_directions, linear_solution
from deqn.perturbation.steady_state import SteadyState, steady_state
from deqn.runs.record import show_status
from deqn.system.errors import InputError

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


@pytest.mark.slow
def test_many_equations_with_an_unbounded_policy():
    known = OlgAnalytic(head="level")
    model = dataclass(frozen=True)(
        type("Unsolved", (OlgAnalytic,), {"steady_state": lambda self: None, "states": known.states})
    )(head="level")
    found = steady_state(model)
    np.testing.assert_allclose(found.policies, pack_row(known.steady_state(), known.policies), rtol=1e-9)


def test_a_policy_may_rest_on_its_bound():
    """mu >= 0 is complementary to a slack that is positive: mu = 0 there."""

    def residuals(self, now, nxt, E):
        slack = 1 - now.s
        return {**StochasticGrowth.residuals(self, now, nxt, E),
                "slack": now.mu + slack - tf.sqrt(now.mu**2 + slack**2)}  # fmt: skip

    found = steady_state(unsolved(policies=(Policy("s", 0, 1), Policy("mu", 0)), residuals=residuals))
    assert found.policies[1] == pytest.approx(0, abs=1e-8)


@pytest.mark.slow
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


def never(count):
    """An economy with many policies, one of which meets no equation: its search would go on."""

    def residuals(self, now, nxt, E):
        euler = StochasticGrowth.residuals(self, now, nxt, E)["euler"]
        return {"euler": euler, "never": 1.5 + tf.sin(now.x - 3 * tf.reverse(now.x, [0]) + now.s)}

    policies = (Policy("s", 0, 1), Policy("x", size=count))
    return unsolved(policies=policies, residuals=residuals, search_seconds=0.5)


def test_a_search_says_what_it_does_and_ends_in_time():
    heard, began = [], time.monotonic()
    with pytest.raises(InputError) as refused:
        steady_state(never(40), heard.append)
    assert time.monotonic() - began < 6  # with the compilation of its functions
    message = str(refused.value)
    assert message.startswith("no steady state was found in 0.5 s; the closest point is k=")
    assert " and 31 more, where equation 'never' is " in message
    assert message.endswith("; give steady_state, or search_seconds, a member of the model, more")
    assert not heard  # which begins after three seconds


def test_a_long_search_is_heard(monkeypatch):
    monkeypatch.setattr("deqn.perturbation.steady_state.SILENT", 0.0)
    heard = []
    with pytest.raises(InputError, match="found in 0.5 s"):
        steady_state(never(4), heard.append)
    assert heard[0].startswith("looking for a steady state, for up to 0.5 s; steady_state saves this: ")


def test_what_takes_long_is_one_line_of_text_or_a_status():
    for terminal, lines in ((False, 1), (True, 0)):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
        with show_status(console) as tell:
            tell("looking")
            tell("second try")
        shown = console.file.getvalue()
        assert shown.count("looking\n") == lines and ("second try" in shown) == terminal


def test_a_rest_on_a_bound_is_exact():
    """What rounding errors leave beside a bound is put there: i = 0 and m = 1 to the last bit."""

    def residuals(self, now, nxt, E):
        return {**StochasticGrowth.residuals(self, now, nxt, E), "held": now.i + now.c / now.c - now.m}

    policies = (Policy("s", 0, 1), Policy("i", 0), Multiplier("m", "i"))
    found = steady_state(unsolved(policies=policies, residuals=residuals))
    assert found.policies[1] == 0 and found.policies[2] == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
@dataclass(frozen=True)
class Lender(Model):
    """Wealth m at a rate R with beta R = 1, and an income of one: any wealth is a rest point, here found on a bound."""

    R: float = 1 / 0.96
    top: float = 3.0
    policies = (Policy("x", 0, 1), Multiplier("mu", "x"))
    shocks = (Normal("eps"),)

    @property
    def states(self):
        return (State("m", 0.5, self.top),)

    def definitions(self, now):
        return {"a": now.x * now.m, "c": (1 - now.x) * now.m}

    def transition(self, now, shock):
        return {"m": self.R * now.a + tf.exp(0.1 * shock.eps)}

    def residuals(self, now, nxt, E):
        return {"euler": (0.96 * self.R * E(1 / nxt.c) + now.mu) * now.c - 1}


@pytest.mark.slow
def test_a_line_of_rest_points_is_named():
    """beta R = 1 but for the last bits: m and x move together, at the corner and away from it."""
    for R in (1 / 0.96, np.nextafter(1 / 0.96, 0), np.nextafter(1 / 0.96, 2)):
        model = Lender(R=R)
        assert not check_residuals(model, steady_state(model)).failures
        for rest in (steady_state(model), SteadyState(np.array([1.0]), np.array([0.0, 0.0]))):
            found = check_residuals(model, rest)
            assert not found.failures
            assert found.text.endswith("one of many rest points: m, x may move together")
            assert linear_solution(model, rest).moduli[0] == pytest.approx(1, abs=1e-6)
    assert find_free_directions(StochasticGrowth(), steady_state(StochasticGrowth())) == []
    walk = unsolved(transition=lambda self, now, shock: {
        **StochasticGrowth.transition(self, now, shock), "z": now.z + 0.1 * shock.eps})  # fmt: skip
    assert find_free_directions(walk, steady_state(walk)) == [["k", "z"]]


def test_a_search_starts_where_the_equations_have_numbers():
    """Investment of one, where a bound below and none above start it, leaves nothing to consume."""

    class Narrow(StochasticGrowth):
        def definitions(self, now):
            y = tf.exp(now.z) * now.k**self.alpha
            return {"y": y, "c": y * (1 - 20 * now.i), "R": self.alpha * y / now.k + 1 - self.delta}

        def transition(self, now, shock):
            return {"k": (1 - self.delta) * now.k + 20 * now.i * now.y, "z": self.rho * now.z}

        def residuals(self, now, nxt, E):
            return {"euler": tf.math.log(self.beta * nxt.R * now.c / nxt.c)}

    own = StochasticGrowth().steady_state()
    found = steady_state(unsolved(Narrow, states=BOX, policies=(Policy("i", 0),)))
    np.testing.assert_allclose(found.policies, own["s"] / 20, rtol=1e-6)
    np.testing.assert_allclose(found.states[0], own["k"], rtol=1e-6)
