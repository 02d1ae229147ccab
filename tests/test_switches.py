"""Kinks that a model's file writes itself: found where paths meet them, and treated as those of constraints."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

import deqn
from conftest import build, settings
from deqn.economy.alignment import align
from deqn.economy.domain import SobolPoints
from deqn.economy.kinks import find_switches
from deqn.economy.members import OneMember
from deqn.equations.quadrature import choose_quadrature
from deqn.model.declaration import Model, Normal, Policy, State
from deqn.policies.approximators import choose_widths
from deqn.runs.solution import fit_kinks


@dataclass(frozen=True)
class Tree(Model):
    """The price p of a tree whose dividend max(x, floor) has a floor: p = beta E(p' + d'), x an autoregression."""

    beta: float = 0.9
    rho: float = 0.7
    sigma: float = 0.1
    floor: float = 0.95

    states = (State("x", 0.5, 1.5),)
    policies = (Policy("p", lower=0),)
    shocks = (Normal("e"),)

    def transition(self, now, shock):
        return {"x": 1 + self.rho * (now.x - 1) + self.sigma * shock.e}

    def definitions(self, now):
        return {"d": tf.maximum(now.x, self.floor)}

    def residuals(self, now, nxt, E):
        return {"price": self.beta * E(nxt.p + nxt.d) / now.p - 1}

    def value(self, x):
        """The sum of beta^n E max(x_n, floor), x_n normal."""
        n = np.arange(1, 400)[:, None]
        mean = 1 + self.rho**n * (x - 1)
        sd = self.sigma * np.sqrt((1 - self.rho ** (2 * n)) / (1 - self.rho**2))
        z = (mean - self.floor) / sd
        return (self.beta**n * (self.floor + sd * (z * norm.cdf(z) + norm.pdf(z)))).sum(0)


@dataclass(frozen=True)
class Guarded(Tree):
    """Nothing but guards: one that no path needs, one between formulas that agree, and one in what is not chosen."""

    def definitions(self, now):
        away = tf.where(now.x > 1, tf.abs(now.x - 1.1), now.x**2)
        same = tf.where(now.x > 1, now.x**2, now.x * now.x)
        return {"d": tf.maximum(now.x, -3.0) + 0.1 * same + tf.where(now.x > 9, away, 0 * now.x)}


@dataclass(frozen=True)
class Option(Tree):
    """The kink stands in the equation, inside of the expectation."""

    def definitions(self, now):
        return {"d": now.x}

    def residuals(self, now, nxt, E):
        return {"price": self.beta * E(nxt.p + tf.nn.relu(nxt.d - self.floor) + self.floor) / now.p - 1}


@dataclass(frozen=True)
class Two(Tree):
    """Of two shocks the second one leads across the kink."""

    states = (State("y", -1, 1), State("x", 0.5, 1.5))
    shocks = (Normal("u"), Normal("e"))

    def transition(self, now, shock):
        return {"y": 0.5 * now.y + 0.1 * shock.u, **super().transition(now, shock)}


@dataclass(frozen=True)
class Far(Tree):
    """Paths never come near the kink."""

    floor: float = 0.2


def prepare(model):
    return build(settings("network.anchor=linear"), OneMember(model))


def find_in(e):
    return find_switches(e.domain, e.policy)


@pytest.mark.parametrize("kind", [Tree, Option, Two])
def test_a_kink_is_found_wherever_it_stands(kind):
    assert find_in(prepare(kind()))


@pytest.mark.parametrize("kind", [Guarded, Far])
def test_a_guard_is_no_kink(kind):
    assert find_in(prepare(kind())) == ()


def test_network_and_quadrature_are_those_of_constraints():
    chosen, model = settings(), Tree()
    assert fit_kinks(chosen, model, ()) is chosen
    fitted = fit_kinks(chosen, model, (3,))
    assert fitted.expectation.rule == "aligned" and fitted.expectation.nodes == 21
    assert fitted.network.hidden == [n + 8 for n in choose_widths(model, chosen.network)]
    own = fit_kinks(settings("expectation.rule=product", "expectation.nodes=9", "network.hidden=[5]"), model, (3,))
    assert own.expectation == choose_quadrature(own.expectation, model) and own.network.hidden == [5]
    assert own.expectation.rule == "product" and own.expectation.nodes == 9


def test_the_axis_turns_into_the_direction_of_the_kink():
    model = Two()
    switches = find_in(prepare(model))
    e = build(fit_kinks(settings("network.anchor=linear"), model, switches), OneMember(model))
    align(replace(e, switches=switches), SobolPoints(e.domain, 200, 1, tf.float64).points())
    np.testing.assert_allclose(np.abs(e.expectation.turn.numpy()[0]), [0, 1], atol=0.1)


@pytest.mark.slow
def test_a_price_with_a_floor_under_dividends_is_exact(tmp_path, monkeypatch):
    """By the default command; the solution is loaded with the rule and the layers that it was found with."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "conf" / "model"
    place.mkdir(parents=True)
    (place / "tree.yaml").write_text("_target_: test_switches.Tree\nbeta: 0.9\nrho: 0.7\nsigma: 0.1\nfloor: 0.95\n")
    words = ["evaluation.figures=false"]
    solution = deqn.solve("tree", words, folder=tmp_path / "run", config_dir=str(tmp_path / "conf"), quiet=True)
    assert solution.summary["status"] == "converged" and solution.summary["training"]["switches"]
    x = np.linspace(0.75, 1.25, 9)
    exact = Tree().value(x)
    for one in (solution, deqn.load(tmp_path / "run")):
        np.testing.assert_allclose(one.policy({"x": x})["p"], exact, rtol=5e-5)
        assert one.economy.expectation.nodes == 21 and one.finer_economy.expectation.nodes == 32
        assert one.settings.network.hidden == solution.summary["training"]["hidden"]
