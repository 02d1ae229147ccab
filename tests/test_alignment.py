"""Nodes lie close together in the direction in which constraints come to bind."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from conftest import build, economy, settings
from deqn.economy.alignment import align, align_on_paths
from deqn.economy.members import OneMember
from deqn.equations.quadrature import complete_basis
from deqn.model.declaration import Discrete, Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class Threshold(Model):
    """A policy that is max(a - bar, 0): tomorrow's a moves with a combination of three normal shocks alone."""

    load: tuple[float, float, float] = (0.5, -0.2, 0.1)
    bar: float = 0.2

    states = (State("a", -2, 2), State("z", -2, 2))
    policies = (Policy("d", lower=0), Multiplier("m", of="d"))
    shocks = (Normal("x"), Normal("v", size=2), Discrete({"jump": [-0.3, 0.3]}, [0.5, 0.5]))

    def transition(self, now, shock):
        moved = self.load[0] * shock.x + self.load[1] * shock.v[0] + self.load[2] * shock.v[1]
        return {"a": 0.5 * now.a + moved + shock.jump, "z": 0.5 * now.z + shock.v[1]}

    def residuals(self, now, nxt, E):
        return {"threshold": now.d - now.m - (now.a - self.bar)}


def solved(**parameters):
    """The economy with the policies that solve it: they are linear before the bound."""
    return build(settings("model=growth"), OneMember(Threshold(**parameters)))


@pytest.mark.parametrize("load", [(0.5, -0.2, 0.1), (0.0, 0.3, 0.3), (-0.4, 0.0, 0.0)])
def test_the_axis_points_across_the_kink(load):
    e = solved(load=load)
    align_on_paths(e)
    turn = e.expectation.turn.numpy()
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert abs(turn[0] @ load) > 0.98 * np.linalg.norm(load)


def test_the_axis_does_not_depend_on_where_it_was():
    """A run judges under the axis under which its solution is loaded, whatever axis training ended with."""
    e, turns = solved(load=(0.3, 0.3, 0.3)), []
    for before in (np.eye(3), complete_basis(np.array([0.6, 0.0, -0.8]))):
        e.expectation.turn.assign(before)
        align_on_paths(e)
        turns.append(e.expectation.turn.numpy())
    np.testing.assert_array_equal(*turns)


def test_shocks_that_are_turned_keep_their_moments():
    e = solved(load=(0.1, 0.3, 0.2))
    align_on_paths(e)
    shocks, E = e.expectation.shocks(tf.float64), e.expectation.operator(None, tf.float64)
    parts = [shocks.x, shocks.v[0], shocks.v[1], shocks.jump]
    moments = np.array([[float(E(a * b)[0, 0]) for a in parts] for b in parts])
    np.testing.assert_allclose(moments, np.diag([1, 1, 1, 0.09]), atol=1e-12)


def test_expected_payoffs_are_those_of_a_closed_form():
    """E max(a' - bar, 0) with a' normal but for a jump: the rule along the axis, and the product rule of more nodes."""
    e = solved(load=(0.3, 0.3, 0.3))
    align_on_paths(e)
    product = build(settings("model=growth", "expectation=product", "expectation.nodes=6"), e.members)
    errors = [np.abs(expected_payoff(one) - closed_payoff(np.linalg.norm([0.3] * 3))).max() for one in (e, product)]
    assert errors[0] < 2e-3 and errors[0] < 0.6 * errors[1]


PLACES = np.linspace(-1.5, 1.5, 31)


def expected_payoff(e):
    shocks, states = e.expectation.shocks(tf.float64), tf.constant(PLACES)
    a = 0.5 * states + 0.3 * (shocks.x + shocks.v[0] + shocks.v[1]) + shocks.jump
    return e.expectation.operator(None, tf.float64)(tf.nn.relu(a - 0.2)).numpy()[0]


def closed_payoff(sd):
    gaps = [(0.5 * PLACES + jump - 0.2) / sd for jump in (-0.3, 0.3)]
    return np.mean([sd * (g * norm.cdf(g) + norm.pdf(g)) for g in gaps], 0)


def test_a_kink_that_is_never_met_turns_nothing():
    e = solved(bar=-100.0)
    align_on_paths(e)
    np.testing.assert_array_equal(e.expectation.turn, np.eye(3))


@pytest.mark.parametrize("words", [["model=stochastic_growth"], ["model=growth"], ["model=irbc"]])
def test_without_constraints_nothing_is_turned(words):
    e = economy(*words)
    assert e.expectation.turn is None
    align(e, tf.zeros((4, 2), tf.float64))
    align_on_paths(e)


@pytest.mark.parametrize("seed", range(5))
def test_a_basis_begins_with_its_axis(seed):
    axis = np.random.default_rng(seed).standard_normal(4)
    axis /= np.linalg.norm(axis)
    basis = complete_basis(axis)
    assert abs(basis[0] @ axis) == pytest.approx(1) and np.allclose(basis @ basis.T, np.eye(4))
