"""States that repeat the outcome of a chain are known as such, however shock and state are called."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from deqn.economy.domain import Box, SobolPoints, concerns_rest_alone, find_strays
from deqn.model.declaration import Markov, Model, Normal, Point, Policy, State
from deqn.model.layout import probabilities
from deqn.perturbation.first_order import Indeterminate, NoLocalSolution
from deqn.system.errors import InputError

ROWS = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.5, 0.5]])


def stay(now):
    return tf.gather(ROWS.T, tf.cast(now.z, tf.int32)[0], axis=1)


@dataclass(frozen=True)
class Regimes(Model):
    """States whose value tomorrow is a regime's, and states for which something else counts, too."""

    moves: ClassVar = {"z": lambda now, s: s.z}
    states = (State("k", 0.5, 2.0), State("z", 0.0, 2.0))
    policies = (Policy("c"),)
    shocks = (Normal("e"), Markov({"z": [0.0, 1.0, 2.0], "wage": [1.0, 1.0, 3.0]}, stay))

    def transition(self, now, shock):
        return {"k": now.k + 0.1 * shock.e} | {n: move(now, shock) for n, move in self.moves.items()}

    def residuals(self, now, nxt, E):
        return {"c": now.c - E(nxt.c)}


@pytest.mark.parametrize("move, outcomes", [
    (lambda now, s: s.z, [0, 1, 2]),
    (lambda now, s: s.wage, [1, 3]),  # two of the outcomes are one
    (lambda now, s: tf.exp(s.z - 1), np.exp([-1, 0, 1])),
    (lambda now, s: s.z + 0.0 * s.e, [0, 1, 2]),
    (lambda now, s: s.z + 0.01 * s.e, None),
    (lambda now, s: 0.5 * now.z + s.z, None),
    (lambda now, s: 0 * s.z, None),
])  # fmt: skip
def test_a_regime_is_what_the_outcome_alone_decides(move, outcomes):
    model = type("Chosen", (Regimes,), {"moves": {"z": move}})()
    chains = Box(model).chains
    if outcomes is None:
        assert not chains
        return
    assert [chain.columns for chain in chains] == [(1,)]
    np.testing.assert_array_equal(chains[0].outcomes[:, 0], outcomes)
    assert set(SobolPoints(Box(model), 64, 0, tf.float64).points().numpy()[:, 1]) == set(outcomes)


@pytest.mark.parametrize("turn", [lambda x: x, lambda x: x[:, None], lambda x: x[:, :1]])
def test_probabilities_may_have_an_axis_for_todays_node(turn):
    now = Point({"z": tf.constant([[0.0, 1.0, 2.0, 1.0]], tf.float64)})
    chain = Markov({"z": [0.0, 1.0, 2.0]}, lambda now: turn(stay(now)))
    found = probabilities(chain, now, tf.float64).numpy()
    np.testing.assert_array_equal(found, ROWS[[0, 1, 2, 1]].T[:, : found.shape[1]])


@pytest.mark.parametrize("given", [tf.ones(3), tf.ones((4, 3)), tf.ones((3, 2, 4)), tf.ones(())])
def test_probabilities_of_another_shape_are_named(given):
    with pytest.raises(InputError, match=r"probabilities of shock 'z' have shape .*; expected \[3, batch\]"):
        probabilities(Markov({"z": [0.0, 1.0, 2.0]}, lambda now: given), Point({}), tf.float64)


def test_what_the_mean_of_a_chain_says_is_no_refusal():
    """The steady state lies between the outcomes, where the economy never is."""
    chain, normal = Box(Regimes()), Box(type("Without", (Regimes,), {"shocks": (Normal("e"), Normal("z"))})())
    assert concerns_rest_alone(Indeterminate(), chain) and not concerns_rest_alone(Indeterminate(), normal)
    assert concerns_rest_alone(NoLocalSolution(), normal) and not concerns_rest_alone(InputError(), chain)


def test_a_state_between_outcomes_is_named_with_the_outcomes():
    states = np.array([[1.0, 0.0], [1.0, 2.0], [1.0, 0.5], [1.0, 1.2]])
    assert find_strays(Box(Regimes()), states) == [
        "z=0.5 is no outcome of its chain, where alone the policies are trained: 0; 1; 2"
    ]
    assert not find_strays(Box(Regimes()), states[:2]) and not find_strays(Box(Regimes()), states[:0])
