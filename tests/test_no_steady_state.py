"""An economy that rests nowhere: eating a cake, whose exact policy is a constant share (Hotelling's rule)."""

import json

import numpy as np
import pytest

import deqn
from deqn.system.errors import InputError

CAKE = """
from dataclasses import dataclass
import tensorflow as tf
from deqn import Model, Policy, State

@dataclass(frozen=True)
class Cake(Model):
    beta: float = 0.9
    gamma: float = 2.0
    search_seconds = 1.0

    states = (State("k", 0.1, 1.0, log=True),)
    policies = (Policy("s", 0.0, 1.0),)
    shocks = ()

    def definitions(self, now):
        return {"c": now.s * now.k}

    def transition(self, now, shock):
        return {"k": (1 - now.s) * now.k}

    def residuals(self, now, nxt, E):
        return {"euler": (self.beta * E((nxt.c / now.c) ** -self.gamma)) ** (-1 / self.gamma) - 1}

    def closed_form(self, now):
        return {"s": (1 - self.beta ** (1 / self.gamma)) * tf.ones_like(now.k)}
"""
QUICK = ("optimizer.states=200", "network.hidden=[6]", "optimizer.polish=200", "evaluation.paths=10",
         "evaluation.periods=20", "evaluation.burn_in=0", "evaluation.box=64")  # fmt: skip


@pytest.fixture
def cake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cake_eating.py").write_text(CAKE)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "cake.yaml").write_text("_target_: cake_eating.Cake\n")
    return tmp_path


@pytest.mark.slow
def test_an_economy_without_a_steady_state_is_solved_and_its_stability_is_not_judged(cake, capsys):
    found = deqn.solve("cake", ["network.anchor=none", *QUICK], config_dir="conf", folder=cake / "run")
    shown = " ".join(capsys.readouterr().out.split())
    assert "There is no steady state at which stability could be judged." in shown
    assert found.summary["status"] == "converged" and "stability" not in found.summary
    share = 1 - 0.9**0.5
    np.testing.assert_allclose(found.policy({"k": [0.1, 0.5, 1.0]})["s"], share, atol=1e-6)
    assert found.summary["policy_errors"]["closed_form"]["s"]["max"] < 1e-6
    again = deqn.load(cake / "run")
    assert again.economy.steady is None and again.policy({"k": [0.5]})["s"][0] == pytest.approx(share, abs=1e-6)
    path = again.irf("k", size=0.1, periods=3)  # from the middle of the box
    assert path["k"].iloc[1] == pytest.approx(0.055, rel=1e-6)


@pytest.mark.slow
def test_the_same_economy_is_refused_where_a_steady_state_is_wanted(cake):
    with pytest.raises(InputError, match="no steady state"):
        deqn.solve("cake", ["network.anchor=linear"], config_dir="conf", folder=cake / "run", quiet=True)


@pytest.mark.slow
def test_without_a_word_it_is_solved_by_time_iteration(cake):
    found = deqn.solve("cake", QUICK, config_dir="conf", folder=cake / "run", quiet=True)
    assert found.summary["start"]["taken"] == "none" and found.summary["status"] == "converged"
    assert found.summary["start"]["rungs"][0]["stage"] == "time_iteration"
    np.testing.assert_allclose(found.policy({"k": [0.1, 0.5, 1.0]})["s"], 1 - 0.9**0.5, atol=1e-5)
    content = json.loads((cake / "run" / "summary.json").read_text())
    content["stability"] = {"rest_points": []}  # as where paths settle, though no steady state was found
    (cake / "run" / "summary.json").write_text(json.dumps(content))
    again = deqn.load(cake / "run")
    assert again.economy.steady is None and again.policy({"k": [0.5]}).equals(found.policy({"k": [0.5]}))
