from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from rich.console import Console
from small_economies import Harvest, Ledgers

from conftest import build, economy, settings
from deqn.economy.members import OneMember
from deqn.runs.training import build_stages
from deqn.system.processes import Interrupt
from deqn.training.checkpoint import Checkpoints
from deqn.training.loop import Loop
from deqn.training.progress import Display, Journal
from deqn.training.report import Metrics
from deqn.training.rules import Rules
from deqn.training.sampler import FAR, Sampler
from deqn.training.stage import Round
from deqn.training.validation import Ledger, Validator

FAST = ("model=stochastic_growth", "optimizer=adam", "network.anchor=steady_state", "network.hidden=[8]",
        "sampling.paths=16", "sampling.periods=8", "train.batch=64", "train.report_every=20",
        "sampling.burn_in=5")  # fmt: skip


class Stop:
    """An interrupt that comes after so many looks at it."""

    def __init__(self, after):
        self.left = after

    @property
    def signal(self):
        self.left -= 1
        return 2 if self.left < 0 else None


def loop(folder, *overrides, interrupt=None, restore=False, model=None):
    """The training that the overrides make, of a model of one's own where it is given."""
    s = settings(*FAST, *overrides)
    e = build(s, model and OneMember(model))
    other = Sampler(e, s.sampling, 2)
    chosen, ledger = build_stages(e, s), Ledger(e.policy.network.weights)
    checkpoints = Checkpoints(folder, network=e.policy.network, validation=other, ledger=ledger,
                              **{stage.name: stage for stage in chosen})  # fmt: skip
    if restore:
        checkpoints.restore()
    metrics = Metrics(folder, sum(stage.step for stage in chosen))
    rules = Rules(s.train, interrupt or Interrupt(), s.tolerance, s.optimizer.good_start)
    journal = Journal([metrics], Display(Console(quiet=True)))
    return Loop([Round(chosen)], Validator(e, other), ledger, checkpoints, rules, journal)


def weights(trained):
    return np.concatenate([np.ravel(w) for w in trained.validator.economy.policy.network.weights])


