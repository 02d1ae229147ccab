"""States at which the equations have no solution are left out of least squares, and those that have one are not."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, settings
from deqn.economy.economy import count_trimmed, rank_states
from deqn.economy.members import OneMember
from deqn.model.declaration import Discrete, Model, Policy, State
from deqn.runs.training import build_rounds
from deqn.training.sampler import Sampler
from deqn.training.validation import Validator


@dataclass(frozen=True)
class Insolvent(Model):
    """Above a debt of one no policy x meets the equation; the box reaches `beyond`."""

    beyond: float = 0.05

    shocks = (Discrete({"news": [-0.1, 0.1]}, [0.5, 0.5]),)
    policies = (Policy("x"),)

    @property
    def states(self):
        return (State("debt", 0.0, 1.0 + self.beyond),)

    def transition(self, now, shock):
        return {"debt": tf.clip_by_value(0.5 * now.x + 0.3 + shock.news, 0.0, 1.0)}

    def residuals(self, now, nxt, E):
        gap = now.x - now.debt + 0.1 * (E(nxt.x) - 0.5)
        return {"budget": tf.where(now.debt <= 1, gap, 0.5 + gap**2)}


def train(beyond):
    """The economy after time iteration, and the least squares stage that follows it."""
    chosen = settings("model=growth", "network.anchor=none", "network.hidden=[12]", "optimizer.states=400",
                      "sampling=box")  # fmt: skip
    e = build(chosen, OneMember(Insolvent(beyond)))
    sweeps, *_, squares, _ = build_rounds(e, chosen)[0].stages
    assert sweeps.name == "time_iteration" and squares.name == "levenberg_marquardt"
    while not sweeps.done:
        assert sweeps.chunk(5)
    return e, squares, chosen


@pytest.fixture(scope="module")
def trained():
    return train(0.05)


def test_the_share_without_a_solution_is_found(trained):
    e, _, _ = trained
    assert e.unsolvable.numpy() == pytest.approx(0.05 / 1.05, abs=0.02)


def test_least_squares_does_not_see_them(trained):
    e, squares, _ = trained
    assert squares.chunk(15)
    debt = squares.drawn.numpy()[:, 0]
    assert debt.max() <= 1 and len(debt) == 400
    inside = tf.constant(np.linspace(0.01, 0.95, 50)[:, None])
    assert np.abs(e.residuals(inside)["budget"]).mean() < 3e-4


def test_validation_does_not_count_them(trained):
    e, _, chosen = trained
    errors = Validator(e, Sampler(e, chosen.sampling, 1))()
    assert errors.error < 1e-3
    e.unsolvable.assign(0.0)
    assert Validator(e, Sampler(e, chosen.sampling, 1))().error > 0.01


@pytest.mark.slow
def test_where_every_state_has_a_solution_none_is_left_out():
    e, squares, _ = train(0.0)
    assert e.unsolvable.numpy() == 0
    squares.draw()
    assert len(np.unique(squares.drawn.numpy())) == 400


def test_states_are_ranked_by_their_largest_residual_and_those_without_numbers_are_last():
    errors = {"a": np.array([[0.1, 3.0, np.nan, 0.0]]), "b": np.array([[-2.0, 0.0, 0.0, 0.5], [0, 0, 0, 0]])}
    assert rank_states(errors).tolist() == [3, 0, 1, 2]


@pytest.mark.parametrize("share, count", [(0.0, 0), (0.001, 3), (0.01, 10), (0.9, 200)])
def test_more_than_the_share_is_left_out_and_never_more_than_half(share, count):
    assert count_trimmed(share, 400) == count
