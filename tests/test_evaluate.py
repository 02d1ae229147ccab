"""The verdict must see what is wrong: sabotage that lowers no residual during training still turns it red."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from conftest import economy, settings
from deqn.economy import economy as economies
from deqn.economy.domain import SobolPoints
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import build_finer_rule, build_rule, choose_quadrature, settle
from deqn.evaluation import evaluate
from deqn.evaluation.closed_loop import assess_stability, find_closed_loop_modes
from deqn.evaluation.judgements import pool_sets
from deqn.reporting import html_report, report
from deqn.runs.run import solve
from deqn.system.files import write_json
from deqn.training.stage import BatchStage


def test_statistics_are_those_of_numpy():
    sizes = np.abs(np.random.default_rng(0).normal(size=(3, 1000)))
    s = evaluate.compute_statistics(sizes)
    assert s["mean"] == sizes.mean() and s["max"] == sizes.max() and s["p99"] == np.quantile(sizes, 0.99)
    pooled = evaluate.summarize_errors({"a": sizes, "b": 2 * sizes})
    assert pooled["all"]["max"] == 2 * sizes.max() and set(pooled) == {"a", "b", "all"}


def test_an_error_relative_to_zero_is_none():
    truth = np.array([0.0, 0.5, -2.0, 1e-18])  # the last is zero, up to rounding
    found = evaluate.measure_distance(truth + 0.1, truth)
    assert found["mean"] == pytest.approx(0.1) and found["max"] == pytest.approx(0.1)
    assert found["mean_relative"] == pytest.approx((0.2 + 0.05) / 2) and found["max_relative"] == pytest.approx(0.2)
    found = evaluate.measure_distance(np.array([[1e-9, 2e-9]]), np.zeros((1, 2)))
    assert found["max"] == 2e-9
    assert np.isnan(found["mean_relative"]) and np.isnan(found["max_relative"])


def test_tables_leave_out_what_is_relative_to_zero(tmp_path):
    """A policy that is zero on the path and not in the box, and one that always is."""
    nothing = {"mean_relative": np.nan, "max_relative": np.nan}
    some = {"mean_relative": 0.25, "max_relative": 0.5}
    rows = [{"set": place, "against": "exact", "policy": policy, "states": n, "mean": 1e-9, "max": 2e-9} | relative
            for place, policy, n, relative in (("path", "x", 300, nothing), ("box", "x", 100, some),
                                               ("path", "y", 300, nothing), ("box", "y", 100, nothing))]  # fmt: skip
    compared = pd.DataFrame(rows)
    pooled = pool_sets(compared)
    assert pooled["x"]["mean_relative"] == 0.25 and pooled["x"]["max_relative"] == 0.5
    write_json(tmp_path / "summary.json", pooled)
    read = json.loads((tmp_path / "summary.json").read_text())
    assert read["y"]["mean_relative"] is None and read["y"]["max_relative"] is None and read["y"]["max"] == 2e-9
    text = report.to_tabular("policy", report.tabulate_comparison(compared).map(report.format_scientific))
    assert "nan" not in text and text.count("--") == 6
    compared.to_csv(tmp_path / "comparison.csv", index=False)
    cells = html_report.read_comparison(tmp_path / "comparison.csv")["table"]["rows"]
    assert [row[-1] for row in cells] == ["-", "5.0e-01", "-", "-"]


@pytest.mark.parametrize("name, value", [("SLICE", 10), ("FLOATS", 10 * 6 * 67 + 1)])
def test_slices_cover_every_state(name, value, monkeypatch):
    """Whether their number or the numbers that each takes decide."""
    monkeypatch.setattr(economies, name, value)
    e = economy("model=stochastic_growth")
    assert max(len(part) for part in e.slices(tf.zeros((37, 2), tf.float64))) == 10
    states = SobolPoints(e.domain, 37, 0, tf.float64).points()
    errors = e.euler_errors(states)["euler"]
    np.testing.assert_allclose(errors, np.abs(e.residuals(states)["euler"]), rtol=1e-11, atol=1e-14)


def test_the_spectral_radius_is_that_of_theory(growth):
    """k' = alpha beta k^alpha: the slope at the steady state is alpha."""
    measured = assess_stability(growth.economy, growth.closed_loop)
    assert measured.spectral_radius == pytest.approx(0.36, abs=1e-4)
    assert measured.return_spread < 1e-6 and measured.return_distance < 1e-4
    assert measured.contracts


