"""An economy that rests nowhere without risk is stable if it forgets where it began."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, settings
from deqn.economy.members import OneMember
from deqn.evaluation.closed_loop import assess_stability, find_closed_loop_modes
from deqn.model.declaration import Markov, Model, Normal, Policy, State
from deqn.reporting.advice import describe_stability, explain_instability

LEVELS = np.array([-0.19, 0.19])


@dataclass(frozen=True)
class Borrowing(Model):
    """Debt whose limit falls by `slope` with debt: above one in size, the rest point without risk is unstable, and
    paths without risk go on for ever between two points, where the limit is `reach` away from it."""

    slope: float = 1.5
    reach: float = 0.2
    sigma: float = 0.05
    states = (State("b", -1.0, 1.0),)
    policies = (Policy("target"),)
    shocks = (Normal("e"),)

    def steady_state(self):
        return {"b": 0.0, "target": 0.0}

    def transition(self, now, shock):
        return {"b": now.target + self.sigma * shock.e}

    def residuals(self, now, nxt, E):
        return {"limit": now.target - self.limit(now.b)}

    def limit(self, b):
        return tf.clip_by_value(-self.slope * b, -self.reach, self.reach)


@dataclass(frozen=True)
class Switching(Borrowing):
    """The same where income is a chain that is a state."""

    states = (State("b", -1.0, 1.0), State("y", -0.19, 0.19))

    @property
    def shocks(self):
        return (Markov({"y": LEVELS}, self.chances),)

    def chances(self, now):
        high = tf.where(now.y > 0, 0.7, 0.3)
        return tf.concat([1 - high, high], 0)

    def steady_state(self):
        b = 0.076 / (1 + self.slope)  # y at its mean after a good outcome
        return {"b": b, "y": 0.076, "target": -self.slope * b}

    def transition(self, now, shock):
        return {"b": now.target + now.y, "y": shock.y}


@dataclass(frozen=True)
class Saving(Switching):
    """Debt that decays at the rate `rho`, and income that is a regime."""

    rho: float = 0.9

    def limit(self, b):
        return self.rho * b

    def transition(self, now, shock):
        return {"b": now.target + (1 - self.rho) * now.y, "y": shock.y}

    def steady_state(self):
        return {"b": 0.076, "y": 0.076, "target": self.rho * 0.076}


@dataclass(frozen=True)
class Between(Saving):
    """The same, with a policy that is steep where income is at neither of its outcomes."""

    rho: float = 0.5

    def transition(self, now, shock):
        steep = tf.where(tf.abs(now.y) < 0.15, 3.5 + 0 * now.y, 0 * now.y)
        return {"b": now.target + steep * (now.b - 0.076) + 0.5 * now.y, "y": shock.y}


class Exact:
    """The policy function that solves the model."""

    dtype, floats = tf.float64, 1

    def __init__(self, model):
        self.model = model

    def __call__(self, states, training=False):
        return self.model.limit(states[:, :1])


def judge(model, steady=True):
    e = build(settings("model=growth", "network.anchor=steady_state"), OneMember(model))
    e = replace(e, policy=Exact(model), steady=e.steady if steady else None)
    return assess_stability(e, find_closed_loop_modes(e))


@pytest.mark.parametrize("kind", [Borrowing, Switching])
def test_a_bounded_economy_that_forgets_its_start_is_stable(kind):
    found = judge(kind())
    assert found.spectral_radius is None and found.shared_spread < 1e-6 and found.contracts
    assert next(describe_stability(found)).startswith("It rests nowhere; paths with the same shocks end")


@pytest.mark.parametrize("rho", [0.5, 0.95])
def test_paths_come_together_at_the_rate_of_the_slowest_state(rho):
    """A regime's mean is none of its outcomes: nothing is read from the policy there."""
    found = judge(Saving(rho=rho))
    assert found.spectral_radius is None and found.contracts and found.decaying == pytest.approx(rho, rel=1e-6)


def test_a_regime_whose_paths_leave_is_not_stable():
    found = judge(Saving(rho=1.02))
    assert not found.contracts and explain_instability(found) == "paths lead out of the box"


def test_a_policy_that_is_unstable_between_the_outcomes_alone_is_stable():
    """At the regime's mean, which no path visits, its slope is 4."""
    found = judge(Between())
    assert found.contracts and found.decaying == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("kind", [Borrowing, Switching])
def test_without_a_steady_state_paths_are_judged_all_the_same(kind):
    found = judge(kind(), steady=False)
    assert found.contracts and found.rests_nowhere


def test_without_a_steady_state_nothing_is_said_of_paths_that_keep_apart():
    """A unit root, or an unstable loop: which of the two, only the first-order solution tells."""
    e = build(settings("model=growth", "network.anchor=none"), OneMember(Borrowing(sigma=1e-9)))
    assert find_closed_loop_modes(replace(e, steady=None, policy=Exact(Borrowing(sigma=1e-9)))) is None


def test_one_that_rests_is_judged_there():
    found = judge(Borrowing(slope=0.8))
    assert found.shared_spread is None and found.contracts and found.spectral_radius == pytest.approx(0.8)


def test_one_whose_paths_leave_the_box_is_not_stable():
    found = judge(Borrowing(slope=1.2, reach=1e6))
    assert not found.contracts and "paths leave the steady state (eigenvalue 1.2" in explain_instability(found)


def test_one_that_remembers_its_start_for_ever_is_not_stable():
    """Without a limit, and with shocks too small to matter, two paths keep apart in opposite phases."""
    found = judge(Borrowing(sigma=1e-9))
    assert found.shared_spread > 0.1 and not found.contracts
