import json
import math

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from test_metrics import agree as event_files_agree

import deqn
from deqn.system.errors import FileError, InputError

FILES = ("config.yaml", "summary.json", "report.html", "moments.csv", "tables/euler_errors.tex", "tables/moments.tex",
         "metrics.csv", "euler_errors.csv", "simulation.parquet", "environment.json",
         "run.log", "checkpoints/policy.index", "figures/training.png", "figures/policies.png", "figures/errors.png",
         "figures/distribution.png", "figures/impulse_responses.png")  # fmt: skip


@pytest.mark.slow
def test_the_run_folder_holds_what_the_contract_names(growth, stochastic, olg):
    for solution in (growth, stochastic, olg):
        for name in FILES:
            assert (solution.folder / name).stat().st_size > 0, name
        assert not list(solution.folder.rglob("*.tmp*")) and not list(solution.folder.rglob("*_temp"))
    for solution, kind in ((growth, "closed_form"), (olg, "closed_form"), (stochastic, "reference")):
        compared = [(solution.folder / name) for name in ("comparison.csv", "tables/comparison.tex")]
        if "omitted" in solution.summary.get(kind, {}):
            assert not any(file.exists() for file in compared) and solution.summary["policy_errors"][kind] == {}
        else:
            assert kind in compared[0].read_text() and compared[1].stat().st_size > 0


def test_the_summary_has_the_keys_of_the_contract(growth, stochastic):
    s = json.loads((growth.folder / "summary.json").read_text())
    assert s["model"] == "growth" and s["parameters"]["alpha"] == 0.36 and s["status"] == "converged"
    assert {"tolerance", "seed", "dtype", "states_visited"} <= set(s)
    assert set(s["seconds"]) == {"total", "import", "compile", "train", "evaluate", "report"}
    assert s["steps"]["adam"] == 0 and stochastic.summary["steps"]["levenberg_marquardt"] >= 1
    statistics = {"mean", "median", "p90", "p99", "p999", "max"}
    for where in ("path", "box"):
        assert set(s["euler_errors"][where]) == {"euler", "all"} and set(s["euler_errors"][where]["all"]) == statistics
    assert {"mean", "max"} <= set(s["policy_errors"]["closed_form"]["s"]) and s["policy_errors"]["reference"] == {}
    assert {"spectral_radius", "return_spread"} <= set(s["stability"])
    assert s == json.loads(json.dumps(growth.summary))


def test_growth_meets_its_closed_form_on_the_box(growth):
    """The savings rate is alpha beta to round-off."""
    assert growth.summary["policy_errors"]["closed_form"]["s"]["max"] < 1e-12
    policy = growth.policy({"k": np.linspace(0.5, 1.5, 200) * 0.199482})
    assert np.abs(policy["s"] - 0.36 * 0.99).max() < 1e-12
    np.testing.assert_allclose(policy["c"] + policy["s"] * policy["y"], policy["y"])


def test_overlapping_generations_meet_their_closed_form(olg):
    assert olg.summary["policy_errors"]["closed_form"]["s"]["max"] < 1e-12
    simulated = olg.simulate(periods=20, paths=50)
    assert set(simulated["eta"].round(12)) == {0.95, 1.05} and set(simulated["delta"].round(12)) == {0.5, 0.9}
    np.testing.assert_allclose(simulated[[f"k[{i}]" for i in range(5)]].sum(axis=1), simulated["K"])
    np.testing.assert_allclose(simulated["w"] + simulated["R"] * simulated["K"],
                               simulated[[f"c[{i}]" for i in range(6)]].sum(axis=1)
                               + simulated[[f"savings[{i}]" for i in range(5)]].sum(axis=1))  # fmt: skip


def test_a_loaded_solution_is_the_one_that_was_saved(stochastic):
    again = deqn.load(stochastic.folder)
    states = {"k": [5.0, 6.0, 7.0], "z": [0.0, 0.1, -0.1]}
    pd.testing.assert_frame_equal(again.policy(states), stochastic.policy(states), check_exact=True)
    assert again.summary == json.loads((stochastic.folder / "summary.json").read_text())
    table = again.euler_errors()
    assert table.loc[("path", "euler"), "mean"] == again.summary["euler_errors"]["path"]["euler"]["mean"]
    assert again.euler_errors(seed=99).loc[("path", "euler"), "mean"] != table.loc[("path", "euler"), "mean"]