def test_an_explosive_policy_is_not_stable():
    e = economy("model=growth", "model.delta=0.1")
    e.policy.approximator.network = lambda x, training: 30 * x  # saves all where capital is high
    assert not assess_stability(e, find_closed_loop_modes(e)).contracts


@pytest.mark.slow
def test_the_verdict_is_measured_where_training_never_was(monkeypatch, tmp_path):
    """Other states, on paths of other shocks and in the box, and other quadrature nodes."""
    seen, draw = [], BatchStage.draw
    monkeypatch.setattr(BatchStage, "draw", lambda self: (draw(self), seen.append(self.drawn.numpy()))[0])
    overrides = ["optimizer.iterations=3", "optimizer.refresh=1", "optimizer.polish=0", "optimizer.states=100",
                 "sampling=mixture", "evaluation.figures=false", "evaluation.reference=false", "evaluation.paths=20",
                 "evaluation.box=256"]  # fmt: skip
    solution = solve("stochastic_growth", overrides, folder=tmp_path / "run", quiet=True)
    trained = {tuple(row) for batch in seen for row in batch}
    assert len(seen) == 3 and len(trained) == 300
    for states in solution.draw_evaluation_states(0).values():
        assert not trained & {tuple(row) for row in states.numpy()}


@pytest.mark.parametrize("choice", ["auto", "monomial", "monomial expectation.degree=3", "monte_carlo"])
@pytest.mark.parametrize("dimension", [1, 2, 5])
@pytest.mark.parametrize("constrained", [False, True])
def test_no_node_judges_what_it_has_trained(choice, dimension, constrained):
    quadrature = settle(settings(*f"expectation={choice}".split()).expectation, dimension, constrained)
    trained, judged = (
        {tuple(x) for x in np.round(r(quadrature, dimension)[0], 9) + 0.0} for r in (build_rule, build_finer_rule)
    )
    assert not trained & judged and len(trained) > 1


@pytest.mark.slow
def test_half_the_variance_in_training_turns_the_verdict_red(tmp_path, monkeypatch):
    """Nodes at sqrt(1/2): training is content, the finer rule of the evaluation is not."""
    overrides = [
        "model.gamma=10",
        "optimizer.iterations=40",
        "optimizer.polish=0",
        "evaluation.reference=false",
        "tolerance=1e-5",
        "evaluation.figures=false",
    ]
    honest = solve("stochastic_growth", overrides, folder=tmp_path / "honest", quiet=True)
    assert honest.summary["status"] == "converged"

    def halved(quadrature, dimension):
        nodes, weights = build_rule(quadrature, dimension)
        return nodes / np.sqrt(2), weights

    monkeypatch.setattr("deqn.equations.quadrature.build_rule", halved)
    sabotaged = solve("stochastic_growth", overrides, folder=tmp_path / "halved", quiet=True)
    assert sabotaged.summary["status"] == "not_converged"


def test_half_the_variance_moves_the_residual_where_risk_matters():
    """At one and the same policy the two rules differ by far more than the tolerance."""
    e = economy("model=stochastic_growth", "model.gamma=10", "network.anchor=steady_state")
    quadrature = choose_quadrature(settings().expectation, e.model)
    states = SobolPoints(e.domain, 64, 0, tf.float64).points()

    def halved(dimension):
        nodes, weights = build_rule(quadrature, dimension)
        return nodes / np.sqrt(2), weights

    found = [
        replace(e, expectation=build_expectation(e.model, choice)).residuals(states)["euler"].numpy()
        for choice in (partial(build_finer_rule, quadrature), partial(build_rule, quadrature), halved)
    ]
    assert np.abs(found[1] - found[0]).max() < 1e-8
    assert np.abs(found[2] - found[0]).min() > 1e-3