@pytest.mark.slow
def test_training_lowers_fresh_errors_and_reports_at_fixed_steps(tmp_path):
    trained = loop(tmp_path, "train.steps=200")
    assert trained.run().ended == "steps"
    rows = pd.read_csv(tmp_path / "metrics.csv")
    assert list(rows["step"]) == list(range(0, 201, 20))
    assert list(rows)[:6] == ["step", "stage", "seconds", "loss", "learning_rate", "damping"]
    assert rows["mean_euler"].iloc[-1] < 0.3 * rows["mean_euler"].iloc[0]
    assert rows["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_dropout_goes_on_where_it_stopped(tmp_path):
    """Its seeds are part of a checkpoint; interrupted between reports, at chunk borders of the machine's choosing.

    The stages without noise are killed and interrupted in tests/faults.
    """
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    choice = ("train.steps=60", "network.dropout=0.2")
    whole = loop(tmp_path / "whole", *choice)
    assert whole.run().ended == "steps"
    reasons = []
    for part in range(20):
        parts = loop(tmp_path / "parts", *choice, interrupt=Stop(2 + 2 * part), restore=part > 0)
        reasons.append(parts.run().ended)
        if reasons[-1] == "steps":
            break
    assert reasons[0] == "interrupted" and reasons[-1] == "steps"
    np.testing.assert_array_equal(weights(whole), weights(parts))
    one, other = (pd.read_csv(tmp_path / name / "metrics.csv").drop(columns="seconds") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["adam", "adam_lm"])
def test_no_gradient_steps_leave_the_anchor_or_least_squares(tmp_path, choice):
    """train.steps=0: Adam alone reports the start, adam_lm goes straight to its second stage."""
    extra = (
        ["optimizer.good_start=0", "optimizer.states=100", "optimizer.iterations=2", "optimizer.polish=0"]
        if choice == "adam_lm"
        else []
    )
    trained = loop(tmp_path, f"optimizer={choice}", "train.steps=0", *extra)
    assert trained.run().ended == "steps"
    assert trained.step == (2 if choice == "adam_lm" else 0)
    assert pd.read_csv(tmp_path / "metrics.csv")["step"].iloc[0] == 0


@pytest.mark.slow
def test_it_stops_on_the_target(tmp_path):
    assert loop(tmp_path, "train.steps=100000", "train.target=1e-2").run().ended == "target"


@pytest.mark.slow
def test_it_stops_on_patience_and_keeps_the_best_weights(tmp_path):
    trained = loop(tmp_path, "train.steps=100000", "train.patience=3", "optimizer=sgd", "optimizer.learning_rate=30",
                   "schedule=constant")  # fmt: skip
    assert trained.run().ended == "patience"
    rows = pd.read_csv(tmp_path / "metrics.csv")
    assert rows["mean_euler"].idxmin() == len(rows) - 4
    assert trained.measure().error < 2 * rows["mean_euler"].min()


@pytest.mark.slow
def test_a_first_stage_that_fails_leaves_the_word_to_the_second(tmp_path):
    trained = loop(tmp_path, "optimizer=adam_lm", "optimizer.good_start=0", "optimizer.learning_rate=30",
                   "train.steps=4000", "train.report_every=1", "train.patience=2", "optimizer.states=100",
                   "optimizer.iterations=3", "optimizer.polish=0")  # fmt: skip
    assert trained.run().ended == "steps"
    stages = pd.read_csv(tmp_path / "metrics.csv")["stage"]
    assert (stages == "adam").sum() < 100 and stages.iloc[-1] == "levenberg_marquardt"


@pytest.mark.slow
def test_it_stops_on_time(tmp_path):
    trained = loop(tmp_path, "train.steps=10000000", "train.seconds=1").run()
    assert trained.ended == "seconds"
    assert 1 <= trained.train_seconds + trained.compile_seconds < 20


@pytest.mark.slow
def test_the_rate_falls_when_errors_do_not(tmp_path):
    trained = loop(tmp_path, "train.steps=400", "schedule=reduce_on_plateau", "schedule.patience=2",
                   "optimizer=sgd", "optimizer.learning_rate=30")  # fmt: skip
    trained.run()
    rates = pd.read_csv(tmp_path / "metrics.csv")["learning_rate"]
    assert rates.iloc[-1] <= rates.iloc[0] / 2 and rates.is_monotonic_decreasing


@pytest.mark.slow
def test_divergence_is_named_and_the_best_weights_survive(tmp_path):
    trained = loop(tmp_path, "train.steps=4000", "optimizer=sgd", "optimizer.learning_rate=1e9", "schedule=constant")
    found = trained.run()
    assert found.ended == "diverged" and found.status == "trained"  # the weights of the start are judged
    assert found.problem.startswith("sgd diverged at step ") and "'euler' is not finite at k=" in found.problem
    assert np.isfinite(weights(trained)).all()


def test_the_worst_row_decides(tmp_path):
    """Under x = 0 the last of fifty accounts is off by 2e-4 E|z| = 1e-4, which their mean, 2e-6, would hide."""
    words = ("model=growth", "sampling=box", "network.anchor=steady_state", "train.steps=0", "train.target=1e-5")
    trained = loop(tmp_path, *words, model=Ledgers())
    assert trained.run().ended == "steps"  # not on target
    found = trained.validator()
    assert found.worst == "account[49]" and found.error == pytest.approx(1e-4, rel=0.1)
    assert found.mean["account"] == pytest.approx(2e-6, rel=0.1)
    assert pd.read_csv(tmp_path / "metrics.csv")["worst"].iloc[0] == "account[49]"


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "levenberg_marquardt"])
def test_lost_paths_are_drawn_anew_and_counted(tmp_path, optimizer):
    """Under consumption as at rest paths eat up their capital; what the box alone would solve is solved."""
    words = ["model=stochastic_growth", "sampling=mixture", f"optimizer={optimizer}", "train.steps=0"]
    squares = ["optimizer.iterations=40", "optimizer.refresh=5", "optimizer.states=400", "optimizer.polish=0"]
    words += ["train.steps=200"] if optimizer == "adam" else squares
    trained = loop(tmp_path, *words, model=Harvest())
    found = trained.run()
    rows = pd.read_csv(tmp_path / "metrics.csv")
    assert found.ended == "steps" and found.problem is None and found.status == "trained"
    assert found.lost_paths > 10 and found.lost_paths == rows["lost_paths"].iloc[-1]
    assert found.error < (0.01 if optimizer == "levenberg_marquardt" else 0.3) * rows["error"].iloc[0]