def test_states_may_be_numbers_vectors_or_tables(olg):
    steady = olg.economy.model.steady_state()
    one = olg.policy({"k": steady["k"], "eta": 1.05, "delta": 0.5})
    assert len(one) == 1
    table = olg.simulate(periods=3, paths=2)
    many = olg.policy(table)
    np.testing.assert_allclose(many["s[3]"], table["s[3]"])
    broadcast = olg.policy({"k": steady["k"], "eta": [0.95, 1.05], "delta": 0.5})
    np.testing.assert_allclose(broadcast.iloc[1], one.iloc[0])
    with pytest.raises(KeyError, match="no value for the state 'eta'; the model's states are k, eta, delta"):
        olg.policy({"k": steady["k"], "delta": 0.5})


def test_a_state_of_the_wrong_shape_is_refused(olg):
    steady = olg.economy.model.steady_state()
    with pytest.raises(ValueError, match=r"state 'k' has shape \[3, 5\]; expected \[5\] or \[5, n\]"):
        olg.policy({"k": np.tile(steady["k"], (3, 1)), "eta": 1.0, "delta": 0.5})
    with pytest.raises(ValueError, match="expected a number or"):
        olg.policy({"k": steady["k"], "eta": [[1.0]], "delta": 0.5})
    with pytest.raises(ValueError, match="at least one"):
        olg.irf("eta", periods=0)


@pytest.mark.slow
def test_a_run_goes_on_from_python(tmp_path):
    short = ["optimizer=adam", "network.hidden=[8]", "train.steps=40", "evaluation.figures=false"]
    first = deqn.solve("growth", short, folder=tmp_path / "run", quiet=True)
    more = ["train.steps=80", "train.tensorboard=true"]
    again = deqn.solve("growth", [f"resume={tmp_path / 'run'}", *more], quiet=True)
    assert again.folder == first.folder and again.summary["steps"]["adam"] == 80
    assert not again.summary["changed"]["train.tensorboard"]["default"]
    assert list(event_files_agree(first.folder)["step"]) == [0, 40, 80]  # those before it was asked for, too


def test_the_users_matplotlib_is_left_alone(growth):
    import matplotlib

    assert "agg" not in str(matplotlib.rcParams._get_backend_or_none()).lower()


def test_the_simulation_obeys_the_law_of_motion(stochastic):
    table = stochastic.simulate(periods=50, paths=20, seed=3)
    assert len(table) == 1000 and list(table)[:4] == ["path", "period", "k", "z"]
    later = table.groupby("path").shift(-1)["k"]
    expected = 0.9 * table["k"] + table["s"] * table["y"]
    np.testing.assert_allclose(later.dropna(), expected[later.notna()], rtol=1e-12)
    assert not table.equals(stochastic.simulate(periods=50, paths=20, seed=4))


def test_moments_of_productivity_are_those_of_its_process(stochastic):
    z = stochastic.moments(periods=400, paths=200).loc["z"]
    assert abs(z["std"] - 0.04 / math.sqrt(1 - 0.9**2)) < 3 * z["std_se"] and abs(z["mean"]) < 3 * z["mean_se"]
    assert z["std"] == pytest.approx(0.04 / math.sqrt(1 - 0.9**2), rel=0.03)
    assert z["autocorrelation"] == pytest.approx(0.9, abs=0.01) and abs(z["mean"]) < 0.003
    orders = stochastic.autocorrelations(3, periods=400, paths=200).loc["z"]
    np.testing.assert_allclose(orders, 0.9 ** np.arange(1, 4), atol=0.02)
    assert stochastic.correlations(periods=50, paths=20).loc["y", "c"] > 0.9


