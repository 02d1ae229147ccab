"""The reference solution of economies whose exact policies are known from elsewhere: a distance is right or absent.

The policies that are judged are the exact ones with an error that is known; the engine is not told the closed form.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

import time_iteration
from conftest import build, economy, settings
from deqn.economy.domain import box_states
from deqn.economy.members import OneMember
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import build_finer_rule
from deqn.evaluation import evaluate
from deqn.evaluation.analysis import slice_policies
from deqn.evaluation.closed_loop import find_closed_loop_modes
from deqn.evaluation.records import ReferenceSolution
from deqn.evaluation.reference import solve_reference
from deqn.model.declaration import Discrete, Model, Normal, Policy, State
from deqn.models.asset_pricing import AssetPricing


class WithError:
    """Exact policies, off by a share that waves over the states."""

    dtype, floats = tf.float64, 1

    def __init__(self, exact, size):
        self.exact, self.size = exact, size

    def __call__(self, states, training=False):
        wave = tf.sin(3 * states[:, :1] / tf.math.abs(states[:1, :1])) + 2
        return self.exact(states) * (1 + self.size * wave)


def compared(model, exact, size):
    """The reference of a policy with an error, and the comparison's rows with their right values."""
    built = build(settings("model=growth"), OneMember(model))
    judging = build_expectation(model, partial(build_finer_rule, settings().expectation))
    judged = replace(built, policy=WithError(exact, size), expectation=judging)
    chosen = replace(settings().evaluation, paths=50, periods=100, burn_in=100)
    found = replace(judged, policy=WithError(exact, 0.0))
    walked = evaluate.sample_paths(found, chosen, 3, loop=find_closed_loop_modes(found))
    sets = {
        "path": tf.reshape(walked, (-1, walked.shape[-1])),
        "box": box_states(judged.domain, chosen, 4, judged.policy.dtype),
    }
    found = solve_reference(judged, sets)
    rows = evaluate.compare(judged, None, found.exact, sets) if found.policies else []
    if len(rows):
        for i, row in rows.iterrows():
            states = tf.boolean_mask(sets[row["set"]], found.exact.covers(sets[row["set"]]))
            error = np.abs(judged.policy(states) - exact(states))
            rows.loc[i, ["right_mean", "right_max"]] = error.mean(), error.max()
    return found, rows


def assert_right(rows):
    np.testing.assert_allclose(rows["mean"], rows["right_mean"], rtol=0.1)
    np.testing.assert_allclose(rows["max"], rows["right_max"], rtol=0.1)


@dataclass(frozen=True)
class Base(Model):
    """What the economies of this file share."""

    policies, shocks = (Policy("c", lower=0),), ()

    def steady_state(self):
        return None

    def definitions(self, now):
        return {}


