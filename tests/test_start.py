"""Where training starts: the first-order solution where it is good, else what works, and what the user gives."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from small_economies import Household

import deqn
from conftest import settings
from deqn.checks.contract import check_model
from deqn.economy.members import OneMember
from deqn.equations.quadrature import choose_rule
from deqn.model.declaration import Model, Normal, Policy, State
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.runs.given_policies import read_guess
from deqn.runs.start import FILE, choose_start
from deqn.system.errors import FileError, InputError

SMALL = ("network.hidden=[6]", "sampling.paths=32", "sampling.periods=8", "sampling.burn_in=5")
QUICK = ("network.hidden=[8]", "tolerance=0.01", "optimizer.states=200", "optimizer.iterations=20",
         "optimizer.polish=300", "evaluation.figures=false", "evaluation.reference=false",
         "evaluation.paths=20", "evaluation.box=256",
)  # fmt: skip


def start_of(model, *overrides, steady="look"):
    members = OneMember(model)
    if steady == "look":
        steady = check_model(members, lambda model: choose_rule(settings().expectation, model), "auto")[0]
    return choose_start(members, settings(*SMALL, *overrides), steady)


def test_a_good_first_order_solution_is_taken_and_nothing_else_is_looked_at():
    start = start_of(StochasticGrowth())
    assert start.name == start.anchor == "linear" and list(start.errors) == ["linear"]
    assert start.error < 0.1


def test_a_named_anchor_is_taken_whatever_its_error_is():
    assert list(start_of(StochasticGrowth(), "network.anchor=steady_state").errors) == ["steady_state"]


@dataclass(frozen=True)
class Explosive(Model):
    """x' = 1.1 x + p, p = -x^3 / 4: to first order p = 0 and x explodes; in the box it settles at +-.63."""

    growth: float = 1.1
    states = (State("x", -1.0, 1.0),)
    policies = (Policy("p", -2.0, 2.0),)
    shocks = (Normal("e"),)

    def transition(self, now, shock):
        return {"x": self.growth * now.x + now.p + 0.01 * shock.e}

    def residuals(self, now, nxt, E):
        return {"rule": now.p + 0.25 * now.x**3 + 0 * E(nxt.p)}

    def steady_state(self):
        return {"x": 0.0, "p": 0.0}


def test_an_economy_without_a_stable_first_order_solution_starts_elsewhere(caplog):
    start = start_of(Explosive())
    assert start.name == "steady_state" and set(start.errors) == {"steady_state", "none"}
    assert "no anchor from the first order" in caplog.text and "no stable solution" in caplog.text


def test_an_indeterminate_economy_is_refused_in_any_case():
    @dataclass(frozen=True)
    class Indeterminate(Explosive):
        def residuals(self, now, nxt, E):
            return {"price": 2 * E(nxt.p) - now.p}

        def transition(self, now, shock):
            return {"x": 0.5 * now.x + 0.01 * shock.e}

    with pytest.raises(InputError, match="2 stable roots for 1 states, so it is indeterminate"):
        start_of(Indeterminate())


def test_a_local_rule_whose_paths_leave_a_limit_at_rest_is_taken_last(caplog):
    """The household saves nothing at rest. To first order its wealth explodes where it saves, with a small error."""
    caplog.set_level("INFO", "deqn")
    start = start_of(Household())
    assert start.errors["linear"] < 0.1 < start.error and list(start.errors)[-1] == "linear" and start.name == "none"
    assert start.misled == ("linear",)


def test_a_guess_is_looked_at_beside_a_good_first_order_solution():
    start = start_of(Guessed(delta=1.0, alpha=0.3))
    assert set(start.errors) == {"linear", "guess"} and start.name == "linear"


class Guessed(StochasticGrowth):
    """Without a steady state in the box, and with a guess that is nearly the solution."""

    guessed = 0.3

    def guess(self, now):
        return {"s": self.guessed + 0.01 * tf.math.log(now.k)}


def test_a_guess_is_fitted_by_the_network():
    start = start_of(Guessed(delta=1.0), steady=None)
    assert start.name == "guess" and start.anchor == "none" and set(start.errors) == {"guess", "none"}
    k = np.array([0.15, 0.2, 0.25])
    states = tf.constant(np.stack([k, np.zeros(3)], 1))
    np.testing.assert_allclose(start.economy.policy(states)[:, 0], 0.3 + 0.01 * np.log(k), atol=1e-4)


def test_a_guess_outside_the_bounds_is_refused_by_name():
    class Wrong(Guessed):
        guessed = 1.3

    with pytest.raises(InputError, match=r"guess returned s=1\.2\d+ in the middle of the box, outside \[0, 1\]"):
        read_guess(Wrong(delta=1.0))


