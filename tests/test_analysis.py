"""Impulse responses of economies whose responses are known exactly."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, economy, settings
from deqn.economy.members import OneMember
from deqn.evaluation.analysis import place_slice
from deqn.evaluation.responses import find_resting_point, impulse_response
from deqn.model.declaration import Markov, Model, Normal, Policy, State


@dataclass(frozen=True)
class Slow(Model):
    """k' = rho k + (1 - rho) c + sigma eps: rests where the policy c = target puts it, after thousands of dates."""

    rho: float = 0.9995
    sigma: float = 0.1
    target: float = 1.0

    states = (State("k", 0.5, 1.5),)
    policies = (Policy("c"),)
    shocks = (Normal("eps"),)

    def steady_state(self):
        return {"k": self.target, "c": self.target}

    def definitions(self, now):
        return {"square": now.k**2}

    def transition(self, now, shock):
        return {"k": self.rho * now.k + (1 - self.rho) * now.c + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"target": now.c / self.target - 1 + 0 * E(nxt.k)}


class Constant:
    """A policy function that is off the exact one by an error."""

    dtype = tf.float64

    def __init__(self, value):
        self.value = value

    def __call__(self, states, training=False):
        return tf.fill((states.shape[0], 1), tf.constant(self.value, self.dtype))


def slow(model, value):
    return replace(build(settings("model=growth"), OneMember(model)), policy=Constant(value))


@pytest.mark.parametrize("rho", [0.5, 0.9995, 0.999999])
def test_a_response_starts_at_rest_however_slowly_it_is_reached(rho):
    e = slow(Slow(rho=rho), 1.05)
    hit, calm = impulse_response(e, "eps", 2.0, 30)
    moved = np.concatenate([[0], 0.2 * rho ** np.arange(30)])
    np.testing.assert_allclose(calm["k"], 1.05, rtol=1e-9)
    np.testing.assert_allclose(hit["k"] - calm["k"], moved, atol=1e-9)
    np.testing.assert_allclose(hit["square"] - calm["square"], (1.05 + moved) ** 2 - 1.05**2, atol=1e-9)


def test_along_a_unit_root_the_response_starts_at_the_steady_state():
    hit, calm = impulse_response(slow(Slow(rho=1.0), 1.05), "eps", 1.0, 5)
    np.testing.assert_array_equal(calm["k"], 1.0)
    np.testing.assert_allclose(hit["square"], [1, *[1.21] * 5])


@dataclass(frozen=True)
class Drifting(Model):
    """Wealth w' = w + income - c with a random income; it rests only where c is income."""

    states = (State("w", -4.0, 6.0), State("y", 0.4, 1.6))
    policies = (Policy("c"),)
    shocks = (Normal("eps"),)

    def steady_state(self):
        return {"w": 0.0, "y": 1.0, "c": 1.0}

    def transition(self, now, shock):
        return {"w": now.w + now.y - now.c, "y": 1 + 0.8 * (now.y - 1) + 0.1 * shock.eps}

    def residuals(self, now, nxt, E):
        return {"target": now.c - 1 + 0 * E(nxt.w)}


def test_where_a_level_drifts_nothing_else_is_moved_away_from_rest():
    """Saving for risk, c = 0.99: no income makes wealth rest and income rest, too."""
    e = replace(build(settings("model=growth"), OneMember(Drifting())), policy=Constant(0.99))
    np.testing.assert_array_equal(find_resting_point(e), [[0.0, 1.0]])
    hit, calm = impulse_response(e, "eps", 1.0, 3)
    np.testing.assert_allclose((hit["y"] / calm["y"]).to_numpy()[1:], 1 + 0.1 * 0.8 ** np.arange(3))


def test_a_policy_that_rests_nowhere_near_leaves_the_steady_state():
    assert find_resting_point(slow(Slow(rho=0.9995), 9.0)).numpy() == 1.0


@pytest.mark.parametrize("name", ["olg_analytic", "stochastic_growth", "irbc network.anchor=linear"])
def test_the_anchor_rests_at_the_steady_state(name):
    e = economy(*f"model={name}".split())
    np.testing.assert_allclose(find_resting_point(e)[0], e.steady.states, rtol=1e-9, atol=1e-12)


@dataclass(frozen=True)
class Incomes(Model):
    """A stock b beside two incomes that repeat a chain: all pairs of their values, or pairs in a row."""

    grid: bool = True
    states = (State("b", 0.0, 1.0), State("x", 0.5, 1.5), State("y", 1.0, 3.0))
    policies = (Policy("c", lower=0),)

    @property
    def shocks(self):
        x, y = np.meshgrid([0.5, 0.9, 1.5], [1.0, 3.0], indexing="ij")
        values = {"x": x.ravel(), "y": y.ravel()} if self.grid else {"x": [1.5, 0.5, 0.9], "y": [3.0, 1.0, 2.0]}
        count = len(values["x"])
        return (Markov(values, lambda now: tf.fill((count, 1), tf.constant(1 / count, tf.float64))),)

    def transition(self, now, shock):
        return {"b": 0.5 * now.b, "x": shock.x, "y": shock.y}

    def residuals(self, now, nxt, E):
        return {"rule": now.c - 1}


@pytest.mark.parametrize("grid", [True, False])
def test_slices_take_the_outcomes_of_a_chain(grid):
    """Through (0.25, 1.0, 1.8), whose nearest outcome is (0.9, 1) among pairs, and (0.9, 2) in the row."""
    domain, center = OneMember(Incomes(grid)).domain, tf.constant([[0.25, 1.0, 1.8]], tf.float64)
    b, x, y = (place_slice(domain, center, column) for column in range(3))
    nearest = [0.9, 1.0] if grid else [0.9, 2.0]
    np.testing.assert_array_equal(b[:, 1:], np.tile(nearest, (101, 1)))
    np.testing.assert_allclose(b[:, 0], np.linspace(0, 1, 101))
    if grid:
        np.testing.assert_array_equal(x, [[0.25, 0.5, 1], [0.25, 0.9, 1], [0.25, 1.5, 1]])
        np.testing.assert_array_equal(y, [[0.25, 0.9, 1], [0.25, 0.9, 3]])
    else:
        np.testing.assert_array_equal(x, [[0.25, 0.5, 1], [0.25, 0.9, 2], [0.25, 1.5, 3]])
        np.testing.assert_array_equal(y, x)
