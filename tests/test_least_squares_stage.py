"""Least squares on the equations of economies: the Jacobian of a policy function, and the stage of training."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import deqn
from conftest import economy, settings
from deqn.economy.anchors import linear_rule
from deqn.economy.domain import SobolPoints
from deqn.optimizers.damped_equations import choose_form
from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.optimizers.residual_function import ResidualFunction
from deqn.system.errors import InputError
from deqn.training.least_squares_stage import LeastSquaresStage
from deqn.training.objective import Objective
from deqn.training.sampler import Sampler

LEVEL = ("model=olg_analytic", "model.head=level", "network.hidden=[6,5]")


def problem(*overrides, memory=2**30, damping=1e-3):
    """A solver and its economy, whose weights are off the anchor."""
    e = economy(*overrides)
    shaken = np.random.default_rng(0)
    for w in e.policy.network.trainable_variables:
        w.assign(w + 0.05 * shaken.standard_normal(w.shape))
    return LeastSquares(Objective(e, settings(*overrides).loss).residual_function(memory), damping), e


def points(economy, n, seed=0):
    return SobolPoints(economy.domain, n, seed, tf.float64).points()


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [LEVEL, ("model=stochastic_growth", "network=chebyshev", "network.degree=3")])
def test_the_jacobian_is_that_of_the_residuals(overrides):
    """Against the whole batch differentiated weight by weight."""
    solver, e = problem(*overrides)
    layerwise, states = solver.residuals, points(e, 7)
    general = ResidualFunction(layerwise._function, layerwise.variables, 2**30, jit_compile=False)
    expected = general.jacobian(states)
    np.testing.assert_allclose(layerwise.jacobian(states), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


@pytest.mark.slow
def test_losses_are_those_of_the_gradient_stage():
    """The mean over states and components of each equation, weighed by name."""
    e = economy(*LEVEL)
    objective = Objective(e, replace(settings(*LEVEL).loss, weights={"euler": 3.0}))
    solver, states = LeastSquares(objective.residual_function(2**30), 1e-3), points(e, 8)
    loss = float(objective.loss(states))
    assert solver.loss(states) == pytest.approx(loss, rel=1e-12)
    assert loss == pytest.approx(3 * np.mean(e.residuals(states)["euler"].numpy() ** 2), rel=1e-12)


def test_it_reaches_round_off_without_a_floor():
    """Full depreciation from the steady state on: savings are constant, which the polynomial can be exactly."""
    solver, e = problem("model=growth", "model.head=share", "network=chebyshev", "network.degree=4")
    states, held_out = points(e, 64), points(e, 16, seed=1)
    losses = [solver.iterate(states, held_out) for _ in range(12)]
    assert losses[0][0] > 1e-4 and losses[-1][1] < 1e-30
    assert all(after <= before for before, after in losses)


@pytest.mark.slow
@pytest.mark.parametrize("veto", [True, False])
def test_held_out_states_have_a_veto(veto, monkeypatch):
    """Two states are soon interpolated at the expense of all others, unless the others are heard."""
    if not veto:
        monkeypatch.setattr("deqn.optimizers.levenberg_marquardt.HELD_OUT", np.inf)
    solver, e = problem("model=stochastic_growth", "network.hidden=[16,16]", damping=1e-9)
    states, others = points(e, 2), points(e, 64, seed=2)
    losses = [solver.loss(others)]
    for _ in range(5):
        solver.iterate(states, others)
        losses.append(solver.loss(others))
    assert (max(np.divide(losses[1:], losses[:-1])) <= 2) == veto


def test_a_loss_that_is_not_finite_is_reported():
    solver, e = problem("model=growth", "network.hidden=[4]")
    assert solver.iterate(tf.constant([[np.nan]], tf.float64), points(e, 4)) is None


@pytest.mark.slow
@pytest.mark.parametrize("memory", [2**30, 8 * 113])
def test_equations_may_leave_out_the_policies_of_tomorrow(memory, monkeypatch):
    """A return on capital alone: the second call of the network reaches no equation."""
    required = lambda self, now, nxt, E: {"euler": self.beta * E(nxt.R) - 1 + 0.1 * (now.s - 0.3)}
    monkeypatch.setattr("deqn.models.stochastic_growth.StochasticGrowth.residuals", required)
    solver, e = problem("model=stochastic_growth", "network.hidden=[6]", "network.anchor=steady_state", memory=memory)
    states = points(e, 40)
    assert choose_form(solver.residuals.parameters, 40, memory) == ("primal" if memory > 2**20 else "matrix_free")
    before, after = solver.iterate(states, states[:8])
    assert after < before


def stage(*overrides):
    s, e = settings(*overrides), economy(*overrides)
    single = replace(s.sampling, paths=s.optimizer.states, periods=1)
    return LeastSquaresStage(Objective(e, s.loss), Sampler(e, single, 0), s.optimizer)


@pytest.mark.slow
def test_a_stage_ends_at_round_off_and_where_nothing_is_gained():
    exact = stage("model=growth", "model.head=share", "optimizer.states=100")
    assert exact.chunk(50) and exact.done and exact.step < 5
    coarse = stage("model=growth", "model.delta=0.1", "network=chebyshev", "network.degree=2", "optimizer.states=100",
                   "optimizer.refresh=5")  # fmt: skip
    assert coarse.chunk(200) and coarse.done and coarse.step < 100


@pytest.mark.slow
def test_an_interpolated_batch_is_not_the_end():
    """Ten states say nothing of the others: the next batch is drawn."""
    s = stage("model=stochastic_growth", "optimizer.states=10", "optimizer.iterations=70")
    s.chunk(70)
    assert s.step == 70 and s.states_visited > 50


@pytest.mark.slow
def test_batches_are_drawn_anew():
    s = stage("model=stochastic_growth", "network.hidden=[4]", "optimizer.states=50", "optimizer.refresh=3")
    s.chunk(3)
    first = s.drawn.numpy()
    s.chunk(1)
    assert (s.drawn.numpy() != first).all() and s.states_visited == 100


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_solves_stochastic_growth(dtype, tmp_path, stochastic):
    """To a policy error far below the linear solution's, and in single precision to its own round-off."""
    overrides = ["optimizer=levenberg_marquardt", f"dtype={dtype}", "optimizer.iterations=80", "optimizer.polish=0",
                 "evaluation.reference=false", "evaluation.figures=false"]  # fmt: skip
    if dtype == "float32":  # whose errors end between 4e-7 and 2e-6, by seed
        overrides.append("tolerance=1e-5")
    found = deqn.solve("stochastic_growth", overrides, folder=tmp_path / "run", quiet=True)
    s = found.summary
    assert s["status"] == "converged" and 30 < s["steps"]["levenberg_marquardt"] <= 80 and s["steps"]["adam"] == 0
    visited = stochastic.simulate(periods=50, paths=20)
    error = np.abs(found.policy(visited)["s"] - visited["s"]).mean()
    first_order = linear_rule(stochastic.economy.members, stochastic.economy.steady, tf.float64)
    linear = np.abs(first_order(tf.constant(visited[["k", "z"]].to_numpy()))[:, 0] - visited["s"]).mean()
    assert error < (1e-5 if dtype == "float64" else 1e-4) and error < 0.05 * linear


WRONG = {
    "network.dropout=0.1": "network.dropout=0.1 cannot be used with optimizer=time_iteration_lm",
    "network.l2=1e-3": "network.l2=0.001 cannot be used with optimizer=time_iteration_lm",
    "loss=huber": "loss=huber cannot be used with optimizer=time_iteration_lm, a least squares method",
    "optimizer=levenberg_marquardt train.steps=10": "train.steps=10 are gradient steps, of which levenberg_marquardt",
    "optimizer=adam optimizer.iterations=3": "optimizer.iterations=3 is not used by adam; it belongs to adam_lm",
    "optimizer=levenberg_marquardt optimizer.learning_rate=1": "learning_rate=1.0 is not used by levenberg_marquardt",
    "optimizer=levenberg_marquardt schedule=exponential": "schedule=exponential is one of learning rates, of which",
    "optimizer.states=3": r"optimizer.states=3.*\[5, inf\)",
    "optimizer.memory=0": r"optimizer.memory=0.0.*\(0, inf\)",
}


@pytest.mark.parametrize("overrides", WRONG)
def test_what_does_not_fit_is_refused(overrides):
    with pytest.raises(InputError, match=WRONG[overrides]):
        settings(*overrides.split())
