"""Responses of an economy with a regime: means over paths, with the shock and without it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf
from test_meeting import LEVELS, Exact, Saving

from conftest import build, settings
from deqn.economy.members import OneMember
from deqn.evaluation.responses import at_zero, impulse_response, percent_deviations
from deqn.model.declaration import Markov, State
from deqn.runs.verdict import list_impulses

PERSISTENCE = 0.4  # of the regime: 0.7 - 0.3


class Recording(Exact):
    """The policy function that solves the model, and the states at which it was asked."""

    def __init__(self, model):
        super().__init__(model)
        self.asked = []

    def __call__(self, states, training=False):
        if tf.executing_eagerly():
            self.asked.append(states.numpy())
        return super().__call__(states)


@pytest.fixture(scope="module")
def saving():
    economy = build(settings("model=growth", "network.anchor=steady_state"), OneMember(Saving(rho=0.5)))
    return replace(economy, policy=Recording(economy.model))


def test_an_outcome_wears_off_at_the_rate_of_the_chain(saving):
    hit, calm = impulse_response(saving, "y", 1.0, 6, outcome=0)
    y, b = LEVELS[0] * PERSISTENCE ** np.arange(6), np.zeros(7)
    for t in range(6):  # b' = rho b + (1 - rho) y, income that of the date before
        b[t + 1] = 0.5 * b[t] + 0.5 * (0.0 if t == 0 else y[t - 1])
    np.testing.assert_allclose((hit - calm)["y"], [0, *y], atol=0.02)
    np.testing.assert_allclose((hit - calm)["b"], b, atol=0.02)


def test_the_policy_is_asked_at_outcomes_alone(saving):
    saving.policy.asked.clear()
    impulse_response(saving, "y", 1.0, 3, outcome=1)
    visited = np.concatenate(saving.policy.asked)
    assert len(visited) > 4 * 1024 and np.isin(visited[:, 1], LEVELS).all()


def test_a_state_is_displaced_on_every_path(saving):
    hit, calm = impulse_response(saving, "b", 0.1, 4)
    response = (hit - calm)["b"].to_numpy()
    assert response[0] == 0 and abs(response[1]) == pytest.approx(0.1 * abs(calm["b"][1]), rel=1e-9)
    np.testing.assert_allclose(response[2:] / response[1:-1], 0.5, rtol=1e-6)


def test_a_regime_is_moved_to_an_outcome_and_not_by_a_size(saving):
    with pytest.raises(KeyError, match="'y' is a regime, which takes its outcomes .*shock=y with outcome=0 to 1"):
        impulse_response(saving, "y", 1.0, 3)


def test_a_run_draws_the_first_and_the_last_outcome(saving):
    assert list(list_impulses(saving)) == ["y, outcome 0", "y, outcome 1"]


def test_no_percent_is_taken_of_what_is_zero_at_one_date(saving):
    hit, calm = impulse_response(saving, "y", 1.0, 3, outcome=0)
    calm["b"] = [0.0, 0.1, 0.2, 0.3]
    assert at_zero(calm)["b"] and np.isfinite(percent_deviations(hit, calm)).all().all()


@dataclass(frozen=True)
class TwoChains(Saving):
    """A second regime that is a state, w, and a chain, v, that no state remembers."""

    states = (*Saving.states, State("w", 0.0, 2.0))

    @property
    def shocks(self):
        even = lambda now: np.full((3, 1), 1 / 3)
        return (*super().shocks, Markov({"w1": [0.0, 1.0, 2.0]}, even), Markov({"v": [0.0, 1.0, 2.0]}, even))

    def steady_state(self):
        return super().steady_state() | {"w": 1.0}

    def transition(self, now, shock):
        moved = super().transition(now, shock)
        return moved | {"b": moved["b"] + 0.01 * shock.v, "w": shock.w1}


def test_each_regime_is_told_from_the_others():
    economy = build(settings("model=growth", "network.anchor=steady_state"), OneMember(TwoChains()))
    with pytest.raises(KeyError, match="'w' is a regime, .*shock=w1 with outcome=0 to 2"):
        impulse_response(economy, "w", 1.0, 3)
    with pytest.raises(KeyError, match="'y' is a regime, .*shock=y with outcome=0 to 1"):
        impulse_response(economy, "y", 1.0, 3)
    hit, calm = impulse_response(economy, "v", 1.0, 3)
    assert (hit - calm)["b"][1] == pytest.approx(0.01 * np.sqrt(2 / 3))
    labels = ["y, outcome 0", "y, outcome 1", "w1, outcome 0", "w1, outcome 2", "v, +1 s.d."]
    assert list(list_impulses(economy)) == labels
