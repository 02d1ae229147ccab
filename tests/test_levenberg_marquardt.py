from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import deqn
from conftest import economy, settings
from deqn.economy.anchors import linear_rule
from deqn.economy.domain import SobolPoints
from deqn.optimizers.levenberg_marquardt import LeastSquares, LeastSquaresStage
from deqn.system.errors import InputError
from deqn.training.sampler import Sampler

LEVEL = ("model=olg_analytic", "model.head=level", "network.hidden=[6,5]")


def problem(*overrides, memory=2**30, damping=1e-3):
    e = economy(*overrides)
    shaken = np.random.default_rng(0)
    for w in e.policy.network.trainable_variables:
        w.assign(w + 0.05 * shaken.standard_normal(w.shape))
    return LeastSquares(e, damping, memory)


def points(solver, n, seed=0):
    return SobolPoints(solver.economy.domain, n, seed, tf.float64).points()


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [LEVEL, ("model=stochastic_growth", "network=chebyshev", "network.degree=3")])
def test_the_jacobian_is_that_of_the_residuals(overrides):
    """Against the whole batch differentiated row by row."""
    solver = problem(*overrides)
    states = points(solver, 7)
    weights = solver.economy.policy.network.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        rows = tf.reshape(solver._residuals(states), [-1])
    whole = [tape.jacobian(rows, w.value, experimental_use_pfor=False) for w in weights]
    expected = np.concatenate([np.reshape(j, (rows.shape[0], -1)) for j in whole], 1)
    np.testing.assert_allclose(solver.jacobian(states), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


@pytest.mark.slow
def test_losses_are_those_of_the_gradient_stage():
    """The mean over states and components of each equation, weighed by name."""
    solver = LeastSquares(economy(*LEVEL), 1e-3, 2**30, {"euler": 3.0})
    states = points(solver, 8)
    before, _ = solver.iterate(states, states)
    e = economy(*LEVEL)
    assert before == pytest.approx(3 * np.mean(e.residuals(states)["euler"].numpy() ** 2), rel=1e-12)


@pytest.mark.slow
def test_all_forms_give_the_same_step():
    solver = problem(*LEVEL)
    states = points(solver, 12)
    values = solver.values(states)
    parameters, rows = solver.parameters, len(values)
    assert rows < parameters and solver.form(rows) == "dual" and solver.form(10 * parameters) == "primal"
    J = solver.jacobian(states)
    shift = 1e-2 * np.einsum("ij,ij->j", J, J).max()
    expected = -np.linalg.solve(J.T @ J + shift * np.eye(parameters), J.T @ values)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(solver._system(states, values)(1e-2)[0], expected, atol=1e-9 * scale)
    solver.form = lambda rows: "primal"
    np.testing.assert_allclose(solver._system(states, values)(1e-2)[0], expected, atol=1e-7 * scale)


@pytest.mark.slow
def test_products_alone_solve_the_same_equations():
    """Too little memory for any matrix: (J'J + shift) d = -J'r for the shift of the preconditioner's few states."""
    solver = problem(*LEVEL, memory=8 * 113 * 20)
    states = points(solver, 40)
    values, J = solver.values(states), solver.jacobian(states)
    assert solver.parameters == 113 and solver.form(len(values)) == "matrix_free"
    step, predicted = solver._system(states, values)(1e-2)
    slope = J.T @ (J @ step + values)
    shift = -slope @ step / (step @ step)
    assert shift > 0 and np.linalg.norm(slope + shift * step) < 1e-5 * np.linalg.norm(J.T @ values)
    assert predicted == pytest.approx(values @ values - np.sum((values + J @ step) ** 2), rel=1e-6)
    before, after = solver.iterate(states, states[:4])
    assert after < 0.5 * before


def test_the_predicted_reduction_is_that_of_the_linear_model():
    solver = problem("model=stochastic_growth", "network.hidden=[6]")
    states = points(solver, 64)
    values, J = solver.values(states), solver.jacobian(states)
    step, predicted = solver._system(states, values)(1e-3)
    assert predicted == pytest.approx(values @ values - np.sum((values + J @ step) ** 2), rel=1e-6)


@pytest.mark.slow
def test_normal_equations_by_slices_are_the_same():
    solver = problem("model=stochastic_growth", "network.hidden=[6]")
    states = points(solver, 60)
    values = solver.values(states)
    whole, _ = solver._system(states, values)(1e-2)
    solver.memory = 8 * 2 * solver.parameters**2
    assert solver.form(60) == "primal" and len(list(solver._slices(states, values))) > 1
    np.testing.assert_allclose(solver._system(states, values)(1e-2)[0], whole, rtol=1e-6)


def test_it_reaches_round_off_without_a_floor():
    """Full depreciation from the steady state on: savings are constant, which the polynomial can be exactly."""
    solver = problem("model=growth", "model.head=share", "network=chebyshev", "network.degree=4")
    states, held_out = points(solver, 64), points(solver, 16, seed=1)
    losses = [solver.iterate(states, held_out) for _ in range(12)]
    assert losses[0][0] > 1e-4 and losses[-1][1] < 1e-30
    assert all(after <= before for before, after in losses)


def test_a_jacobian_of_zeros_takes_no_step():
    solver = problem("model=growth", "network.hidden=[4]")
    weights = [w.numpy() for w in solver.economy.policy.network.weights]
    solver._jacobian = lambda states: tf.zeros((states.shape[0], 1, solver.parameters), tf.float64)
    before, after = solver.iterate(points(solver, 16), points(solver, 4))
    assert before == after > 0
    for old, new in zip(weights, solver.economy.policy.network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_step_into_the_void_is_taken_back():
    """A Jacobian of the wrong sign: every step raises the loss, so the weights stay and remain finite."""
    solver = problem("model=stochastic_growth", "network.hidden=[6]")
    states = points(solver, 64)
    right = solver._jacobian
    solver._jacobian = lambda states: -right(states)
    weights = [w.numpy() for w in solver.economy.policy.network.weights]
    before, after = solver.iterate(states, states[:8])
    assert before == after
    for old, new in zip(weights, solver.economy.policy.network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
@pytest.mark.parametrize("veto", [True, False])
def test_held_out_states_have_a_veto(veto, monkeypatch):
    """Two states are soon interpolated at the expense of all others, unless the others are heard."""
    if not veto:
        monkeypatch.setattr("deqn.optimizers.levenberg_marquardt.HELD_OUT", np.inf)
    solver = problem("model=stochastic_growth", "network.hidden=[16,16]", damping=1e-9)
    states, others = points(solver, 2), points(solver, 64, seed=2)
    losses = [solver.loss(others)]
    for _ in range(5):
        solver.iterate(states, others)
        losses.append(solver.loss(others))
    assert (max(np.divide(losses[1:], losses[:-1])) <= 2) == veto


def test_a_loss_that_is_not_finite_is_reported():
    solver = problem("model=growth", "network.hidden=[4]")
    assert solver.iterate(tf.constant([[np.nan]], tf.float64), points(solver, 4)) is None


def test_a_jacobian_that_is_not_finite_is_reported():
    solver = problem("model=growth", "network.hidden=[4]")
    right = solver._jacobian
    solver._jacobian = lambda states: right(states) * np.nan
    assert solver.iterate(points(solver, 16), points(solver, 4)) is None


@pytest.mark.slow
@pytest.mark.parametrize("memory", [2**30, 8 * 113])
def test_equations_may_leave_out_the_policies_of_tomorrow(memory, monkeypatch):
    """A return on capital alone: the second call of the network reaches no equation."""
    required = lambda self, now, nxt, E: {"euler": self.beta * E(nxt.R) - 1 + 0.1 * (now.s - 0.3)}
    monkeypatch.setattr("deqn.models.stochastic_growth.StochasticGrowth.residuals", required)
    solver = problem("model=stochastic_growth", "network.hidden=[6]", "network.anchor=steady_state", memory=memory)
    states = points(solver, 40)
    assert solver.form(40) == ("primal" if memory > 2**20 else "matrix_free")
    before, after = solver.iterate(states, states[:8])
    assert after < before


def stage(*overrides):
    s, e = settings(*overrides), economy(*overrides)
    single = replace(s.sampling, paths=s.optimizer.states, periods=1)
    return LeastSquaresStage(e, Sampler(e.domain, single, 0, e.policy.dtype), s.optimizer, {})


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
    first = s.batch.numpy()
    s.chunk(1)
    assert (s.batch.numpy() != first).all() and s.states_visited == 100


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
    "network.dropout=0.1": "network.dropout=0.1 cannot be used with optimizer=adam_lm",
    "network.l2=1e-3": "network.l2=0.001 cannot be used with optimizer=adam_lm",
    "loss=huber": "loss=huber cannot be used with optimizer=adam_lm, a least squares method",
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
