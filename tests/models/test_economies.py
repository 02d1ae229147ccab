"""The economies against published numbers and independent solutions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import growth_labor
import irreversible_investment
import lifecycle
from conftest import economy
from deqn.economy.domain import SobolPoints
from deqn.economy.exact import closed_form
from deqn.economy.simulation import advance_states
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import gauss_hermite, monomial
from deqn.equations.residuals import fischer_burmeister
from deqn.model.declaration import Point
from deqn.model.layout import point
from deqn.models import growth
from deqn.models.growth import Growth
from deqn.models.growth_labor import GrowthLabor
from deqn.models.olg_analytic import FLOOR, OlgAnalytic, marginal_utility
from deqn.models.olg_lifecycle import LABOR, OlgLifecycle
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.perturbation.steady_state import steady_state
from deqn.runs.run import solve
from time_iteration import stochastic_growth as solve_by_time_iteration


def test_published_steady_states():
    assert Growth().steady_state()["k"] == pytest.approx(0.199482, abs=5e-7)
    assert StochasticGrowth().steady_state()["k"] == pytest.approx(6.366837, abs=5e-7)
    assert StochasticGrowth().steady_state()["s"] == pytest.approx(0.326972, abs=5e-7)
    assert StochasticGrowth(beta=0.9, delta=1.0).steady_state()["k"] == pytest.approx(0.171880, abs=5e-7)


def test_published_savings_and_capital_by_age():
    model = OlgAnalytic()
    np.testing.assert_allclose(model.shares, [0.659999, 0.639393, 0.605211, 0.543379, 0.411765], atol=5e-7)
    np.testing.assert_allclose(model.steady_state()["k"], [0.4167, 0.1816, 0.0749, 0.0278, 0.0078], atol=6e-5)


def test_capital_beyond_what_there_is_cannot_pass():
    """Growth in levels with marginal utility c^-gamma above the floor, its tangent below; the residual is a number."""
    model = Growth(gamma=2.0, delta=0.1)
    y = tf.ones((1, 5), tf.float64)
    now = Point({"y": y, "c": growth.FLOOR * tf.constant([[1.5, 1.0, 0.5, 0.0, -3.0]], tf.float64)})
    np.testing.assert_allclose(growth.FLOOR**2 * model.marginal_utility(now)[0], [1 / 2.25, 1, 2, 3, 9], rtol=1e-12)
    e = economy("model=growth", "model.delta=0.1", "network.anchor=steady_state")
    k = e.model.steady_state()["k"]
    for wanted in (1.0, 1.5, 10.0):  # of all resources at rest
        kept = wanted * (k**0.36 + 0.9 * k)
        policy = lambda s, training=False, kept=kept: tf.fill((s.shape[0], 1), tf.constant(kept, tf.float64))
        residual = replace(e, policy=policy).residuals(tf.constant([[k]], tf.float64))["euler"].numpy().item()
        assert 1 < residual < np.inf, wanted


@pytest.mark.parametrize("head", ["level", "share"])
def test_both_heads_of_growth_are_one_economy(head):
    """At the share's policy the equation in levels has the residual of the equation in shares."""
    e = economy("model=growth", f"model.head={head}", "model.delta=0.1")
    k = tf.constant([[4.0], [6.0], [9.0]], tf.float64)
    left, y, s = 0.9 * k, k**0.36, 0.3
    policy = lambda at, training=False: s + 0 * at if head == "share" else 0.9 * at + s * at**0.36
    later = left + s * y
    c, c_next = (1 - s) * y, (1 - s) * later**0.36
    expected = c_next / (0.99 * (0.36 * later**-0.64 + 0.9)) / c - 1
    np.testing.assert_allclose(replace(e, policy=policy).residuals(k)["euler"][0], expected[:, 0], rtol=1e-12)