@dataclass(frozen=True)
class BrockMirman(Base):
    """Consumption in levels, log utility, full depreciation: c = (1 - alpha beta) e^z k^alpha."""

    alpha: float = 0.3
    beta: float = 0.95
    rho: float = 0.9
    sigma: float = 0.05

    shocks = (Normal("eps"),)

    @property
    def states(self):
        k = (self.alpha * self.beta) ** (1 / (1 - self.alpha))
        return (State("k", 0.6 * k, 1.6 * k), State("z", -0.3, 0.3))

    def output(self, now):
        return tf.exp(now.z) * now.k**self.alpha

    def transition(self, now, shock):
        return {"k": self.output(now) - now.c, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": 1 / (now.c * E(self.beta * self.alpha * self.output(nxt) / (nxt.k * nxt.c))) - 1}

    def exact(self, states):
        k, z = states[:, :1], states[:, 1:]
        return (1 - self.alpha * self.beta) * tf.exp(z) * k**self.alpha


@dataclass(frozen=True)
class Quality(Base):
    """The same in one state, where rare disasters destroy a part of capital."""

    alpha: float = 0.3
    beta: float = 0.95
    chance: float = 0.01
    lost: float = 0.5

    @property
    def states(self):
        k = (self.alpha * self.beta) ** (1 / (1 - self.alpha))
        return (State("k", 0.4 * k, 1.6 * k),)

    @property
    def shocks(self):
        return (Discrete({"d": [0.0, 1.0]}, [1 - self.chance, self.chance]),)

    def transition(self, now, shock):
        return {"k": (now.k**self.alpha - now.c) * (1 - self.lost * shock.d)}

    def residuals(self, now, nxt, E):
        saved = now.k**self.alpha - now.c
        return {"euler": saved / (now.c * E(self.beta * self.alpha * nxt.k**self.alpha / nxt.c)) - 1}

    def exact(self, states):
        return (1 - self.alpha * self.beta) * states**self.alpha


@dataclass(frozen=True)
class Recursion(Base):
    """v = e^x + beta E v', the sum of beta^i E e^x_i, with x an autoregression."""

    beta: float = 0.994
    rho: float = 0.9
    sigma: float = 0.1

    policies, shocks = (Policy("v", lower=0),), (Normal("eps"),)

    @property
    def states(self):
        return (State("x", -0.8, 0.8),)

    def transition(self, now, shock):
        return {"x": self.rho * now.x + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"value": (tf.exp(now.x) + self.beta * E(nxt.v)) / now.v - 1}

    def exact(self, states):
        i = np.arange(LATE)
        risk = self.sigma**2 / 2 * (1 - self.rho ** (2 * i)) / (1 - self.rho**2)
        near = tf.reduce_sum(tf.exp(states * self.rho**i + risk + i * np.log(self.beta)), 1, keepdims=True)
        return near + self.beta**LATE / (1 - self.beta) * np.exp(risk[-1])


LATE = 300  # dates after which today is forgotten: .9^300 is 2e-14


@dataclass(frozen=True)
class Burnside(AssetPricing):
    """Asset pricing that does not tell its closed form, with dividends that persist."""

    rho: float = 0.5
    x_box: float = 3.0

    def closed_form(self, now):
        return None

    def exact(self, states):
        now = type("Point", (), {"x": tf.transpose(states)})
        return tf.reshape(AssetPricing.closed_form(self, now)["v"], (-1, 1))


ECONOMIES = [BrockMirman(), Quality(), Recursion(), Burnside()]


@pytest.mark.slow
@pytest.mark.parametrize("model", ECONOMIES, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
def test_a_distance_is_right_or_not_shown(model, size):
    found, rows = compared(model, model.exact, size)
    if size >= 1e-6:
        assert found.policies, found.record.omitted
        assert found.record.agreement and found.record.mean <= found.record.max
    if found.policies:
        assert_right(rows)
    else:
        assert found.exact is None and found.record.omitted.startswith("No reference for")


@pytest.mark.slow
def test_a_wrong_level_of_a_long_recursion_is_seen_at_its_size():
    """The residual of this policy is a hundredth of its distance."""
    model = Recursion()
    found, rows = compared(model, model.exact, 1e-5)
    assert found.policies == ("v",)
    assert_right(rows)


@dataclass(frozen=True)
class Kinked(Recursion):
    """A claim to 1 + max(e^x - strike, 0) at each date: Black and Scholes at today's x, with a kink of its own."""

    beta: float = 0.9
    strike: float = 1.1

    def payoff(self, now):
        return 1 + tf.nn.relu(tf.exp(now.x) - self.strike)

    def residuals(self, now, nxt, E):
        return {"value": (self.payoff(now) + self.beta * E(nxt.v)) / now.v - 1}

    def exact(self, states):
        i = np.arange(1, LATE)
        mean, sd = states * self.rho**i, self.sigma * np.sqrt((1 - self.rho ** (2 * i)) / (1 - self.rho**2))
        d = (mean - np.log(self.strike)) / sd
        cumulated = lambda x: tf.math.erfc(-x / np.sqrt(2)) / 2
        options = tf.exp(mean + sd**2 / 2) * cumulated(d + sd) - self.strike * cumulated(d)
        later = tf.reduce_sum(self.beta**i * options, 1, keepdims=True)
        return 1 / (1 - self.beta) + tf.nn.relu(tf.exp(states) - self.strike) + later


NO_NUMBERS = "No reference for v: a solution by projection has no numbers at some states."


@pytest.mark.slow
@pytest.mark.parametrize("size", [1e-2, 1e-3, 1e-4, 1e-7])
def test_a_kink_that_is_not_declared_has_no_reference_closer_than_polynomials_are(size):
    found, rows = compared(Kinked(), Kinked().exact, size)
    if size <= 1e-4:
        assert not found.policies and found.record.omitted == NO_NUMBERS
    elif found.policies:
        assert_right(rows)


@pytest.mark.parametrize("kind, reason", [
    ("model=olg_analytic", "up to 2 states, and the model has 7"),
    ("model=growth_labor model.capped=true", "a constraint that binds at times"),
])  # fmt: skip
def test_an_economy_without_a_reference_says_why(kind, reason):
    e = economy(*kind.split(), "network.hidden=[2]")
    found = solve_reference(e, {"path": tf.constant(np.tile(e.steady.states, (4, 1)))})
    assert (
        found.exact is None
        and reason in found.record.omitted
        and found.record == ReferenceSolution(omitted=found.record.omitted)
    )


def test_single_precision_is_judged_in_double():
    e = economy("model=asset_pricing", "dtype=float32", "network.hidden=[2]", "network.anchor=steady_state")
    states = np.linspace(*e.domain.corners(tf.constant(e.steady.states[None], tf.float32)), 50)[:, 0]
    found = solve_reference(e, {"path": tf.constant(states, tf.float32)})
    assert found.policies == ("v",), found.record.omitted


@pytest.mark.slow
def test_it_is_the_solution_of_time_iteration(stochastic):
    """Two methods that share no code agree to eight digits, whatever the network has learned."""
    sets = stochastic.draw_evaluation_states(0)
    worse = replace(stochastic.finer_economy, policy=WithError(lambda s: stochastic.economy.policy(s), 1e-5))
    found = solve_reference(worse, sets)
    k, z = sets["path"].numpy().T
    c = time_iteration.stochastic_growth(0.36, 0.99, 1.0, 0.1, 0.9, 0.04, points=(241, 61))(k, z)
    exact = 1 - c / (np.exp(z) * k**0.36)
    assert np.abs(found.exact.values(sets["path"])["s"][0] - exact).max() < 1e-7
    assert found.record.max < 1e-6 and found.record.agreement["s"]["max"] < 1e-5


@pytest.mark.slow
def test_figures_leave_it_out_where_it_does_not_hold(stochastic):
    """A slice across the whole box leaves the region of the simulated states."""
    states = stochastic.draw_evaluation_states(0)["path"]
    worse = replace(stochastic.finer_economy, policy=WithError(lambda s: stochastic.economy.policy(s), 1e-4))
    found = solve_reference(worse, {"path": states[states[:, 1] > 0]})
    slices = slice_policies(stochastic.economy, exact=found.exact)
    assert slices["z"]["exact s"].isna().any() and slices["z"]["exact s"].notna().any()


def test_paths_that_lead_to_where_there_are_no_numbers_have_no_reference():
    """As of a debt that explodes: what is left of the paths may be no state at all."""
    built = build(settings("model=growth"), OneMember(AssetPricing()))
    states = box_states(built.domain, settings().evaluation, 4, tf.float64)
    for path in (states * np.nan, tf.concat([states[:9], states[:1] * np.inf], 0)):
        found = solve_reference(built, {"path": path, "box": states})
        assert not found.policies and "where there are no numbers" in found.record.omitted
