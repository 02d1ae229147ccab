import numpy as np
import pytest

import time_iteration
from conftest import economy
from deqn.analysis import policy_slices
from deqn.reference import Region, reference


def test_a_region_holds_its_cloud_and_little_more():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 0.1, 2000)
    states = np.stack([6 * np.exp(2 * z + rng.normal(0, 0.02, 2000)), z], 1)
    region = Region.around(states, np.array([True, False]))
    assert region.covers(states).all()
    assert not region.covers([[6 * np.exp(0.5), -0.25], [6 * np.exp(-0.5), 0.25]]).any()  # corners never visited
    unit = np.array([[-1, -1], [1, 1], [0.3, -0.7]])
    assert region.covers(region.states(0.999 * unit)).all() and not region.covers(region.states(1.1 * unit[:2])).any()


def test_a_state_that_does_not_move_has_a_region():
    region = Region.around(np.stack([np.linspace(1, 2, 50), np.zeros(50)], 1), np.array([False, False]))
    assert region.covers([[1.5, 0.0]]).all() and not region.covers([[1.5, 0.1]]).any()


@pytest.mark.slow
def test_it_is_the_solution_of_time_iteration(stochastic):
    """Two methods that share no code agree to eight digits, whatever the network has learned."""
    states = stochastic.evaluation_states(0)["path"]
    found = reference(stochastic.judged, states)
    k, z = states.numpy().T
    c = time_iteration.stochastic_growth(0.36, 0.99, 1.0, 0.1, 0.9, 0.04, points=(241, 61))(k, z)
    exact = 1 - c / (np.exp(z) * k**0.36)
    assert np.abs(found.exact().values(states)["s"][0] - exact).max() < 1e-7
    assert found.residual["max"] < 1e-7


def test_more_than_two_states_have_none():
    assert reference(economy("model=olg_analytic", "network.hidden=[2]"), np.zeros((4, 7))) is None


@pytest.mark.slow
def test_figures_leave_it_out_where_it_does_not_hold(stochastic):
    """A slice across the whole box leaves the region of the simulated states."""
    states = stochastic.evaluation_states(0)["path"]
    found = reference(stochastic.judged, states[states[:, 1] > 0])
    slices = policy_slices(stochastic.economy, found.exact())
    assert slices["z"]["exact s"].isna().any() and slices["z"]["exact s"].notna().any()
