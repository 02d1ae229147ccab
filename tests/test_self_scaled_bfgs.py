from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import deqn
from conftest import economy, settings
from deqn.economy.domain import SobolPoints
from deqn.evaluation.projection import Projection, policies_at
from deqn.evaluation.region import Region
from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.optimizers.self_scaled_bfgs import QuasiNewtonStage, SelfScaledBFGS
from deqn.runs.stages import stages
from deqn.system.errors import InputError
from deqn.training.sampler import Sampler

SMALL = ("model=stochastic_growth", "network.hidden=[6]")


def problem(*overrides):
    """A solver and states on which its loss and gradient are known; weights are off the anchor."""
    overrides = overrides or SMALL
    solver = SelfScaledBFGS(economy(*overrides), settings(*overrides).loss)
    shaken = np.random.default_rng(0)
    for w in solver.economy.policy.network.trainable_variables:
        w.assign(w + 0.05 * shaken.standard_normal(w.shape))
    states = SobolPoints(solver.economy.domain, 64, 0, tf.float64).points()
    solver.evaluate(states)
    return solver, states


def taken(solver, states, iterations):
    return int(solver.iterate(states, tf.constant(iterations)))


@pytest.mark.slow
def test_loss_and_gradient_are_those_of_least_squares():
    """2 J'r over the batch, with the components of a vector equation averaged."""
    solver, states = problem("model=olg_analytic", "model.head=level", "network.hidden=[6,5]")
    other = LeastSquares(solver.economy, 1e-3, 2**30)
    values = other.values(states)
    assert float(solver.loss) == pytest.approx(values @ values / 64, rel=1e-12)
    np.testing.assert_allclose(solver.gradient, 2 * other.jacobian(states).T @ values / 64, rtol=1e-8, atol=1e-12)


@pytest.mark.slow
def test_the_secant_equation_holds():
    """H y = s for the newest pair, H symmetric and positive."""
    solver, states = problem()
    taken(solver, states, 5)
    x, g = solver._read().numpy(), solver.gradient.numpy()
    assert taken(solver, states, 1) == 1
    s, y, H = solver._read().numpy() - x, solver.gradient.numpy() - g, solver.inverse.numpy()
    np.testing.assert_allclose(H @ y, s, rtol=1e-6, atol=1e-8 * np.abs(s).max())
    np.testing.assert_allclose(H, H.T, atol=1e-9 * np.abs(H).max())
    assert np.linalg.eigvalsh(H).min() > 0


@pytest.mark.slow
def test_many_steps_are_the_same_in_parts():
    (whole, states), (parts, _) = problem(), problem()
    assert taken(whole, states, 30) == taken(parts, states, 11) + taken(parts, states, 19) == 30
    np.testing.assert_array_equal(whole._read(), parts._read())
    np.testing.assert_array_equal(whole.inverse, parts.inverse)


@pytest.mark.slow
def test_the_loss_falls_by_orders_of_magnitude():
    solver, states = problem()
    before = float(solver.loss)
    taken(solver, states, 300)
    assert float(solver.loss) < 1e-5 * before


@pytest.mark.slow
def test_no_step_is_taken_uphill(monkeypatch):
    """A gradient of the wrong sign: the line search finds nothing, weights and loss stay."""
    right = SelfScaledBFGS._loss_and_gradient
    monkeypatch.setattr(SelfScaledBFGS, "_loss_and_gradient", lambda self, s: (right(self, s)[0], -right(self, s)[1]))
    solver, states = problem()
    x, loss = solver._read().numpy(), float(solver.loss)
    assert taken(solver, states, 5) == 0
    np.testing.assert_array_equal(solver._read(), x)
    assert float(solver.loss) == loss


def stage(*overrides):
    s, e = settings(*overrides), economy(*overrides)
    single = replace(s.sampling, paths=100, periods=1)
    return QuasiNewtonStage(e, Sampler(e.domain, single, 0, e.policy.dtype), s.optimizer.polish, s.loss)


@pytest.mark.slow
def test_a_stage_ends_at_round_off_on_fresh_states():
    exact = stage("model=growth", "model.head=share")
    assert exact.chunk(50) and exact.done and exact.step < 5


@pytest.mark.slow
def test_a_stage_draws_other_states():
    s = stage(*SMALL, "optimizer.polish=1200")
    s.chunk(1000)
    first = s.batch.numpy()
    s.chunk(200)
    assert s.done and s.step == 1200 and (s.batch.numpy() != first).all()


def test_a_loss_that_is_not_finite_is_reported():
    s = stage(*SMALL)
    s.sampler = lambda policy: tf.fill((100, 2), tf.constant(np.nan, tf.float64))
    s.sampler.states = 100
    assert not s.chunk(1)


def test_a_matrix_that_does_not_fit_is_left_out():
    words = (*SMALL, "optimizer.polish=10")  # 25 weights
    assert [s.name for s in stages(economy(*words), settings(*words))][-1] == "bfgs"
    words = (*words, "optimizer.memory=1e-5")
    assert [s.name for s in stages(economy(*words), settings(*words))][-1] == "levenberg_marquardt"


@pytest.mark.slow
def test_growth_is_solved_to_ten_digits(tmp_path):
    """Slow depreciation, no closed form: residuals and the distance from the polynomial solution."""
    overrides = ["model.head=share", "model.delta=0.1", "evaluation.figures=false"]
    found = deqn.solve("growth", overrides, folder=tmp_path / "run", quiet=True)
    s = found.summary
    assert s["steps"]["bfgs"] > 100 and s["euler_errors"]["path"]["all"]["max"] < 1e-9
    states = found.evaluation_states(0)["path"]
    polynomial = Projection(found.judged, Region.around(states.numpy(), np.array([True])), 14)
    assert polynomial.solve(states, policies_at(found.economy, states), 0.0)
    assert np.abs(policies_at(polynomial.economy, states)["s"] - policies_at(found.economy, states)["s"]).max() < 1e-8


@pytest.mark.parametrize("wrong", ["optimizer.polish=-1", "optimizer=adam optimizer.polish=10"])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(InputError, match="optimizer.polish"):
        settings(*wrong.split())
