"""The estimate of how far policies are from the solution, against economies whose solution is known by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from small_economies import Harvest

from conftest import build, settings
from deqn.economy.domain import SobolPoints
from deqn.economy.members import OneMember
from deqn.economy.simulation import simulate_path
from deqn.evaluation import distance
from deqn.evaluation.distance import choose_degree, estimate_distance
from deqn.model.declaration import Markov, Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class Rule(Model):
    """A Fisher equation, phi pi = E pi' + r, whose rule phi switches between two regimes; pi = a(phi) r.

    The map of expectations is P / phi, and a solves phi a = rho P a + 1.
    """

    passive: float = 0.92
    stay: float = 0.9
    active, rho = 2.2, 0.9
    policies = (Policy("pi"),)

    @property
    def states(self):
        return (State("r", -0.04, 0.04), State("phi", self.passive, self.active))

    @property
    def shocks(self):
        return (Normal("e"), Markov({"regime": [self.active, self.passive]}, self.rows))

    @property
    def chain(self):
        return np.array([[self.stay, 1 - self.stay], [1 - self.stay, self.stay]])

    def rows(self, now):
        return tf.gather(self.chain.T, tf.cast(now.phi < 1.5, tf.int32)[0], axis=1)[:, None]

    def transition(self, now, shock):
        return {"r": self.rho * now.r + 0.005 * shock.e, "phi": shock.regime}

    def residuals(self, now, nxt, E):
        return {"fisher": now.phi * now.pi - E(nxt.pi) - now.r}


def sample(e, dates=2000):
    states = SobolPoints(e.domain, dates, 5, tf.float64).points()
    return states


@pytest.mark.parametrize("stay", [0.9, 0.5, 0.97])
def test_what_residuals_add_up_to_is_the_distance_from_the_solution(stay):
    """The constant zero is a(phi) r away from it; beyond an eigenvalue of one there is no determinate solution."""
    model = Rule(stay=stay)
    e = build(settings("network.anchor=none"), OneMember(model))
    states = sample(e)
    found = estimate_distance(e, states[:256], e)
    rules = np.array([model.active, model.passive])
    a = np.linalg.solve(np.diag(rules) - model.rho * model.chain, np.ones(2))
    truth = np.abs(np.where(states[:256, 1] > 1.5, *a) * states[:256, 0])
    assert found.policies["pi"]["mean"] == pytest.approx(truth.mean(), rel=1e-6)
    assert found.policies["pi"]["max"] == pytest.approx(truth.max(), rel=1e-6)
    radius = np.abs(np.linalg.eigvals(model.chain / rules[:, None])).max()
    assert found.radius == pytest.approx(radius, rel=1e-6)
    assert (found.radius > 1) == (stay == 0.97)


def test_an_economy_is_called_indeterminate_at_many_states_alone(monkeypatch):
    """A few dates of a persistent economy may have an eigenvalue beyond one by chance."""
    counts, estimate = [], distance.estimate_at
    monkeypatch.setattr(distance, "estimate_at", lambda e, states, *rest: (counts.append(len(states)),
                                                                           estimate(e, states, *rest))[1])  # fmt: skip
    for stay, expected in ((0.9, [256]), (0.97, [256, 2000])):
        e = build(settings("network.anchor=none"), OneMember(Rule(stay=stay)))
        distance.estimate_distance(e, sample(e), e)
        assert counts == expected
        counts.clear()


@dataclass(frozen=True)
class Walls(Model):
    """x = max(z, -.05) by its multiplier, and a price p = .95 E p' + x: three columns, two outputs."""

    states = (State("z", -0.3, 0.3),)
    policies = (Policy("x", lower=-0.05), Multiplier("m", of="x"), Policy("p"))
    shocks = (Normal("e"),)

    def transition(self, now, shock):
        return {"z": 0.8 * now.z + 0.05 * shock.e}

    def residuals(self, now, nxt, E):
        return {"wall": now.x - now.z - now.m, "price": 0.95 * E(nxt.p) + now.x - now.p}


def price(z):
    """The sum of .95^t E max(z_t, -.05): z_t given today's z is normal."""
    t = np.arange(400)[:, None]
    mean, sd = 0.8**t * z + 0.05, 0.05 * np.sqrt((1 - 0.64**t) / 0.36) + 1e-12
    kept = mean * scipy.stats.norm.cdf(mean / sd) + sd * scipy.stats.norm.pdf(mean / sd)
    return (0.95**t * (kept - 0.05)).sum(0)


def test_multipliers_and_prices_are_measured_in_their_own_units():
    """All three policies rest at zero, and stay there."""
    e = build(settings("network.anchor=steady_state"), OneMember(Walls()))
    z = 0.05 / 0.6 * np.random.default_rng(0).standard_normal((256, 1))  # its stationary distribution
    found, z = estimate_distance(e, tf.constant(z), e), z[:, 0]
    assert found.radius == pytest.approx(0.95, abs=1e-3)
    assert found.policies["x"]["mean"] == pytest.approx(np.abs(np.maximum(z, -0.05)).mean(), rel=1e-6)
    assert found.policies["m"]["mean"] == pytest.approx(np.maximum(-0.05 - z, 0).mean(), rel=1e-6)
    assert found.policies["p"]["mean"] == pytest.approx(np.abs(price(z)).mean(), rel=0.05)  # a kink, on polynomials


def test_the_estimate_is_the_distance_from_a_closed_form():
    """Brock and Mirman's consumption under shocks, against the first-order rule."""
    e = build(settings(), OneMember(model := Harvest()))
    start = SobolPoints(e.domain, 64, 5, tf.float64).points()
    generator = tf.random.Generator.from_seed(0, alg="philox")
    states = tf.reshape(simulate_path(e.model, e.policy, start, 40, generator)[20:], (-1, 2))
    chosen = tf.gather(states, np.linspace(0, len(states) - 1, 256).astype(int))
    found, (k, z) = estimate_distance(e, states, e), chosen.numpy().T
    truth = (1 - model.alpha * model.beta) * np.exp(z) * k**model.alpha
    error = np.abs(e.policy(chosen).numpy()[:, 0] - truth).mean()
    assert error > 1e-5 and found.policies["c"]["mean"] == pytest.approx(error, rel=0.1)


def test_an_economy_that_is_too_large_or_without_numbers_has_none():
    assert [choose_degree(*x) for x in ((2, 1, 512), (15, 8, 512), (101, 51, 512), (1, 1, 3))] == [2, 1, None, None]

    class Nowhere(Walls):
        def residuals(self, now, nxt, E):
            return {"wall": now.x - now.z - now.m, "price": tf.math.log(now.z) * E(nxt.p) - now.p}

    e = build(settings("network.anchor=none"), OneMember(Nowhere()))
    assert estimate_distance(e, sample(e, 64) - 1.0, e) is None
