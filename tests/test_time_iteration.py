"""Time iteration against what is known of it: each sweep of an economy with a closed form, and its rate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import deqn
from conftest import build, economy, settings
from deqn.economy.domain import SobolPoints
from deqn.economy.members import OneMember
from deqn.model.declaration import Model, Multiplier, Normal, Policy, State
from deqn.runs.training import build_rounds, build_stages
from deqn.training.objective import Objective
from deqn.training.sampler import Sampler
from deqn.training.time_iteration_stage import TimeIterationStage, measure_solved_share

GROWTH = ("model=stochastic_growth", "model.delta=1", "network.anchor=none", "sampling=box", "optimizer.states=300")
SHARE = 0.36 * 0.99  # alpha beta, at which saving rests


def prepare(e, sweeps, precision=0.0, states=300):
    chosen = settings("sampling=box", f"sampling.paths={states}", "sampling.periods=1")
    return TimeIterationStage(Objective(e, chosen.loss), Sampler(e, chosen.sampling, 0), sweeps, precision, 2**30)


def iterate(e, sweeps, precision=0.0):
    stage = prepare(e, sweeps, precision)
    assert stage.chunk(sweeps)
    return stage


def saving(e):
    return e.policy(SobolPoints(e.domain, 50, 9, tf.float64).points()).numpy()[:, 0]


@pytest.mark.slow
def test_a_sweep_adds_a_date_to_the_horizon():
    """With log utility and full depreciation s / (1 - s) = alpha beta / (1 - s'), whatever today's state is."""
    e, share = economy(*GROWTH), 0.5
    stage = prepare(e, 4)
    for _ in range(4):
        assert stage.chunk(1)
        share = SHARE / (SHARE + 1 - share)
        np.testing.assert_allclose(saving(e), share, atol=1e-5)


@pytest.mark.slow
def test_sweeps_contract_at_the_rate_of_the_economy_and_end_at_its_limit():
    """The derivative of tomorrow's share in today's is alpha beta at rest: the change falls by that factor."""
    stage = iterate(e := economy(*GROWTH), 40, precision=1e-4)
    assert stage.done and stage.step < 20
    changes = stage.changes.numpy()
    np.testing.assert_allclose(changes[4:8] / changes[3:7], SHARE, rtol=0.15)
    np.testing.assert_allclose(saving(e), SHARE, atol=1e-5)
    assert stage.rates["solved"] == 1 and stage.problem is None


@pytest.mark.slow
def test_a_family_is_swept_at_once():
    """The limit of each of its economies, a share alpha beta, is another."""
    e = economy(*GROWTH, "pseudo_states.beta=[0.9,0.97]")
    iterate(e, 30, precision=1e-4)
    points = SobolPoints(e.domain, 50, 9, tf.float64).points()
    beta = points.numpy()[:, -1]
    assert np.ptp(beta) > 0.06
    np.testing.assert_allclose(saving(e), 0.36 * beta, atol=1e-4)


@dataclass(frozen=True)
class Branches(Model):
    """p = a E p'^2 + z: two solutions near rest, of which the limit of finite horizons is the smaller one."""

    a: float = 0.5
    states = (State("z", 0.1, 0.3),)
    policies = (Policy("p"),)
    shocks = (Normal("e"),)

    def transition(self, now, shock):
        return {"z": 0.2 + 0.5 * (now.z - 0.2) + 0.001 * shock.e}

    def residuals(self, now, nxt, E):
        return {"price": self.a * E(nxt.p**2) + now.z - now.p}


@pytest.mark.slow
def test_of_two_solutions_sweeps_find_the_limit_of_finite_horizons():
    """At rest a p^2 - p + z = 0, and sweeps contract at the smaller root alone."""
    e = build(settings("network.anchor=none"), OneMember(Branches()))
    iterate(e, 60, precision=1e-6)
    root = (1 - np.sqrt(1 - 4 * 0.5 * 0.2)) / (2 * 0.5)
    assert e.policy(tf.constant([[0.2]], tf.float64)).numpy()[0, 0] == pytest.approx(root, abs=1e-4)


@dataclass(frozen=True)
class Unsolvable(Branches):
    """Today's equation has no root where z is above .2."""

    policies = (Policy("p", lower=0),)

    def residuals(self, now, nxt, E):
        return {"price": now.p**2 + now.z - 0.2 + 0 * E(nxt.p)}


def test_states_without_a_solution_are_counted_and_the_worst_is_named():
    e = build(settings("network.anchor=none"), OneMember(Unsolvable()))
    stage = prepare(e, 5)
    assert stage.chunk(1)
    assert stage.rates["solved"] == pytest.approx(0.5, abs=0.05) and not stage.done
    assert "no policies that solve today's equations at 5" in stage.problem
    assert "as at z=0.299" in stage.problem
    assert measure_solved_share(e, 256) == pytest.approx(0.5, abs=0.05)


def test_a_policy_without_a_bound_is_approached_along_the_multiplier():
    """The constrained policy and its multiplier are one unknown: x - z = m, x >= 0, so that x = max(z, 0)."""

    @dataclass(frozen=True)
    class Constrained(Branches):
        states = (State("z", -0.3, 0.3),)
        policies = (Policy("x", lower=0), Multiplier("m", of="x"))

        def transition(self, now, shock):
            return {"z": 0.5 * now.z + 0.01 * shock.e}

        def residuals(self, now, nxt, E):
            return {"slack": now.x - now.z - now.m + 0 * E(nxt.x)}

    e = build(settings("network.anchor=none"), OneMember(Constrained()))
    iterate(e, 2)
    z = np.linspace(-0.25, 0.25, 11)
    found = e.policy(tf.constant(z[:, None])).numpy()
    np.testing.assert_allclose(found, np.stack([np.maximum(z, 0), np.maximum(-z, 0)], 1), atol=2e-3)


@pytest.mark.slow
def test_alone_it_keeps_the_weights_with_the_smallest_errors(tmp_path, monkeypatch):
    """Where every fit spoils the policy, the start is the result."""

    def spoil(self, states, outputs, steps):
        self.solver.residuals.variables[-1].assign_add([0.1])
        return True

    monkeypatch.setattr("deqn.training.regression.Regression.fit", spoil)
    words = ["optimizer=time_iteration", "optimizer.sweeps=10", "network.hidden=[4]", "evaluation.figures=false"]
    found = deqn.solve("growth", words, folder=tmp_path / "run", quiet=True)
    errors = pd.read_csv(found.folder / "metrics.csv")["error"]
    assert len(errors) == 3 and (errors[1:] > 2 * errors[0]).all()
    assert found.summary["training"]["error"] == errors[0]


def test_rounds_of_the_default_optimizer():
    words = ("model=growth", "network.hidden=[4]")
    e = economy(*words)
    first, second, third = build_rounds(e, settings(*words))
    for whole in (first, second):
        assert [s.name for s in whole.stages] == ["time_iteration", "adam", "levenberg_marquardt", "bfgs"]
        assert not whole.refines
    assert third.refines and [s.name for s in third.stages] == ["bfgs"]
    assert third.stages[0].solver is first.stages[-1].solver
    assert len(build_rounds(e, settings(*words, "optimizer.polish=0"))) == 2
    (alone,) = build_rounds(e, settings(*words, "optimizer=time_iteration"))
    assert [s.name for s in alone.stages] == ["time_iteration"]
    assert len(build_stages(e, settings(*words, "optimizer=adam"))) == 1


def test_slow_changes_are_no_end_unless_they_are_those_of_the_fit():
    stage = prepare(economy(*GROWTH), 40)
    stage.iterations.assign(30)
    stage.changes.assign(np.full(40, 0.02))
    stage.misfits.assign(np.full(40, 0.001))
    assert not stage.done
    stage.misfits.assign(np.full(40, 0.005))
    assert stage.done


def test_sweeps_end_where_most_states_stay_without_a_solution():
    stage = prepare(economy(*GROWTH), 40)
    stage.solved.assign(0.5)
    stage.hopeless.assign(9)
    assert not stage.done
    stage.hopeless.assign(10)
    assert stage.done