def test_a_guess_that_lacks_a_policy_is_refused_by_name():
    class Wrong(Guessed):
        def guess(self, now):
            return {"saving": 0.3}

    with pytest.raises(InputError, match="guess does not return 's'; it returns saving"):
        read_guess(Wrong())


def test_a_steady_state_that_is_not_found_is_no_refusal_where_the_start_is_free():
    class Restless(Explosive):
        search_seconds = 0.5

        def steady_state(self):
            return None

        def residuals(self, now, nxt, E):
            return {"rule": now.p + now.x**2 + 1 + 0 * E(nxt.p)}

    members, rule = OneMember(Restless()), lambda model: choose_rule(settings().expectation, model)
    assert check_model(members, rule, "auto")[0] is None
    with pytest.raises(InputError, match="no steady state was found"):
        check_model(members, rule, "linear")


@pytest.fixture(scope="module")
def solved_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start") / "run"
    return deqn.solve("stochastic_growth", ["model.gamma=2", *QUICK], folder=folder, quiet=True)


@pytest.mark.slow
def test_another_run_is_a_start_and_is_needed_no_more(solved_run, tmp_path):
    words = ["model.gamma=3", "optimizer=levenberg_marquardt", "optimizer.polish=0", *QUICK[:3], *QUICK[4:]]
    found = deqn.solve("stochastic_growth", [f"start={solved_run.folder}", *words], folder=tmp_path / "a", quiet=True)
    assert found.summary["start"]["taken"] == "run" and found.summary["start"]["errors"]["run"] < 0.05
    assert found.summary["status"] == "converged"
    again = deqn.load(tmp_path / "a")
    states = {"k": [4.0, 6.0], "z": 0.0}
    np.testing.assert_array_equal(again.policy(states)["s"], found.policy(states)["s"])


@pytest.mark.slow
def test_a_run_of_another_economy_is_no_start(solved_run, tmp_path):
    with pytest.raises(InputError, match="its policies are s; those of this model are k_next"):
        deqn.solve("growth", [f"start={solved_run.folder}"], folder=tmp_path / "b", quiet=True)
    with pytest.raises(FileError, match="start=.*nowhere"):
        deqn.solve("growth", [f"start={tmp_path / 'nowhere'}"], folder=tmp_path / "c", quiet=True)


@dataclass(frozen=True)
class TwoTowns(Model):
    """x' = tanh(2 p), p = x: rests at 0, where it is unstable, and at +-.9575, where it is stable."""

    states = (State("x", -2.0, 2.0),)
    policies = (Policy("p"),)
    shocks = (Normal("e"),)

    def transition(self, now, shock):
        return {"x": tf.tanh(2 * now.p) + 0.01 * shock.e}

    def residuals(self, now, nxt, E):
        return {"rule": now.p - now.x + 0 * E(nxt.p)}


@pytest.mark.slow
def test_several_stable_rest_points_are_named_and_pass(tmp_path, monkeypatch):
    monkeypatch.setattr("deqn.configuration.job.build_model", lambda *_: TwoTowns())
    found = deqn.solve("growth", [*QUICK], folder=tmp_path / "run", quiet=True)
    points = found.summary["stability"]["rest_points"]
    assert sorted(p["states"]["x"] for p in points) == pytest.approx([-0.95750, 0.95750], abs=1e-4)
    slope = 2 * (1 - 0.95750**2)
    assert [p["spectral_radius"] for p in points] == pytest.approx([slope] * 2, abs=1e-3)
    assert sum(p["share"] for p in points) == 1 and found.summary["status"] == "converged"
    assert "settle at x=" in (found.folder / "report.html").read_text()


@pytest.mark.slow
def test_a_resumed_run_takes_the_start_that_it_had(tmp_path, monkeypatch):
    monkeypatch.setattr("deqn.configuration.job.build_model", lambda *_: Explosive())
    words = [*QUICK, "optimizer.sweeps=10"]
    found = deqn.solve("growth", words, folder=tmp_path / "run", quiet=True)
    assert found.summary["start"]["taken"] == "steady_state" and found.summary["status"] == "converged"
    assert [rung["stage"] for rung in found.summary["start"]["rungs"]][0] == "levenberg_marquardt"  # it is good
    assert (tmp_path / "run" / FILE).exists()
    again = deqn.solve("growth", [*words, f"resume={tmp_path / 'run'}", "optimizer.polish=400"], quiet=True)
    assert again.summary["start"]["taken"] == "steady_state"
    (tmp_path / "run" / FILE).write_text("{")
    with pytest.raises(FileError, match="start.json is missing or damaged"):
        deqn.solve("growth", [*words, f"resume={tmp_path / 'run'}", "optimizer.polish=500"], quiet=True)
