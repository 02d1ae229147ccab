"""Economies of many policies: time iteration by itself, on paths, with one wide layer whose last weights are fitted."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, economy, settings
from deqn.economy.domain import SobolPoints
from deqn.economy.members import OneMember
from deqn.model.declaration import Model, Multiplier, Normal, Policy, State
from deqn.model.layout import point
from deqn.runs.training import build_rounds, build_stages
from deqn.training.regression import LastLayerRegression, Regression, choose_fit
from deqn.training.sampler import Sampler


@dataclass(frozen=True)
class Islands(Model):
    """So many economies of Brock and Mirman (1972) with common productivity, c_i = (1 - alpha beta) e^z k_i^alpha."""

    count: int = 24
    alpha: float = 0.36
    beta: float = 0.95
    constrained: bool = False

    shocks = (Normal("eps"),)

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("k", 0.6 * k, 1.6 * k, size=self.count), State("z", -0.2, 0.2))

    @property
    def policies(self):
        size = self.count
        return (Policy("c", 0, size=size), *[Multiplier("m", "c", size=size)] * self.constrained)

    def steady_state(self):
        k = np.full(self.count, (self.alpha * self.beta) ** (1 / (1 - self.alpha)))
        return {"k": k, "z": 0.0, "c": (1 - self.alpha * self.beta) * k**self.alpha, "m": 0.0}

    def transition(self, now, shock):
        y = tf.exp(now.z) * now.k**self.alpha
        return {"k": y - now.c, "z": 0.8 * now.z + 0.05 * shock.eps}

    def residuals(self, now, nxt, E):
        returns = self.alpha * tf.exp(nxt.z) * nxt.k ** (self.alpha - 1)
        return {"euler": 1 / (self.beta * E(returns / nxt.c)) / now.c - 1}

    def closed_form(self, now):
        return {"c": (1 - self.alpha * self.beta) * tf.exp(now.z) * now.k**self.alpha}


@pytest.fixture(scope="module")
def islands():
    return build(settings("model=growth", "sampling=mixture"), OneMember(Islands()))


def test_time_iteration_takes_the_place_of_least_squares_on_paths(islands):
    chosen = settings("model=growth", "sampling=mixture", "optimizer=time_iteration_lm")
    (stage,) = build_stages(islands, chosen)
    assert stage.name == "time_iteration" and not stage.prepares and stage.shares_slopes
    assert [layer.units for layer in islands.policy.network.layers if hasattr(layer, "units")] == [500, 24]
    assert isinstance(stage.fitting, LastLayerRegression) and len(build_rounds(islands, chosen)) == 2
    few = [s.name for s in build_stages(economy("model=growth"), chosen)]
    assert few == ["time_iteration", "adam", "levenberg_marquardt", "bfgs"]


def test_a_constraint_asks_for_a_jacobian_of_each_state():
    e = build(settings("model=growth"), OneMember(Islands(count=24, constrained=True)))
    assert not build_stages(e, settings("optimizer=time_iteration"))[0].shares_slopes


@pytest.mark.parametrize("count, share, expected", [(24, "null", 0.0), (6, "null", 0.5), (24, "0.25", 0.25)])
def test_the_box_is_left_out_where_it_has_many_dimensions(count, share, expected):
    chosen = settings("model=growth", "sampling=mixture", f"sampling.box_share={share}", "network.hidden=[4]")
    e = build(chosen, OneMember(Islands(count=count)))
    sampler = Sampler(e, chosen.sampling, 0)
    assert sampler._from_paths == round((1 - expected) * sampler.states)


@pytest.mark.slow
def test_many_policies_are_solved(islands):
    """Consumption along paths, whose first-order rule is off since the states are no logarithms."""
    chosen = settings("model=growth", "sampling=mixture", "optimizer=time_iteration_lm")
    (stage,) = build_stages(islands, chosen)
    stage.sampler.advance(islands.policy, tf.constant(100))
    states = stage.sampler(islands.policy)
    exact = islands.model.closed_form(point(islands.model, islands.policy, states))["c"].numpy()[:, 0].T
    before = np.abs(islands.policy(states).numpy() / exact - 1).mean()
    assert stage.chunk(15)
    after = np.abs(islands.policy(states).numpy() / exact - 1).mean()
    assert before > 1e-4 and after < before / 50


def test_the_last_layer_is_fitted_by_least_squares():
    """What it can be is found, for a network and for polynomials, all of whose weights are in it."""
    rng = np.random.default_rng(0)
    states = tf.constant(rng.uniform(4, 8, (400, 2)) * [1, 0.02])
    for words in (["network.hidden=[30]"], ["network=chebyshev"]):
        e = economy("model=stochastic_growth", *words)
        fit = LastLayerRegression(e.policy, 400)
        features, present = (x.numpy() for x in fit._compute_features(states))
        target = features @ rng.standard_normal((features.shape[1], 1)) + present
        assert fit.fit(states, target, 1)
        np.testing.assert_allclose(e.policy.outputs(states), target, atol=1e-3 * np.abs(target).max())
        assert not fit.fit(states, target * np.nan, 1)


def test_a_fit_does_not_follow_noise():
    """As many features as states: noise that no function of the states explains leaves the policy as it was, nearly."""
    rng = np.random.default_rng(0)
    e = economy("model=stochastic_growth", "network.hidden=[200]")
    states, fresh = (tf.constant(rng.uniform(4, 8, (250, 2)) * [1, 0.02]) for _ in range(2))
    fit, before = LastLayerRegression(e.policy, 250), e.policy.outputs(fresh).numpy()
    noise = rng.standard_normal((250, 1))
    assert fit.fit(states, e.policy.outputs(states).numpy() + noise, 1)
    assert np.abs(e.policy.outputs(fresh) - before).mean() < 0.3 * np.abs(noise).mean()


def test_all_weights_are_fitted_where_that_is_cheap():
    e = economy("model=stochastic_growth")
    assert isinstance(choose_fit(e, 1000, 2**30), Regression)
    polynomials = economy("model=stochastic_growth", "network=chebyshev")
    assert isinstance(choose_fit(polynomials, 1000, 2**30), LastLayerRegression)


def test_far_from_what_is_fitted_the_policy_stays_near_its_anchor(islands):
    """Fitted on a short segment: at the corners of the box a free fit leads elsewhere."""
    states = np.tile(islands.steady.states, (1500, 1))
    states[:, :-1] *= 1 + 0.05 * np.random.default_rng(0).standard_normal((1500, 1))
    states, box = tf.constant(states), SobolPoints(islands.domain, 500, 3, tf.float64).points()
    target = islands.policy.anchor(states).numpy() + 0.1 * np.sin(20 * states[:, :1])
    away = {}
    for name, fit in (("free", LastLayerRegression(islands.policy, 1500)), ("held", choose_fit(islands, 1500, 2**30))):
        for weight in islands.policy.network.layers[-1].weights:
            weight.assign(tf.zeros_like(weight))
        assert fit.fit(states, target, 1)
        assert np.abs(islands.policy.outputs(states) - target).mean() < 1e-3
        away[name] = np.abs(islands.policy.outputs(box) - islands.policy.anchor(box)).mean()
    assert away["held"] < 0.5 * away["free"]