def test_a_lost_path_goes_on_from_the_box():
    """From below zero and from far away, to a state of the box; the others go on, and the evaluation keeps its own."""
    s = settings("sampling.paths=4", "sampling.periods=2", "train.batch=8", "sampling.box_share=0")
    e = build(settings("model=stochastic_growth"), OneMember(Harvest()))
    sampler = Sampler(e, s.sampling, 0)
    k, z = e.steady.states
    states = np.array([[k, z], [-1.0, z], [np.nan, z], [k, 0.4 * FAR]])
    sampler.paths.assign(states)
    constant = lambda states: tf.fill((4, 1), tf.constant(e.steady.policies[0], tf.float64))
    drawn = sampler(constant).numpy().reshape(2, 4, 2)
    assert sampler.lost.numpy() == 3 and np.isfinite(drawn).all() and drawn[0, 0].tolist() == [k, z]
    assert (abs(drawn[0, 1:, 0] / k - 1) < 0.6).all()


@pytest.mark.slow
def test_before_it_gives_up_a_stage_draws_from_the_box_alone(tmp_path):
    """Paths that are finite where the equations are not: the box has no such states."""

    class Chasm(Harvest):
        def residuals(self, now, nxt, E):
            euler = super().residuals(now, nxt, E)["euler"]
            return {"euler": tf.where(now.k > 1.6 * self.steady_state()["k"], tf.constant(np.nan, euler.dtype), euler)}

        def transition(self, now, shock):
            return {**super().transition(now, shock), "k": 1.7 * self.steady_state()["k"] + 0 * (now.y - now.c)}

    words = ("model=stochastic_growth", "sampling=mixture", "optimizer=levenberg_marquardt", "optimizer.iterations=2",
             "optimizer.polish=0", "train.steps=0", "optimizer.states=100")  # fmt: skip
    found = loop(tmp_path, *words, model=Chasm()).run()
    assert found.ended == "steps" and np.isfinite(found.error) and found.steps["levenberg_marquardt"] == 2
    assert "'euler' is not finite at k=" in found.problem and found.problem.endswith("with states of the box alone")


@pytest.mark.slow
def test_slow_progress_far_below_the_tolerance_is_the_end(tmp_path):
    """The error is at most a tenth of the tolerance, and the newest report gained less than a factor of five."""
    words = ("optimizer=adam", "train.steps=400", "tolerance=0.5")
    (tmp_path / "whole").mkdir()
    short = loop(tmp_path, *words, "train.finish=false").run()
    errors = pd.read_csv(tmp_path / "metrics.csv")["error"].cummin().to_numpy()
    enough = (errors[1:] <= 0.05) & (errors[:-1] < 5 * errors[1:])
    assert short.ended == "enough" and short.steps["adam"] < 400
    assert enough[-1] and not enough[:-1].any()
    assert loop(tmp_path / "whole", *words, "train.finish=true").run().steps["adam"] == 400


def test_a_start_at_rounding_errors_is_the_end_of_all_stages(tmp_path):
    """The linear anchor of the accounts is exact; a large number beside them makes their rounding error a thousand."""

    class Large(Ledgers):
        def residuals(self, now, nxt, E):
            return {"account": (1000.0 + super().residuals(now, nxt, E)["account"]) - 1000.0}

    words = ("network.anchor=linear", "sampling=box", "optimizer=adam_lm", "optimizer.good_start=0.1")
    for model in (Ledgers(), Large()):
        found = loop(tmp_path, *words, "tolerance=1e-4", "train.finish=true", model=model).run()
        assert found.ended == "enough" and sum(found.steps.values()) == 0 and found.error < 1e-12