def test_impulse_responses_have_the_right_sign_and_size(stochastic):
    """A productivity shock: z jumps by sigma and decays by rho, capital is predetermined, humps, and comes back."""
    r = stochastic.irf("eps", size=1.0, periods=40)
    assert len(r) == 41 and (r.iloc[0].abs() < 1e-12).all()
    np.testing.assert_allclose(r["z"][1:], 0.04 * 0.9 ** np.arange(40), rtol=1e-9)
    assert abs(r["k"][1]) < 1e-9 and r["k"][2] > 0 and 5 < r["k"].idxmax() < 20 and r["k"][40] < 0.3 * r["k"].max()
    assert r["c"][1] > 0 and r["c"].idxmax() > 3
    np.testing.assert_allclose(stochastic.irf("eps", -1.0, 5)["z"], -r["z"][:6])
    moved = stochastic.irf("k", size=0.1, periods=3)
    level = stochastic.economy.model.steady_state()["k"]
    assert moved["k"][1] == pytest.approx(0.1 * level, rel=0.02) and moved["k"][3] < moved["k"][1]
    with pytest.raises(KeyError, match="no shock or state 'epsilon'; there are eps, k, z"):
        stochastic.irf("epsilon")


def test_a_discrete_shock_responds_in_standard_deviations(olg):
    assert olg.irf("delta", 1.0, 3)["delta"][1] == pytest.approx(0.2)


def test_a_discrete_shock_responds_to_an_outcome(olg):
    """All variables of the shock take the outcome's values, whatever the size."""
    shock = olg.economy.model.shocks[0]
    path = olg.simulate(10, 2)
    for i in range(len(shock.probabilities)):
        response = olg.irf("delta", size=7.0, periods=3, outcome=i)
        mean = np.dot(shock.probabilities, shock.values["delta"])
        assert response["delta"][1] == pytest.approx(shock.values["delta"][i] - mean)
        mean = np.dot(shock.probabilities, shock.values["eta"])
        assert response["eta"][1] == pytest.approx(shock.values["eta"][i] - mean)
    assert set(shock.values) <= set(path)
    with pytest.raises(KeyError, match=f"outcome={i + 1}: the shock 'eta' has the outcomes 0 to {i}"):
        olg.irf("eta", outcome=i + 1)


def test_a_method_is_traced_at_its_first_call_alone(stochastic, monkeypatch):
    """Equations and transitions run in Python while a graph is traced, and at a few states beside it."""
    model, calls = type(stochastic.economy.model), []
    for name in ("transition", "residuals"):
        plain = getattr(model, name)
        traced = lambda self, *a, plain=plain: (None if tf.executing_eagerly() else calls.append(1), plain(self, *a))[1]
        monkeypatch.setattr(model, name, traced)
    asked = {
        "simulate": lambda seed: stochastic.simulate(periods=7 + seed, paths=5, seed=seed),
        "moments": lambda seed: stochastic.moments(periods=20, paths=5, seed=seed),
        "euler_errors": stochastic.euler_errors,
        "irf": lambda seed: stochastic.irf("eps", periods=5 + seed),
    }
    for name, method in asked.items():
        first = method(1)
        calls.clear()
        again = [method(seed) for seed in (2, 3, 1)][-1]
        pd.testing.assert_frame_equal(again, first, check_exact=True, obj=name)
        assert not calls, name


def test_a_folder_without_a_run_is_refused(tmp_path, growth):
    with pytest.raises(FileError, match="does not hold a finished run"):
        deqn.load(tmp_path)
    with pytest.raises(FileError, match="already holds a run"):
        deqn.solve("growth", folder=growth.folder, quiet=True)


def test_mistakes_are_found_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for overrides in (["model.beta=2"], ["network.hiden=[3]"]):
        with pytest.raises(InputError):
            deqn.solve("growth", overrides)
    assert not list(tmp_path.iterdir())


def test_a_weight_for_an_unknown_equation_is_refused(tmp_path):
    with pytest.raises(InputError, match="loss.weights.eulr: the model's equations are euler"):
        deqn.solve("growth", ["+loss.weights.eulr=2"], folder=tmp_path / "run", quiet=True)
