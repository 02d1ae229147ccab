"""Variables that are expectations: reported like all others, read by no equation."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from conftest import economy, settings
from deqn.checks.contract import check_contract
from deqn.economy.members import OneMember
from deqn.equations.quadrature import choose_rule
from deqn.evaluation.responses import impulse_response
from deqn.families.pseudo_states import gather_members
from deqn.model.layout import point
from deqn.models.asset_pricing import AssetPricing


@pytest.fixture(scope="module")
def priced():
    """Asset pricing under its first-order policy."""
    return economy("model=asset_pricing", "expectation.nodes=9")


def test_the_riskless_rate_is_that_of_the_closed_form(priced):
    """E exp(-gamma x') = exp(-gamma E x' + gamma^2 sigma^2 / 2)."""
    x = np.linspace(-0.1, 0.13, 7)
    table, m = priced.tabulate(tf.constant(x[:, None])), priced.model
    mean = m.xbar + m.rho * (x - m.xbar)
    expected = np.exp(m.gamma * mean - (m.gamma * m.sigma) ** 2 / 2) / m.beta
    np.testing.assert_allclose(table["riskless"], expected, rtol=1e-12)


def test_a_premium_is_the_expected_return_less_the_riskless_rate(priced):
    """By ten thousand draws of tomorrow at one state."""
    x, draws, m = 0.05, np.random.default_rng(0).standard_normal(10_000), priced.model
    later = m.xbar + m.rho * (x - m.xbar) + m.sigma * draws[:, None]
    claims = np.exp(later[:, 0]) * (1 + priced.policy(tf.constant(later)).numpy()[:, 0])
    row = priced.tabulate(tf.constant([[x]], tf.float64)).iloc[0]
    returns = claims / row["v"] - row["riskless"]
    assert row["premium"] == pytest.approx(returns.mean(), abs=4 * returns.std() / 100)


def test_they_stand_in_responses_and_in_slices_of_any_size(priced, monkeypatch):
    shocked, baseline = impulse_response(priced, "eps", 1.0, 3)
    assert baseline["riskless"].nunique() == 1 and shocked["riskless"][1] < baseline["riskless"][1]  # rho < 0
    states = tf.constant(np.linspace(-0.1, 0.1, 9)[:, None])
    whole = priced.tabulate(states)
    monkeypatch.setattr("deqn.economy.economy.SLICE", 4)
    np.testing.assert_allclose(priced.tabulate(states), whole, rtol=1e-12)


def test_a_family_reports_those_of_each_member():
    family = gather_members(AssetPricing(), {"beta": [0.93, 0.96]})
    states = tf.constant([[0.02, 0.93], [0.02, 0.96]], tf.float64)
    e = replace(economy("model=asset_pricing"), members=family, policy=Ones())
    found = {name: np.ravel(x) for name, x in e.report(states).items()}
    assert found["riskless"][0] / found["riskless"][1] == pytest.approx(0.96 / 0.93)


class Ones:
    """A policy function that is one everywhere."""

    floats = 1

    def __call__(self, states, training=False):
        return tf.ones_like(states[:, :1])


@dataclass(frozen=True)
class Wrong(AssetPricing):
    """With a mistake in what it reports."""

    kind: str = "name"

    def expectations(self, now, nxt, E):
        if self.kind == "missing":
            return {"rate": E(nxt.dividends)}
        return {"name": {"v": now.v}, "shape": {"rate": nxt.v}}[self.kind]


MISTAKES = {
    "name": "expectations returned 'v', which is declared or defined already",
    "shape": "expectations returned 'rate' with shape",
    "missing": "there is no variable 'dividends'",
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_found_before_training(kind):
    quadrature = partial(choose_rule, settings("model=asset_pricing").expectation)
    lines = {line.name: line for line in check_contract(OneMember(Wrong(kind=kind)), quadrature)}
    assert MISTAKES[kind] in str(lines["expectations"].failures[0])


def test_nothing_is_computed_where_nothing_is_reported():
    e = economy("model=growth")
    states = tf.constant(e.steady.states[None])
    assert set(e.tabulate(states)) == set(point(e.model, e.policy, states).__dict__)
    assert "report" not in e.__dict__
