from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

import deqn
from conftest import economy
from deqn.economy.anchors import linear_rule
from deqn.economy.exact import closed_form
from deqn.economy.members import OneMember
from deqn.model.declaration import State
from deqn.models.growth import Growth
from deqn.models.olg_analytic import OlgAnalytic
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.perturbation.first_order import linear_solution
from deqn.perturbation.steady_state import steady_state
from deqn.system.errors import InputError


def solved(model):
    return linear_solution(model, steady_state(model))


def altered(**members):
    return dataclass(frozen=True)(type("Altered", (StochasticGrowth,), members))()


def test_the_roots_of_growth_are_known():
    """k' = alpha beta k^alpha: roots alpha and 1 / (alpha beta), and a constant savings rate."""
    found = solved(Growth(head="share"))
    np.testing.assert_allclose(found.moduli, [0.36, 1 / (0.36 * 0.99)], rtol=1e-9)
    np.testing.assert_allclose(found.decision_rule, [[0]], atol=1e-9)
    np.testing.assert_allclose(found.law_of_motion, [[0.36]], rtol=1e-9)


@pytest.mark.parametrize("cohorts", [2, 6, 20])
def test_the_slope_is_the_derivative_of_the_closed_form(cohorts):
    """Savings in levels, by central differences."""
    model = OlgAnalytic(cohorts=cohorts, head="level")
    steady = steady_state(model)
    exact = closed_form(model, steady).values
    h = 1e-5 * np.maximum(np.abs(steady.states), 1e-2)
    up, down = (exact(tf.constant(steady.states + s * np.diag(h)))["a"][:, 0] for s in (1, -1))  # [policies, states]
    np.testing.assert_allclose(solved(model).decision_rule, (up - down) / (2 * h), rtol=1e-6, atol=1e-8)


def test_a_root_of_one_is_allowed():
    """A state that never changes, as a parameter would be."""

    def transition(self, now, shock):
        return {**StochasticGrowth.transition(self, now, shock), "p": now.p}

    members = {
        "states": property(lambda self: (*StochasticGrowth.states.fget(self), State("p", -1, 1))),
        "steady_state": lambda self: {**StochasticGrowth.steady_state(self), "p": 0.0},
        "transition": transition,
    }
    assert solved(altered(**members)).moduli[2] == pytest.approx(1)


def rested(now):
    return now.s - StochasticGrowth().steady_state()["s"]


WRONG = {
    "indeterminate": (
        {"residuals": lambda self, now, nxt, E: {"euler": E(rested(nxt)) - 0.5 * rested(now)}},
        "3 stable roots for 2 states, so it is indeterminate.*0.5",
    ),
    "explosive": (
        {"transition": lambda self, now, shock: {"k": now.k + now.s * now.y - self.delta * now.k, "z": 1.2 * now.z}},
        "1 stable roots for 2 states, so it has no stable solution.*1.2",
    ),
    "rank": (
        {
            "transition": lambda self, now, shock: {
                "k": 0.9 * now.k + 0.1 * self.steady_state()["k"],
                "z": 1.2 * now.z,
            },
            "residuals": lambda self, now, nxt, E: {"euler": E(rested(nxt)) - 0.5 * rested(now)},
        },
        "2 stable roots for 2 states, which do not span them, so it has no stable solution",
    ),
    "undetermined": (
        {"residuals": lambda self, now, nxt, E: {"euler": 0 * rested(now)}},
        "do not determine the policies",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_blanchard_and_kahn(case):
    members, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        solved(altered(**members))


@pytest.mark.slow
def test_an_indeterminate_model_is_refused_by_the_anchor_and_solved_without(tmp_path, monkeypatch):
    monkeypatch.setattr("deqn.configuration.job.build_model", lambda *_: altered(**WRONG["indeterminate"][0]))
    with pytest.raises(InputError, match="network.anchor=linear: .*indeterminate.*network.anchor=steady_state"):
        deqn.solve("stochastic_growth", folder=tmp_path / "run", quiet=True)
    overrides = [
        "network.anchor=steady_state",
        "optimizer.iterations=2",
        "optimizer.polish=0",
        "evaluation.figures=false",
    ]
    found = deqn.solve("stochastic_growth", overrides, folder=tmp_path / "other", quiet=True)
    assert found.summary["first_order"] == {} and found.summary["policy_errors"]["reference"] == {}


@pytest.mark.parametrize(
    "case",
    [
        "growth model.delta=0.1",
        "growth model.head=share model.delta=0.1",
        "stochastic_growth",
        "olg_analytic model.head=level",
    ],
)
def test_the_untrained_policy_has_the_linear_slope(case):
    """The anchor, through logarithms of states and the bounds of policies."""
    e = economy(*f"model={case}".split())
    at = tf.constant(e.steady.states[None])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(at)
        policies = e.policy(at)
    slope = tape.jacobian(policies, at, experimental_use_pfor=False)[0, :, 0]
    linear = linear_solution(e.model, e.steady)
    np.testing.assert_allclose(policies[0], e.steady.policies, rtol=1e-12)
    np.testing.assert_allclose(slope, linear.decision_rule, rtol=1e-8, atol=1e-10)
    rule = linear_rule(e.members, e.steady, tf.float64)
    np.testing.assert_allclose(rule(at + 1e-6), e.policy(at + 1e-6), rtol=1e-9)


def test_the_linear_rule_keeps_within_the_bounds():
    model = StochasticGrowth()
    rule = linear_rule(OneMember(model), steady_state(model), tf.float64)
    policies = rule(tf.constant([[1e3, -3.0], [0.1, 9.0]], tf.float64)).numpy()
    assert (policies >= 0).all() and (policies <= 1).all()


@pytest.mark.slow
def test_the_trained_policy_has_the_linear_slope(tmp_path):
    """Started at the steady state, a deterministic economy learns what the first-order solution says."""
    overrides = ["model.delta=0.1", "network=chebyshev", "network.anchor=steady_state", "optimizer.iterations=60",
                 "optimizer.polish=0", "evaluation.reference=false", "evaluation.figures=false"]  # fmt: skip
    found = deqn.solve("growth", overrides, folder=tmp_path / "run", quiet=True).economy
    at = tf.constant(found.steady.states[None])
    with tf.GradientTape() as tape:
        tape.watch(at)
        s = found.policy(at)
    exact = linear_solution(found.model, found.steady).decision_rule
    np.testing.assert_allclose(tape.gradient(s, at), exact, rtol=1e-5)


def test_both_networks_start_at_the_anchor():
    e = economy("model=stochastic_growth", "network=chebyshev")
    other = economy("model=stochastic_growth", "network=mlp")
    states = tf.constant([[5.0, 0.1], [8.0, -0.2]], tf.float64)
    np.testing.assert_allclose(e.policy(states), other.policy(states), rtol=1e-12)
