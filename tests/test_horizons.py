"""Sweeps of time iteration beside those of grids that share no code with them: the same horizons, the same rate."""

from itertools import islice

import numpy as np
import pytest
import tensorflow as tf
from test_time_iteration import prepare

import debt_limit
import irreversible_investment
from cases.table import MODELS
from conftest import build, economy, settings
from deqn.configuration.model_class import find_model_class
from deqn.economy.domain import SobolPoints
from deqn.economy.members import OneMember


def sweep(e, sweeps):
    """Yields states and policies [300, ...] of an economy after each sweep."""
    stage, points = prepare(e, sweeps, states=2000), SobolPoints(e.domain, 300, 9, tf.float64).points()
    for _ in range(sweeps):
        assert stage.chunk(1)
        yield points.numpy(), e.policy(points).numpy()


def changes(policies):
    """The mean change of a policy [sweeps, states] from sweep to sweep."""
    return np.abs(np.diff(policies, axis=0)).mean(1)


@pytest.mark.slow
def test_each_sweep_is_a_grid_solution_with_as_many_dates_to_come():
    """Irreversible investment, whose last date saves as much as at rest."""
    e, dates = economy("model=irreversible", "network.anchor=steady_state"), 18
    grid = irreversible_investment.iterate(points=(41, 21, 17), saving=e.model.steady_state()["s"])
    found, exact = [], []
    for (states, policies), solution in zip(sweep(e, dates), islice(grid, dates), strict=True):
        k, ln_a, ln_d = states[:, 0], *np.log(states[:, 1:].T)
        found.append(policies[:, 0])
        exact.append(solution.investment(k, ln_a, ln_d) / solution.economy.output(k, ln_a))
    np.testing.assert_allclose(found[1:], exact[1:], atol=3e-3)  # the first fit has farthest to go
    np.testing.assert_allclose(changes(found[1:]), changes(exact[1:]), rtol=0.1)


@pytest.mark.slow
def test_a_limit_at_rest_is_met_at_the_rate_of_the_grid(monkeypatch):
    """Overborrowing, from a constant: no rest point, no linear rule."""
    monkeypatch.syspath_prepend(MODELS)
    model, dates = find_model_class("bianchi.Bianchi")(), 18
    e = build(settings("network.anchor=none", "network.hidden=[24,24]"), OneMember(model))
    incomes, rows = model.chain
    grid = islice(debt_limit.DebtLimit(incomes, rows).iterate(), dates)
    found, exact = [], []
    for (states, policies), (b, c) in zip(sweep(e, dates), grid, strict=True):
        found.append(policies[:, 0])
        each = np.stack([np.interp(states[:, 0], b, c[:, j]) for j in range(len(incomes))])
        exact.append(each[np.searchsorted(incomes, states[:, 1]), np.arange(len(states))])
    np.testing.assert_allclose(found[-1], exact[-1], atol=1e-2)  # beside the kink, which no network has
    assert np.abs(found[-1] - exact[-1]).mean() < 5e-4
    rate = lambda policies: (changes(policies)[9] / changes(policies)[5]) ** (1 / 4)
    assert rate(found) == pytest.approx(rate(exact), rel=0.15)


def test_the_grid_solution_of_overborrowing_is_one():
    """Its equations hold between points, where the limit binds and where it does not."""
    incomes, rows = np.array([0.88, 0.94, 1.0, 1.065, 1.134]), np.full((5, 5), 0.2)
    economy = debt_limit.DebtLimit(incomes, rows)
    b, c = economy.solve(points=2001)
    at = np.random.default_rng(0).uniform(-1, -0.5, (200, 1))
    chosen = np.stack([np.interp(at[:, 0], b, c[:, j]) for j in range(5)], 1)
    b_next = (1 + economy.r) * at + incomes - chosen
    later = np.stack([np.interp(b_next, b, c[:, j]) for j in range(5)])
    wanted = economy.beta * (1 + economy.r) * np.tensordot(np.full(5, 0.2), economy.value(later), 1)
    room = b_next + economy.kappa * (incomes + economy.price(chosen))
    binds = economy.value(chosen) > wanted * (1 + 1e-4)
    assert 0.05 < binds.mean() < 0.5
    assert np.abs(room[binds]).max() < 1e-5 and room.min() > -1e-5
    assert np.abs(wanted / economy.value(chosen) - 1)[~binds].max() < 1e-4
