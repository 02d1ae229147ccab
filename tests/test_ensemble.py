"""An ensemble: the mean of solutions from several seeds, and their spread, beside the exact policies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import deqn
from deqn.evaluation.summary import read_summary
from deqn.runs.ensemble import compute_bands, load, publish_ensemble
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


def test_the_mean_is_judged_and_drawn_as_any_solution(ensemble, tmp_path):
    first = ensemble.solutions[0]
    drawn = replace(
        first, settings=replace(first.settings, evaluation=replace(first.settings.evaluation, figures=True))
    )
    summary = publish_ensemble(deqn.Ensemble((drawn, *ensemble.solutions[1:])), tmp_path / "mean")
    assert summary.path_error.mean == pytest.approx(ensemble.euler_errors().loc[("path", "euler"), "mean"], rel=1e-9)
    assert summary.status in ("converged", "not_converged") and summary.training is None
    assert read_summary(tmp_path / "mean").path_error == summary.path_error
    moments = pd.read_csv(tmp_path / "mean" / "moments.csv", index_col="variable")  # as in the folder of a run
    assert {"autocorrelation_5", "autocorrelation_5_spread"} <= {*moments} and moments.loc["k", "mean_spread"] > 0
    assert {p.name for p in (tmp_path / "mean" / "figures").iterdir()} == {
        "policies.png", "errors.png", "distribution.png", "impulse_responses.png",
    }  # fmt: skip


def test_bands_are_the_spread_of_the_curves(ensemble):
    curves = compute_bands(ensemble, None)
    states = {"k": curves.slices["k"]["k"].to_numpy(), "z": np.zeros(101)}
    each = [one.policy(states)["s"] for one in ensemble.solutions]
    np.testing.assert_allclose(curves.slices["k"]["spread s"], np.std(each, 0, ddof=1), rtol=1e-6, atol=1e-14)
    spread = curves.spreads["eps, +1 s.d."]
    assert spread["z"].abs().max() < 1e-9 and spread["k"].iloc[-1] > 0


@pytest.mark.slow
def test_a_sweep_over_seeds_ends_with_the_mean_of_its_solutions(tmp_path, forks):
    words = ("-m", "model=growth", "model.head=share", "seed=1,2", "optimizer.polish=0", "evaluation.paths=20")
    code, output = forks.run(tmp_path, *words, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert code == 0 and "mean of 2 solutions: PASS" in output
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "The mean of the solutions" in page and page.count("data:image/png") == 5
    assert read_summary(tmp_path / "sweep" / "ensemble").status == "converged"