def test_savings_beyond_income_cannot_pass():
    """1 / c above the floor, its tangent below; the residual says how far a policy is from admissible."""
    income = tf.ones((1, 1, 5), tf.float64)
    now = Point({"income": income, "c": FLOOR * tf.constant([[[1.5, 1.0, 0.5, 0.0, -3.0]]], tf.float64)})
    np.testing.assert_allclose(FLOOR * marginal_utility(now)[0, 0], [1 / 1.5, 1, 1.5, 2, 5], rtol=1e-12)
    e = economy("model=olg_analytic", "model.head=level")
    k = e.model.steady_state()["k"]
    row = tf.constant([[*k, 1.0, 0.7]], tf.float64)
    for savings in ([1.0, 0.9, 0.4, 0.2, 0.1], [0.7, 0.18, 0.07, 0.02, 0.007], [5.0, 0.1, 0.1, 0.1, 0.1]):
        e = replace(
            e,
            policy=lambda s, training=False, a=savings: (
                tf.constant([a], tf.float64) * tf.ones((s.shape[0], 1), tf.float64)
            ),
        )
        now = point(e.model, e.policy, row)
        short = (now.c / now.income).numpy()[:-1, 0, 0] < FLOOR
        assert short.any() and (e.residuals(row)["euler"].numpy()[short] > 1).all()


def test_a_productivity_path_without_shocks_is_covered():
    """sigma = 0 with a dispersed start: ln a' = rho ln a exactly."""
    e = economy("model=stochastic_growth", "model.sigma=0")
    states = tf.constant([[6.0, 0.2], [7.0, -0.1]], tf.float64)
    generator = tf.random.Generator.from_seed(0, alg="philox")
    np.testing.assert_allclose(advance_states(e.model, e.policy, states, generator)[:, 1], [0.18, -0.09], rtol=1e-12)


@pytest.mark.slow
def test_the_deterministic_variant_is_solved(tmp_path):
    """sigma = 0, delta = 1: s = alpha beta along every transition; spectral radius the larger of alpha and rho."""
    overrides = [
        "model.sigma=0",
        "model.delta=1",
        "network.anchor=steady_state",
        "evaluation.burn_in=0",
        "evaluation.figures=false",
    ]
    solution = solve("stochastic_growth", overrides, folder=tmp_path / "run", quiet=True)
    assert solution.summary["policy_errors"]["closed_form"]["s"]["max"] < 1e-4
    assert solution.summary["stability"]["spectral_radius"] == pytest.approx(0.9, abs=1e-6)


