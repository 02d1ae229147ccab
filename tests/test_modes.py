"""Unit roots are told apart: what no policy can move, what is conserved, and what drifts by the policies."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, settings
from deqn import Model, Normal, Policy, State
from deqn.checks.diagnosis import check_eigenvalues
from deqn.economy.domain import Box
from deqn.economy.members import OneMember
from deqn.evaluation.closed_loop import assess_stability, find_closed_loop_modes
from deqn.evaluation.evaluate import choose_sample, find_worst_equation, sample_paths
from deqn.evaluation.records import Sample, WorstEquation
from deqn.perturbation.modes import span_unit_circle, split_reachable
from deqn.perturbation.steady_state import steady_state


@dataclass(frozen=True)
class Carbon(Model):
    """Log utility, full depreciation; beside capital two reservoirs exchange a fixed mass of carbon."""

    alpha: float = 0.3
    beta: float = 0.95
    flow: float = 0.1
    rho: float = 0.9
    sigma: float = 0.01

    policies = (Policy("s", 0, 1),)
    shocks = (Normal("eps"),)
    states = (State("k", 0.1, 0.3, log=True), State("air", 0.5, 1.5), State("sea", 0.5, 1.5), State("z", -0.1, 0.1))

    def steady_state(self):
        return {"k": (self.alpha * self.beta) ** (1 / (1 - self.alpha)), "air": 1.0, "sea": 1.0, "z": 0.0,
                "s": self.alpha * self.beta}  # fmt: skip

    def definitions(self, now):
        y = tf.exp(now.z) * now.k**self.alpha
        return {"y": y, "c": (1 - now.s) * y, "R": self.alpha * y / now.k}

    def transition(self, now, shock):
        moved = self.flow * (now.air - now.sea)
        z = self.rho * now.z + self.sigma * shock.eps
        return {"k": now.s * now.y, "air": now.air - moved, "sea": now.sea + moved, "z": z}

    def residuals(self, now, nxt, E):
        return {"euler": 1 / (self.beta * E(nxt.R / nxt.c)) / now.c - 1}


@dataclass(frozen=True)
class Smoothing(Model):
    """Permanent income with quadratic utility and beta R = 1: consumption is a random walk, and so is wealth."""

    r: float = 0.05
    rho: float = 0.6
    sigma: float = 0.01
    drag: float = 0.0  # of the state z on itself; one makes it a random walk

    policies = (Policy("c"),)
    shocks = (Normal("eps"),)
    states = (State("a", -1, 1), State("y", -0.1, 0.1))

    def steady_state(self):
        return {"a": 0.0, "y": 0.0, "c": 1.0}

    def definitions(self, now):
        return {"saved": (1 + self.r) * now.a + 1 + now.y - now.c}

    def transition(self, now, shock):
        return {"a": now.saved, "y": self.rho * now.y + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": E(nxt.c) - now.c}

    def closed_form(self, now):
        return {"c": 1 + self.r * now.a + self.r / (1 + self.r - self.rho) * now.y}


@dataclass(frozen=True)
class Slow(Model):
    """Log utility, full depreciation, persistent productivity: savings are alpha beta, and z is an AR(1)."""

    alpha: float = 0.3
    beta: float = 0.95
    rho: float = 0.998
    sigma: float = 0.01
    wide: float = 3.0

    policies = (Policy("s", 0, 1),)
    shocks = (Normal("eps"),)

    @property
    def states(self):
        return (State("k", 0.1, 0.3, log=True), State("z", -self.wide, self.wide))

    def definitions(self, now):
        y = tf.exp(now.z) * now.k**self.alpha
        return {"y": y, "c": (1 - now.s) * y, "R": self.alpha * y / now.k}

    def transition(self, now, shock):
        return {"k": now.s * now.y, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": 1 / (self.beta * E(nxt.R / nxt.c)) / now.c - 1}


def economy(model):
    """An economy under its first-order solution."""
    return build(settings("model=growth"), OneMember(model), steady_state(model))


def roots(model):
    e = economy(model)
    loop = find_closed_loop_modes(e)
    return [(root.kind, root.states) for root in loop.unit_roots], assess_stability(e, loop)


def test_a_conserved_quantity_is_named_and_does_not_fail():
    found, measured = roots(Carbon())
    assert found == [("conserved", ("air", "sea"))]
    assert measured.spectral_radius == pytest.approx(1) and measured.decaying == pytest.approx(0.9, abs=1e-6)
    assert measured.tested and measured.return_spread < 0.01 and measured.contracts


@pytest.mark.parametrize("nudge", [0.0, 3e-16, -3e-16, 1e-12])
def test_a_random_walk_passes_whatever_its_last_bit(nudge):
    found, measured = roots(Slow(rho=1 + nudge))
    assert found == [("exogenous", ("z",))] and measured.contracts


def test_a_drift_by_the_policies_is_named_and_is_no_explosion():
    found, measured = roots(Smoothing())
    assert found == [("drift", ("a",))]
    assert measured.contracts and not measured.tested
    line = check_eigenvalues(Smoothing(), steady_state(Smoothing()), Box(Smoothing()), "auto")
    assert "a: every level is a resting point" in [*line.warnings][0]


def test_an_explosive_state_that_no_policy_moves_fails():
    e = economy(Carbon())
    loop = find_closed_loop_modes(e)
    assert not assess_stability(e, replace(loop, exogenous=np.array([1.01, 0.8]))).contracts


def test_a_policy_that_explodes_is_not_taken_for_a_drift():
    e = economy(Smoothing())
    loop = find_closed_loop_modes(e)
    assert not assess_stability(e, replace(loop, endogenous=np.array([1.02]))).contracts


@pytest.mark.slow
def test_near_a_unit_root_the_return_is_not_tested():
    measured = roots(Slow(rho=0.9999))[1]
    assert not measured.tested and measured.return_periods == pytest.approx(np.log(1e-4) / np.log(0.9999), rel=1e-3)
    assert measured.contracts


@pytest.mark.slow
@pytest.mark.parametrize("wide", [1.0, 4.0])
def test_the_spread_of_a_slow_economy_does_not_depend_on_the_box(wide):
    """The sd of an AR(1) is sigma / sqrt(1 - rho^2): 0.158; 20,000 draws of persistence .998 tell it to a tenth."""
    e = economy(Slow(wide=wide))
    chosen = settings("model=stochastic_growth", "evaluation.paths=1000", "evaluation.periods=20").evaluation
    z = sample_paths(e, chosen, seed=3, loop=find_closed_loop_modes(e)).numpy()[..., 1]
    assert z.std() == pytest.approx(0.01 / np.sqrt(1 - 0.998**2), rel=0.1)


@pytest.mark.slow
def test_starts_are_forgotten_by_the_largest_eigenvalue():
    chosen = settings("model=stochastic_growth").evaluation
    dates = {
        rho: choose_sample(Slow(rho=rho), chosen, find_closed_loop_modes(economy(Slow(rho=rho))))
        for rho in (0.5, 0.998, 1.0)
    }
    assert dates[0.5].burn_in == 200 and not dates[0.5].at_rest
    assert dates[0.998].burn_in >= dates[0.998].needed
    assert dates[0.998].burn_in == pytest.approx(np.log(1e-3) / np.log(0.998), abs=2)
    assert dates[1.0] == Sample(100, pytest.approx(200, abs=200), at_rest=True, burn_in=0)


def test_the_worst_row_decides():
    rows = np.full((50, 10), 1e-8)
    rows[3] = 2e-5
    assert find_worst_equation({"euler": rows, "resources": np.full((1, 10), 1e-6)}) == WorstEquation(
        "euler[3]", pytest.approx(2e-5)
    )
    assert find_worst_equation({"euler": rows, "resources": np.full((1, 10), 4e-5)}).equation == "resources"


def test_what_policies_reach_by_way_of_other_states_is_theirs():
    A, B = np.array([[0.5, 0, 0], [1, 1, 0], [0, 0, 1.0]]), np.array([[1.0], [0], [0]])
    reached, alone = split_reachable(A, B)
    np.testing.assert_allclose(np.abs(alone), [[0], [0], [1]], atol=1e-15)
    assert reached.shape == (3, 2) and span_unit_circle(np.array([[0.0, -1], [1, 0]])).shape == (2, 2)
