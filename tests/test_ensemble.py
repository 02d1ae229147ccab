"""An ensemble: the mean of solutions from several seeds, and their spread, beside the exact policies."""

from dataclasses import replace

import numpy as np
import pytest

import deqn
from deqn.runs.ensemble import load
from deqn.system.errors import InputError

QUICK = ("optimizer.iterations=3", "optimizer.polish=0", "optimizer.states=256", "network.hidden=[6]",
         "evaluation.paths=20", "evaluation.periods=50", "evaluation.figures=false", "evaluation.box=64")  # fmt: skip


@pytest.fixture(scope="module")
def folders(once):
    def solve(seed):
        overrides = [*QUICK, f"seed={seed}", "model.gamma=5"]
        return once(f"seed_{seed}", lambda at: deqn.solve("stochastic_growth", overrides, folder=at, quiet=True))

    return [solve(seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def ensemble(folders):
    return load(folders)


def test_policies_are_the_mean_and_the_spread_of_those_of_the_solutions(ensemble, folders):
    states = {"k": [2.0, 3.0, 4.0], "z": [-0.1, 0.0, 0.1]}
    each = [load(folder).policy(states)["s"] for folder in folders]
    found = ensemble.policy(states)
    np.testing.assert_allclose(found["s"], np.mean(each, 0), rtol=1e-12)
    np.testing.assert_allclose(found["s_spread"], np.std(each, 0, ddof=1), rtol=1e-9)
    assert (found["s_spread"] > 0).all() and [c for c in found if c.endswith("_spread")] == [
        f"{c}_spread" for c in load(folders[0]).policy(states)
    ]


def test_definitions_follow_from_the_mean_policies(ensemble):
    """c = (1 - s) y, at the mean of s."""
    found = ensemble.policy({"k": [2.0, 4.0], "z": [0.0, 0.1]})
    np.testing.assert_allclose(found["c"], (1 - found["s"]) * found["y"], rtol=1e-12)


def test_responses_and_moments_have_a_spread(ensemble):
    response = ensemble.irf("eps", periods=8)
    assert response["z"].iloc[1] == pytest.approx(0.04) and response["z_spread"].abs().max() < 1e-12  # exogenous
    assert 0 < response["k_spread"].iloc[8] < 0.1 * abs(response["k"].iloc[8])
    moments = ensemble.moments(periods=50, paths=10)
    assert moments.loc["z", "std_spread"] == 0 and 0 < moments.loc["k", "mean_spread"] < 0.05 * moments.loc["k", "mean"]


def test_the_mean_of_opposite_errors_is_nearer_to_the_equations(ensemble, folders):
    """Errors of independent seeds average out, so that the mean is better than the worst."""
    mean = ensemble.euler_errors().loc[("path", "all"), "mean"]
    each = sorted(load(folder).euler_errors().loc[("path", "all"), "mean"] for folder in folders)
    assert mean < 0.9 * each[-1]


def test_solutions_of_other_economies_are_refused(folders, growth):
    with pytest.raises(InputError, match="at least two"):
        load(folders[:1])
    with pytest.raises(InputError, match="differ in model, stochastic_growth and growth"):
        deqn.Ensemble((load(folders[0]), growth))


def test_another_parameter_is_named(folders):
    one = load(folders[0])
    other = replace(one, result=replace(one.result, parameters=one.result.parameters | {"gamma": 2.0}))
    with pytest.raises(InputError, match="differ in parameters gamma, 5.0 and 2.0"):
        deqn.Ensemble((one, other))
