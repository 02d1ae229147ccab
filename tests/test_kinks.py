"""A steady state exactly on a kink, where a policy rests on its bound with a multiplier of zero."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

import deqn
from conftest import build, settings
from deqn.checks.at_rest import check_residuals
from deqn.economy.members import OneMember
from deqn.equations.residuals import fischer_burmeister
from deqn.model.declaration import Model, Multiplier, Normal, Policy, State
from deqn.perturbation.first_order import linear_solution
from deqn.perturbation.steady_state import steady_state
from deqn.runs.check import run_checks


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_fischer_burmeister_has_a_derivative_at_its_kink(dtype):
    """One and one lies in the generalized Jacobian, (1 - x, 1 - y) with x^2 + y^2 <= 1; elsewhere nothing changes."""
    a, b = tf.constant([0.0, 3.0, 0.0, -3.0, 1e-30], dtype), tf.constant([0.0, 4.0, 2.0, 4.0, 0.0], dtype)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([a, b])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([a, b])
            value = fischer_burmeister(a, b)
        of_a, of_b = tape.gradient(value, [a, b])
    np.testing.assert_allclose(value, [0, 2, 0, -4, 0], atol=1e-6)
    np.testing.assert_allclose(of_a[:4], [1, 0.4, 1, 1.6], rtol=1e-6)
    np.testing.assert_allclose(of_b[:4], [1, 0.2, 0, 0.2], rtol=1e-6)
    assert np.isfinite(of_a).all() and np.isfinite(outer.gradient(of_a, a)).all()


@dataclass(frozen=True)
class Option(Model):
    """An asset that pays the positive part of z, or the negative part with the upper bound; v is its price."""

    beta: float = 0.9
    rho: float = 0.7
    sigma: float = 0.1
    upper: bool = False
    size: int | None = None
    given: bool = True
    shocks = (Normal("eps"),)

    @property
    def states(self):
        return (State("z", -0.5, 0.5, size=self.size),)

    @property
    def policies(self):
        ends = {"upper": 0.0} if self.upper else {"lower": 0.0}
        bound = "upper" if self.upper else "lower"
        return (Multiplier("mu", "i", bound, size=self.size), Policy("v"), Policy("i", **ends, size=self.size))

    def steady_state(self):
        return {"z": 0.0, "v": 0.0, "i": 0.0, "mu": 0.0} if self.given else None

    def definitions(self, now):
        return {"paid": now.i if self.size is None else tf.reduce_sum(now.i, 0)}

    def transition(self, now, shock):
        return {"z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        side = 1.0 if self.upper else -1.0
        return {"price": now.v - now.paid - self.beta * E(nxt.v), "rule": now.i - now.z + side * now.mu}


@pytest.mark.parametrize("model", [Option(), Option(upper=True), Option(size=3), Option(given=False)])
def test_the_slack_side_of_a_kink_is_the_first_order_solution(model):
    """Off the bound i = z and v = i / (1 - beta rho), by hand; the multiplier stays at zero."""
    steady = steady_state(model)
    np.testing.assert_allclose([*steady.states, *steady.policies], 0, atol=1e-9)
    assert not check_residuals(model, steady).failures
    n = model.size or 1
    exact = np.concatenate([np.zeros((n, n)), np.full((1, n), 1 / (1 - 0.9 * 0.7)), np.eye(n)])
    np.testing.assert_allclose(linear_solution(model, steady).decision_rule, exact, atol=1e-9)


@pytest.mark.parametrize("model", [Option(), Option(upper=True), Option(size=3)])
def test_a_network_starts_with_both_sides_of_a_kink(model):
    """i = max(z, 0) and mu = max(-z, 0), the solution itself, from the anchor of an untrained network."""
    economy = build(settings("model=stochastic_growth"), OneMember(model))
    z = np.linspace(-0.4, 0.4, 9)
    states = tf.constant(np.repeat(z[:, None], model.size or 1, 1))
    n, sign = model.size or 1, -1 if model.upper else 1
    found = economy.policy(states).numpy()
    np.testing.assert_allclose(found[:, n + 1 :], sign * np.maximum(sign * states, 0), atol=1e-9)
    np.testing.assert_allclose(found[:, :n], np.maximum(-sign * states, 0), atol=1e-9)


@dataclass(frozen=True)
class Peg(Model):
    """A rate that follows z off its bound, where p explodes, and is held on it, where p is stable: the other side."""

    rho: float = 0.5
    sigma: float = 0.1
    off: float = 0.8
    on: float = 1.25
    shocks = (Normal("eps"),)
    states = (State("z", -0.5, 0.5),)
    policies = (Policy("p"), Policy("i", 0), Multiplier("mu", "i"))

    def steady_state(self):
        return {"z": 0.0, "p": 0.0, "i": 0.0, "mu": 0.0}

    def definitions(self, now):
        return {}

    def transition(self, now, shock):
        return {"z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        """Off the bound E p' = off p + z, on it E p' = on p + z."""
        return {
            "price": E(nxt.p) - self.on * now.p - now.z - (self.off - self.on) * now.i,
            "rule": now.i - now.p - now.mu,
        }


def test_the_binding_side_is_taken_where_the_slack_side_has_no_unique_solution():
    """E p' = a p + z has the stable solution p = z / (rho - a) if a > 1 alone: .8 leaves it indeterminate."""
    for model, slope, words in (
        (Peg(), [1 / (0.5 - 1.25), 0, 1 / (1.25 - 0.5)], "the solution on it, and off it there is none"),
        (Peg(off=1.25, on=0.8), [1 / (0.5 - 1.25)] * 2 + [0], "the solution off it, and on it there is none"),
    ):
        found = linear_solution(model, steady_state(model))
        np.testing.assert_allclose(found.decision_rule[:, 0], slope, atol=1e-9)
        assert words in found.note
    with pytest.raises(deqn.InputError, match="i rests exactly on a bound. Off it: .* On it: "):
        linear_solution(Peg(on=0.8), steady_state(Peg(on=0.8)))
    lines = {line.name: line for line in run_checks(OneMember(Peg()), settings("model=stochastic_growth"))}
    assert "i rests exactly on a bound" in lines["roots"].warnings[0] and lines["network"].passed


