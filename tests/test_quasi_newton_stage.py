from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import deqn
from conftest import economy, settings
from deqn.economy.domain import SobolPoints
from deqn.evaluation.projection import Projection, evaluate_policies
from deqn.evaluation.region import Region
from deqn.optimizers.self_scaled_bfgs import SelfScaledBFGS
from deqn.runs.training import build_stages
from deqn.system.errors import InputError
from deqn.training.objective import Objective
from deqn.training.quasi_newton_stage import QuasiNewtonStage
from deqn.training.sampler import Sampler

SMALL = ("model=stochastic_growth", "network.hidden=[6]")


@pytest.mark.slow
def test_loss_and_gradient_are_those_of_least_squares():
    """2 J'r over the batch, with the components of a vector equation averaged."""
    words = ("model=olg_analytic", "model.head=level", "network.hidden=[6,5]")
    objective = Objective(economy(*words), settings(*words).loss)
    solver = SelfScaledBFGS(objective.loss, objective.weights)
    states = SobolPoints(objective.economy.domain, 64, 0, tf.float64).points()
    solver.evaluate(states)
    residuals = objective.residual_function(2**30)
    values = residuals.values(states)
    assert float(solver.loss) == pytest.approx(values @ values / 64, rel=1e-12)
    np.testing.assert_allclose(solver.gradient, 2 * residuals.jacobian(states).T @ values / 64, rtol=1e-8, atol=1e-12)


def stage(*overrides):
    s, e = settings(*overrides), economy(*overrides)
    single = replace(s.sampling, paths=100, periods=1)
    objective = Objective(e, s.loss)
    solver = SelfScaledBFGS(objective.loss, objective.weights)
    return QuasiNewtonStage(e, solver, Sampler(e, single, 0), s.optimizer.polish)


@pytest.mark.slow
def test_a_stage_ends_at_round_off_on_fresh_states():
    exact = stage("model=growth", "model.head=share")
    assert exact.chunk(50) and exact.done and exact.step < 5


@pytest.mark.slow
def test_a_stage_draws_other_states():
    s = stage(*SMALL, "optimizer.polish=1200")
    s.chunk(1000)
    first = s.drawn.numpy()
    s.chunk(200)
    assert s.done and s.step == 1200 and (s.drawn.numpy() != first).all()


def test_a_loss_that_is_not_finite_is_reported():
    s = stage(*SMALL)
    s.sampler = lambda policy: tf.fill((100, 2), tf.constant(np.nan, tf.float64))
    s.sampler.states = 100
    assert not s.chunk(1)


def test_a_matrix_that_does_not_fit_is_left_out():
    words = (*SMALL, "optimizer.polish=10")  # 25 weights
    assert [s.name for s in build_stages(economy(*words), settings(*words))][-1] == "bfgs"
    words = (*words, "optimizer.memory=1e-5")
    assert [s.name for s in build_stages(economy(*words), settings(*words))][-1] == "levenberg_marquardt"


@pytest.mark.slow
def test_growth_is_solved_to_ten_digits(tmp_path):
    """Slow depreciation, no closed form: residuals and the distance from the polynomial solution."""
    overrides = ["model.head=share", "model.delta=0.1", "evaluation.figures=false"]
    found = deqn.solve("growth", overrides, folder=tmp_path / "run", quiet=True)
    s = found.summary
    assert s["steps"]["bfgs"] > 100 and s["euler_errors"]["path"]["all"]["max"] < 1e-9
    states = found.draw_evaluation_states(0)["path"]
    polynomial = Projection(found.finer_economy, Region.enclose(states.numpy(), np.array([True])), 14)
    assert polynomial.solve(states, evaluate_policies(found.economy, states), 0.0)
    fitted, learned = (evaluate_policies(e, states)["s"] for e in (polynomial.economy, found.economy))
    assert np.abs(fitted - learned).max() < 1e-8


@pytest.mark.parametrize("wrong", ["optimizer.polish=-1", "optimizer=adam optimizer.polish=10"])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(InputError, match="optimizer.polish"):
        settings(*wrong.split())


@pytest.mark.slow
def test_polish_goes_on_where_the_tolerance_is_missed(tmp_path):
    """As many steps again, at most, and no further than the tolerance asks."""
    words = ["network.hidden=[8]", "network.anchor=none", "optimizer.iterations=2", "optimizer.polish=100"]
    words += ["evaluation.figures=false"]
    plain = deqn.solve("growth", [*words, "tolerance=1"], folder=tmp_path / "plain", quiet=True)
    error = plain.result.path_error.mean
    further = deqn.solve("growth", [*words, f"tolerance={error / 2:.3e}"], folder=tmp_path / "further", quiet=True)
    taken = [[r["steps"] for r in s.summary["start"]["rungs"] if r["stage"] == "bfgs"] for s in (plain, further)]
    assert taken[0] == [100] and taken[1][0] == 100 and 0 < taken[1][1] <= 100
    assert further.result.path_error.mean < error