CALIBRATIONS = {
    "second public": ("model.beta=0.9", "model.rho=0.95", "model.sigma=0.01", "model.delta=1",
                      "model.tfp_box=[0.9,1.1]"),
    "accuracy literature": ("model.delta=0.02", "model.gamma=2", "model.rho=0.95", "model.sigma=0.01",
                            "model.k_box=[0.9,1.1]", "model.tfp_box=[0.9,1.1]"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CALIBRATIONS)
def test_every_public_calibration_is_reached_by_overrides(name, tmp_path):
    overrides = [
        *CALIBRATIONS[name],
        "optimizer.iterations=60",
        "optimizer.polish=0",
        "network.anchor=steady_state",
        "evaluation.figures=false",
        "evaluation.reference=false",
        "tolerance=1e-6",
    ]
    solution = solve("stochastic_growth", overrides, folder=tmp_path / "run", quiet=True)
    assert solution.summary["status"] == "converged"
    (low_k, high_k), (low_z, high_z) = ((float(x[0]) for x in s.box) for s in solution.economy.model.states)
    if name == "accuracy literature":
        steady = solution.economy.model.steady_state()["k"]
        np.testing.assert_allclose([low_k / steady, high_k / steady], [0.9, 1.1])
        np.testing.assert_allclose([math.exp(low_z), math.exp(high_z)], [0.9, 1.1])
    else:
        assert solution.summary["policy_errors"]["closed_form"]["s"]["max"] < 1e-4


@pytest.fixture(scope="module")
def risk_averse(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gamma5")
    overrides = ["model.gamma=5", "optimizer.polish=1000", "evaluation.reference=false", "evaluation.figures=false"]
    return solve("stochastic_growth", overrides, folder=folder, quiet=True)


@pytest.mark.slow
def test_consumption_under_risk_aversion_is_that_of_time_iteration(risk_averse):
    """gamma = 5, where risk matters: consumption on the ergodic set against an independent numpy solution."""
    exact = solve_by_time_iteration(alpha=0.36, beta=0.99, gamma=5.0, delta=0.1, rho=0.9, sigma=0.04)
    table = risk_averse.simulate(periods=100, paths=50)
    error = np.abs(table["c"] / exact(table["k"].to_numpy(), table["z"].to_numpy()) - 1)
    assert error.max() < 1e-6 and error.mean() < 1e-7


def test_time_iteration_itself_meets_the_closed_form():
    exact = solve_by_time_iteration(alpha=0.36, beta=0.99, gamma=1.0, delta=1.0, rho=0.9, sigma=0.04, points=(161, 41))
    k, z = np.meshgrid(np.linspace(0.1, 0.4, 20), np.linspace(-0.3, 0.3, 20))
    np.testing.assert_allclose(exact(k, z), (1 - 0.36 * 0.99) * np.exp(z) * k**0.36, rtol=1e-7)


def test_published_steady_states_with_labour_and_over_the_life_cycle():
    rest = GrowthLabor().steady_state()
    assert (rest["L"], rest["k"], rest["s"]) == pytest.approx((0.975155, 6.208652, 0.326972), abs=5e-7)
    found, independent = steady_state(OlgLifecycle()), lifecycle.steady_state()
    np.testing.assert_allclose(found.states[:5], independent["k"][1:], atol=1e-9)
    np.testing.assert_allclose(found.policies[:5], independent["s"], atol=1e-9)
    np.testing.assert_allclose(found.states[:5], [0.001, 0.137, 0.377, 0.632, 0.508], atol=0.01)  # published means


def test_the_rule_meets_the_price_that_depends_on_risk_and_half_the_variance_does_not():
    e = economy("model=asset_pricing")
    model, at = e.model, SobolPoints(e.domain, 256, 0, tf.float64).points()
    exact = closed_form(model, e.steady)
    middle = exact.values(tf.constant([[model.xbar]], tf.float64))["v"]
    assert float(middle[0, 0]) == pytest.approx(12.481236, abs=1e-6)
    policy = lambda states, training=False: tf.constant(exact.values(states)["v"].T)
    for rule in (gauss_hermite(1, 5), monomial(1, 5)):
        e = replace(e, policy=policy, expectation=build_expectation(model, lambda d, rule=rule: rule))
        tolerance = 1e-10 if len(rule[0]) > 3 else 1e-6  # degree 5 alone leaves the sixth moment
        assert np.abs(e.residuals(at)["price"]).max() < tolerance
    nodes, weights = gauss_hermite(1, 5)
    halved = replace(e, expectation=build_expectation(model, lambda d: (nodes / np.sqrt(2), weights)))
    wrong = float(halved.residuals(tf.constant([[model.xbar]], tf.float64))["price"][0, 0])
    assert wrong == pytest.approx(-5.35e-4, abs=1e-6)


def tomorrow(e, states, eps):
    """Two functions that give a variable's values [size, states] at packed states, and a date later, by its name."""
    now = point(e.model, e.policy, states)
    later = e.model.transition(now, Point({"eps": tf.constant(eps)}))
    packed = tf.concat([tf.reshape(later[s.name], (-1, len(states))) for s in e.model.states], 0)
    nxt = point(e.model, e.policy, tf.transpose(packed))
    return (lambda name, at=at: getattr(at, name).numpy().reshape(-1, len(states)) for at in (now, nxt))


def certain(e):
    """An economy that knows its shocks: two standard deviations up, one node."""
    size = e.model.shocks[0].size
    eps = np.full((1, 1) if size is None else (size, 1, 1), 2.0)
    return replace(e, expectation=replace(e.expectation, values={"eps": eps[..., 0]}, weights=np.ones(1))), eps


def test_the_euler_equations_of_countries_in_plain_numbers():
    e, eps = certain(economy("model=irbc"))
    m, states = e.model, SobolPoints(e.domain, 16, 1, tf.float64).points()
    now, nxt = tomorrow(e, states, eps)
    g, later = now("i") - m.delta, nxt("i") - m.delta
    marginal = m.zeta * m.A * np.exp(nxt("z")) * nxt("k") ** (m.zeta - 1)
    worth = marginal + 1 - m.delta + m.kappa * later + m.kappa / 2 * later**2
    euler = m.beta * nxt("lam") * worth / (now("lam") * (1 + m.kappa * g)) - 1
    np.testing.assert_allclose(e.residuals(states)["euler"].numpy().reshape(euler.shape), euler, atol=1e-12)


def test_the_euler_equations_of_ages_in_plain_numbers():
    e, eps = certain(economy("model=olg_lifecycle"))
    m, states = e.model, SobolPoints(e.domain, 16, 1, tf.float64).points()
    now, nxt = tomorrow(e, states, eps)
    K, L = nxt("k").sum(0), LABOR.sum()
    interest = 1 - m.delta + m.alpha * np.exp(nxt("z")) * (K / L) ** (m.alpha - 1)
    euler = nxt("c")[1:] / (m.beta * interest * now("c")[:-1]) - 1 - now("m")
    np.testing.assert_allclose(e.residuals(states)["euler"].numpy().reshape(euler.shape), euler, atol=1e-12)


def test_fischer_burmeister_is_zero_exactly_at_complementarity():
    a = tf.constant([0.0, 2.0, 0.0, 1.0, -1.0], tf.float64)
    b = tf.constant([3.0, 0.0, 0.0, 1.0, 0.0], tf.float64)
    np.testing.assert_allclose(fischer_burmeister(a, b), [0, 0, 0, 2 - np.sqrt(2), -2], atol=1e-15)


@pytest.mark.slow
def test_irreversible_investment_binds_where_the_independent_solution_binds(tmp_path):
    """Share of binding dates within a point, consumption on the ergodic set to a few parts in ten thousand."""
    overrides = [
        "network.hidden=[16,16]", "optimizer.iterations=40", "optimizer.polish=600", "optimizer.states=800",
        "evaluation.figures=false", "tolerance=1e-3",
    ]  # fmt: skip
    solution = solve("irreversible", overrides, folder=tmp_path / "run", quiet=True)
    exact = irreversible_investment.solve(points=(41, 21, 17), tolerance=1e-7)
    table = solution.simulate(periods=100, paths=100)
    at = table["k"].to_numpy(), np.log(table["a"].to_numpy()), np.log(table["d"].to_numpy())
    assert abs((table["m"] > 0).mean() - exact.binds(*at).mean()) < 0.01
    error = np.abs(table["c"] / exact.consumption(*at) - 1)
    assert error.mean() < 3e-4 and error.quantile(0.999) < 5e-3
    found = solution.summary["constraints"]["path"]["m"]
    assert 0.08 < found["share"] < 0.14 and found["binding"]["mean"] < 1e-3 and found["slack"]["mean"] < 1e-3


@pytest.mark.slow
def test_labour_at_its_cap_binds_where_the_independent_solution_binds(tmp_path):
    overrides = ["model.capped=true", "optimizer.polish=500", "evaluation.figures=false", "tolerance=1e-4"]
    solution = solve("growth_labor", overrides, folder=tmp_path / "run", quiet=True)
    exact = growth_labor.solve(growth_labor.Economy(cap=0.97), points=(61, 37), step=0.1)
    table = solution.simulate(periods=100, paths=100)
    at = table["k"].to_numpy(), table["z"].to_numpy()
    assert abs((table["m"] > 0).mean() - exact.binds(*at).mean()) < 0.01
    assert np.abs(table["L"] - exact.labour(*at)).mean() < 1e-4
    assert (table["L"] <= 0.97).all() and ((0.97 - table["L"]) * table["m"] == 0).all()
