"""The solutions in scripts/ that networks are compared with meet what is known without them."""

import numpy as np
import pytest

import growth_labor
import irreversible_investment
import lifecycle


@pytest.fixture(scope="module")
def binding():
    """Irreversible investment with shocks so large that the constraint binds, and simulated states."""
    solution = irreversible_investment.solve(points=(41, 21, 17), tolerance=1e-7)
    states = irreversible_investment.simulate(solution, paths=200, dates=100)
    return solution, [values.reshape(-1)[::200] for values in states]


def test_full_depreciation_makes_labour_constant():
    solution = growth_labor.solve(growth_labor.Economy(delta=1.0), points=(61, 21))
    k, z = growth_labor.simulate(solution, paths=50)
    assert np.abs(solution.savings(k, z) - 0.36 * 0.99).max() < 1e-8
    assert np.abs(solution.labour(k, z) - np.sqrt(0.64 / (1 - 0.36 * 0.99))).max() < 1e-8


def test_growth_with_labour_has_its_known_steady_state():
    assert growth_labor.Economy().steady == pytest.approx((6.208652, 0.975155, 0.326972), abs=1e-6)
    economy = growth_labor.Economy(sigma=1e-5)
    solution = growth_labor.solve(economy, points=(61, 21), nodes=5)
    k, L, s = economy.steady
    point = np.array([k]), np.zeros(1)
    assert solution.labour(*point)[0] == pytest.approx(L, abs=1e-7)
    assert solution.savings(*point)[0] == pytest.approx(s, abs=1e-7)


@pytest.mark.slow
def test_the_cap_holds_labour_below_what_would_be_chosen():
    solution = growth_labor.solve(growth_labor.Economy(cap=0.97), points=(61, 37), step=0.1)
    k, z = (values.reshape(-1)[::37] for values in growth_labor.simulate(solution, paths=100))
    binds, gap = solution.binds(k, z), growth_labor.labour_errors(solution, k, z)
    assert 0.4 < binds.mean() < 0.8
    assert (gap[binds] < 1e-12).all() and np.abs(gap[~binds]).max() < 1e-12
    assert np.abs(growth_labor.euler_errors(solution, k, z)).max() < 1e-6


def test_with_hardly_any_risk_investment_is_never_at_its_bound():
    economy = irreversible_investment.Economy(sigma_a=1e-5, sigma_d=1e-5)
    solution = irreversible_investment.solve(economy, points=(61, 9, 9), nodes=3)
    states = irreversible_investment.simulate(solution, paths=20)
    steady = np.array([economy.steady]), np.zeros(1), np.zeros(1)
    assert not solution.binds(*states).any() and not solution.multiplier(*states).any()
    assert solution.investment(*steady)[0] == pytest.approx(0.1 * economy.steady, abs=1e-7)


def test_full_depreciation_has_a_closed_form_in_the_discount_shock():
    """With log utility 1/(1 - s) = sum_n (alpha beta)^n E[d_1 ... d_n], the mean of a lognormal."""
    economy = irreversible_investment.Economy(delta=1.0)
    solution = irreversible_investment.solve(economy, points=(21, 9, 25))
    ln_d = np.linspace(-0.3, 0.3, 7)
    steps = np.arange(1, 60)
    loads = (1 - economy.rho_d**steps) / (1 - economy.rho_d)  # of the shock that has so many dates to act
    log_mean = economy.rho_d * loads * ln_d[:, None] + economy.sigma_d**2 / 2 * np.cumsum(loads**2)
    exact = 1 / (1 + ((economy.alpha * economy.beta) ** steps * np.exp(log_mean)).sum(1))  # c / y
    k, ln_a = np.full(7, 1.2 * economy.steady), np.linspace(-0.2, 0.2, 7)
    share = solution.consumption(k, ln_a, ln_d) / economy.output(k, ln_a)
    assert np.abs(share / exact - 1).max() < 1e-6


@pytest.mark.slow
def test_the_constraint_binds_with_its_multiplier(binding):
    solution, states = binding
    binds = solution.binds(*states)
    I, mu = solution.investment(*states), solution.multiplier(*states) * solution.consumption(*states)
    assert 0.05 < binds.mean() < 0.2
    assert (I >= 0).all() and (mu >= 0).all() and (I * mu).max() < 1e-7
    assert not I[binds].any() and mu[binds].mean() > 0.01 and (mu[binds] > 0).mean() > 0.99
    assert np.abs(irreversible_investment.euler_errors(solution, *states)).max() < 1e-4


def test_a_life_with_a_constraint_meets_every_inequality():
    found = lifecycle.steady_state()
    assert np.abs(lifecycle.residuals(found["k"])).max() < 1e-12
    assert found["binds"].tolist() == [True, False, False, False, False]
    assert found["k"] == pytest.approx([0, 0.001, 0.137, 0.377, 0.632, 0.508], abs=0.01)  # published means with shocks


def test_a_life_without_late_income_spends_shares_of_what_it_has():
    c, savings, binds = lifecycle.life(np.array([1.0, 0.0, 0.0]), 1.1, 0.9)
    assert not binds.any()
    assert c == pytest.approx(np.array([1, 0.99, 0.99**2]) / (1 + 0.9 + 0.81))
    assert savings[-1] == 0