def test_a_constraint_that_binds_at_rest_is_no_kink():
    """A household that saves nothing at rest: beta R < 1 and a positive multiplier, one solution and no note."""

    @dataclass(frozen=True)
    class Saver(Model):
        R: float = 1.0
        shocks = (Normal("eps"),)
        states = (State("m", 0.5, 2.0),)
        policies = (Policy("a", 0), Multiplier("mu", "a"))

        def definitions(self, now):
            return {"c": now.m - now.a}

        def transition(self, now, shock):
            return {"m": self.R * now.a + tf.exp(0.1 * shock.eps)}

        def residuals(self, now, nxt, E):
            return {"euler": (0.95 * self.R * E(1 / nxt.c) + now.mu) * now.c - 1}

    steady = steady_state(Saver())
    np.testing.assert_allclose([*steady.states, *steady.policies], [1, 0, 0.05], atol=1e-7)
    assert linear_solution(Saver(), steady).note == ""


@dataclass(frozen=True)
class Floor(Model):
    """A discounted New Keynesian economy whose interest rate is at its floor at rest.

    x = a E x' - (i - E p' - r) / s, p = beta E p' + kappa x, i = max(0, phi p + phix x), r = rho r_ + e. The policies
    are the expectations ex and ep, smooth functions of r, and the rate with its multiplier.
    """

    a: float = 0.7
    beta: float = 0.9
    s: float = 1.0
    kappa: float = 0.02
    phi: float = 1.5
    phix: float = 0.125
    rho: float = 0.3
    sigma: float = 0.02
    policies = (Policy("ex"), Policy("ep"), Policy("i", 0), Multiplier("mu", "i"))
    shocks = (Normal("eps"),)

    @property
    def states(self):
        r = 5 * self.sigma / np.sqrt(1 - self.rho**2)
        return (State("r", -r, r),)

    def steady_state(self):
        return dict.fromkeys(("r", "ex", "ep", "i", "mu"), 0.0)

    def definitions(self, now):
        x = self.a * now.ex - (now.i - now.ep - now.r) / self.s
        return {"x": x, "p": self.beta * now.ep + self.kappa * x}

    def transition(self, now, shock):
        return {"r": self.rho * now.r + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {
            "x": E(nxt.x) - now.ex,
            "p": 10 * (E(nxt.p) - now.ep),
            "rule": 10 * (now.i - self.phi * now.p - self.phix * now.x - now.mu),
        }


def time_iteration(m: Floor, points: int = 2001, reach: float = 8.0):
    """x and p on a grid of r: from zero on, each date's equations solved in closed form given the next date's."""
    r = np.linspace(-1, 1, points) * reach * m.sigma / np.sqrt(1 - m.rho**2)
    e = np.linspace(-7, 7, 1401)
    weights = np.exp(-(e**2) / 2) / np.exp(-(e**2) / 2).sum()
    later = np.clip(m.rho * r[:, None] + m.sigma * e, r[0], r[-1])
    x = p = np.zeros(points)
    for _ in range(2000):
        ex, ep = (np.interp(later, r, v) @ weights for v in (x, p))
        on = m.a * ex + (ep + r) / m.s  # with the rate at zero
        off = (on - m.phi * m.beta * ep / m.s) / (1 + (m.phi * m.kappa + m.phix) / m.s)
        binds = m.phi * (m.beta * ep + m.kappa * off) + m.phix * off < 0
        new = np.where(binds, on, off)
        moved, x, p = np.abs(new - x).max(), new, m.beta * ep + m.kappa * new
        if moved < 1e-13:
            return r, x, p
    raise AssertionError(f"time iteration did not converge: {moved}")


@dataclass(frozen=True)
class Insured(Model):
    """q pays max(z, 0) tomorrow, v the average of what two such assets of independent z pay; normal shocks."""

    wrong: float = 0.0
    sigma: float = 0.2
    cubes: int = 1
    states = (State("z", -0.4, 0.4),)
    policies = (Policy("q"),)

    @property
    def shocks(self):
        return (Normal("e", size=self.cubes),)

    def definitions(self, now):
        return {}

    def transition(self, now, shock):
        return {"z": 0.5 * now.z + self.sigma * tf.reduce_sum(shock.e, 0) / self.cubes**0.5}

    def residuals(self, now, nxt, E):
        return {"price": E(tf.maximum(nxt.z, 0.0)) - now.q}

    def closed_form(self, now):
        """Bachelier (1900): m N(m / sigma) + sigma n(m / sigma)."""
        m = np.asarray(0.5 * now.z)
        return {"q": m * norm.cdf(m / self.sigma) + self.sigma * norm.pdf(m / self.sigma) + self.wrong}


@pytest.mark.parametrize(
    "shocks", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
def test_a_kinked_closed_form_is_not_accused_of_the_rules_error(shocks):
    """With the nodes of the evaluation the exact price seems off; a price that is off is refused."""
    lines = {
        line.name: line for line in run_checks(OneMember(Insured(cubes=shocks)), settings("model=stochastic_growth"))
    }
    line = lines["closed form"]
    assert line.passed and "that of price is the rule's own error: " in line.text
    off = float(line.text.split()[3])
    assert (1e-4 if shocks < 3 else 3e-5) < off < 2e-2
    wrong = {
        line.name: line
        for line in run_checks(OneMember(Insured(0.02, cubes=shocks)), settings("model=stochastic_growth"))
    }
    assert "closed_form: equation 'price' is 0.0" in str(wrong["closed form"].failures[0])


@pytest.mark.slow
def test_an_economy_that_rests_on_its_floor_is_solved(tmp_path, monkeypatch):
    monkeypatch.setattr("deqn.configuration.job.build_model", lambda *_: Floor())
    words = [
        "expectation=product",
        "expectation.nodes=40",
        "evaluation.figures=false",
        "optimizer.polish=0",
        "optimizer.iterations=20",
        "tolerance=1e-5",
    ]
    found = deqn.solve("stochastic_growth", words, folder=tmp_path / "run", quiet=True)
    r, x, p = time_iteration(Floor())
    half = Floor().states[0].upper
    inside = np.abs(r) < half
    table = found.policy({"r": r[inside]})
    for name, exact in (("x", x[inside]), ("p", p[inside])):
        assert np.abs(table[name] - exact).max() < 1e-4 * np.abs(exact).max(), name
    rate = np.maximum(0, 1.5 * p + 0.125 * x)[inside]
    assert np.abs(table["i"] - rate).max() < 1e-4 * rate.max()
    assert found.summary["status"] == "converged" and found.policy({"r": 0.0})["x"][0] < -1e-3