@pytest.mark.slow
def test_a_stage_that_fits_its_states_alone_goes_back_and_ends(tmp_path, monkeypatch):
    """Validation is good once, then a hundred times worse at every report: weights are those of the good report."""
    scripted = iter([1e-1, 1e-3, *[1e-1] * 20])
    trained = loop(tmp_path, "optimizer=levenberg_marquardt", "optimizer.iterations=40", "optimizer.refresh=2",
                   "optimizer.states=200", "optimizer.polish=0", "train.finish=true")  # fmt: skip
    measure, seen = Validator.__call__, []

    def misleading(self):
        seen.append(weights(trained))
        return replace(measure(self), error=next(scripted), exact=False)

    monkeypatch.setattr(Validator, "__call__", misleading)
    done = trained.run()
    assert done.ended == "misled" and "levenberg_marquardt fitted its states to" in done.problem
    assert len(seen) == 5 and sum(done.steps.values()) == 8  # the start, a good report, three bad ones
    np.testing.assert_array_equal(weights(trained), seen[1])


def test_another_round_begins_where_one_stalls_or_leads_astray():
    """Not where the error is near the tolerance, nor where training was told to end."""
    s = settings("model=growth")
    rules, ledger = Rules(s.train, Interrupt(), tolerance=1e-4), Ledger([])
    ordinary = SimpleNamespace(refines=False)
    ledger.best_error.assign(2e-3)
    assert not rules.call_for(ordinary, ledger, None, stuck=False)
    assert rules.call_for(ordinary, ledger, None, stuck=True)
    assert rules.call_for(ordinary, ledger, "astray", stuck=False)
    ledger.stale.assign(5)
    assert rules.call_for(ordinary, ledger, None, stuck=False)
    assert not rules.call_for(ordinary, ledger, "seconds", stuck=False)
    ledger.best_error.assign(9e-4)
    assert not rules.call_for(ordinary, ledger, None, stuck=False)
    assert not rules.lead_astray(lambda: 2e-2, ledger) and ledger.best_error.numpy() == 9e-4
    assert rules.lead_astray(lambda: 0.1, ledger) and ledger.best_error.numpy() == 0.1
    assert rules.lead_astray(lambda: np.inf, ledger)


def test_the_end_of_long_paths_shows_a_policy_that_leads_away():
    """At rest and around it the equations hold to rounding; paths that double every date end far from there."""
    e = economy("model=growth", "network.anchor=steady_state")
    validator = Validator(e, Sampler(e, settings("model=growth").sampling, 0))
    near = validator.measure_ends()
    e.policy.approximator.network.layers[-1].bias.assign([-30.0])  # all is eaten
    assert near < 0.1 and validator.measure_ends() > 0.5


@pytest.mark.parametrize("tolerance, draws", [(0.0, 1), (1e-12, 1), (None, 4), (1e3, 1)])
def test_an_error_near_the_tolerance_is_measured_at_more_states(tolerance, draws, monkeypatch):
    e = economy("model=growth", "network.anchor=steady_state")
    sampler = Sampler(e, settings("model=growth").sampling, 0)
    error = Validator(e, sampler)().error
    validator, asked = Validator(e, sampler, error if tolerance is None else tolerance), []
    measure = validator._measure
    monkeypatch.setattr(validator, "_measure", lambda states: (asked.append(len(states)), measure(states))[1])
    validator()
    assert asked[-1] == draws * sampler.states


def test_what_hardly_improves_below_the_tolerance_is_the_end_of_the_last_stage():
    rules, ledger = Rules(settings("train.finish=false").train, Interrupt(), tolerance=1e-4), Ledger([])
    report = lambda error: ledger.note(SimpleNamespace(error=error, exact=False))
    for error in (7e-5, 6e-5, 5.5e-5, 5e-5, 6e-5):
        report(error)
        assert rules.check_reports(ledger, last=True) is None
    report(4.5e-5)
    assert rules.check_reports(ledger, last=True) == "enough" and rules.check_reports(ledger) is None
    report(3e-5)
    assert rules.check_reports(ledger, last=True) is None
    finishing = Rules(settings("train.finish=true").train, Interrupt(), tolerance=1e-4)
    for _ in range(6):
        report(3e-5)
    assert rules.check_reports(ledger, last=True) == "enough" and finishing.check_reports(ledger, last=True) is None
    ledger.begin_stage()
    assert rules.check_reports(ledger, last=True) is None
