import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from conftest import economy
from deqn.economy.domain import Box, SobolPoints
from deqn.economy.simulation import advance_states, draw_shocks, simulate_end, simulate_path
from deqn.model.declaration import Discrete, Markov, Normal, Point
from deqn.model.layout import mean_shocks, pack, unpack


class Shocks:
    """As much of a model as draws read."""

    def __init__(self, *shocks):
        self.shocks = shocks


def generator(seed=0):
    return tf.random.Generator.from_seed(seed, alg="philox")


def test_packing_and_unpacking_are_inverse():
    states = economy("model=olg_analytic").model.states
    packed = tf.random.stateless_uniform((12, 7), (1, 2), dtype=tf.float64)  # 3 nodes x 4 states
    named = unpack(packed, states, nodes=3)
    assert named["k"].shape == (5, 3, 4) and named["eta"].shape == (3, 4)
    np.testing.assert_array_equal(pack(named, states, 3, 4, tf.float64), packed)
    np.testing.assert_array_equal(named["k"][2, 1, 3], packed[1 * 4 + 3, 2])


def test_draws_have_the_declared_moments():
    model = Shocks(Normal("e"), Normal("v", size=2), Discrete({"x": [0.0, 1.0, 5.0]}, [0.5, 0.3, 0.2]))
    d = draw_shocks(model, Point({}), generator(), 200_000, tf.float64)
    assert d.e.shape == (1, 200_000) and d.v.shape == (2, 1, 200_000) and d.x.shape == (1, 200_000)
    np.testing.assert_allclose([np.mean(d.e), np.std(d.e)], [0, 1], atol=0.01)
    np.testing.assert_allclose(np.cov(d.v[:, 0]), np.eye(2), atol=0.015)
    np.testing.assert_allclose([np.mean(np.equal(d.x, v)) for v in (0, 1, 5)], [0.5, 0.3, 0.2], atol=0.005)


def test_a_chain_is_drawn_given_todays_state():
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    chain = Markov({"x": [1.0, 2.0]}, lambda now: tf.gather(transition.T, tf.cast(now.r[0], tf.int32), axis=1))
    now = Point({"r": tf.constant([[0.0, 1.0] * 50_000], tf.float64)})
    d = draw_shocks(Shocks(chain), now, generator(), 100_000, tf.float64).x.numpy()[0]
    np.testing.assert_allclose([np.mean(d[::2] == 2), np.mean(d[1::2] == 2)], [0.1, 0.7], atol=0.01)
    means = mean_shocks(Shocks(chain), now, tf.float64).x.numpy()[0]
    np.testing.assert_allclose(means[:2], [1.1, 1.7])


def test_the_path_of_the_closed_form_is_that_of_the_recursion():
    """k' = alpha beta e^z k^alpha and z' = rho z + sigma eps, with the very draws of the path."""
    model = economy("model=stochastic_growth", "model.delta=1").model
    exact = lambda s: tf.fill((s.shape[0], 1), tf.constant(0.36 * 0.99, tf.float64))
    start = SobolPoints(Box(model), 4, 0, tf.float64).points()
    walked = simulate_path(model, exact, start, 6, generator(5)).numpy()
    shocks, k, z = generator(5), *start.numpy().T
    for date in walked:
        k, z = 0.36 * 0.99 * np.exp(z) * k**0.36, 0.9 * z + 0.04 * shocks.normal((1, 4), dtype=tf.float64).numpy()[0]
        np.testing.assert_allclose(date, np.stack([k, z], 1), rtol=1e-12)


def test_last_is_the_end_of_the_path():
    e = economy("model=olg_analytic")
    start = SobolPoints(e.domain, 8, 0, tf.float64).points()
    walked = simulate_path(e.model, e.policy, start, 5, generator(1))
    np.testing.assert_array_equal(simulate_end(e.model, e.policy, start, tf.constant(5), generator(1)), walked[-1])


def test_equal_seeds_give_equal_paths_whatever_was_drawn_before():
    e = economy("model=olg_analytic")
    start = SobolPoints(e.domain, 8, 0, tf.float64).points()
    first = simulate_path(e.model, e.policy, start, 5, generator(1))
    simulate_path(e.model, e.policy, start, 7, generator(2))
    np.testing.assert_array_equal(simulate_path(e.model, e.policy, start, 5, generator(1)), first)
    both = generator(1)
    np.testing.assert_array_equal(simulate_path(e.model, e.policy, start, 5, both), first)
    assert (simulate_path(e.model, e.policy, start, 5, both) != first).numpy().any()  # it went on


def test_paths_are_traced_once_for_each_number_of_them(monkeypatch):
    e, traces = economy("model=olg_analytic"), []
    monkeypatch.setattr(
        "deqn.economy.simulation.advance_states", lambda *a, **k: (traces.append(1), advance_states(*a, **k))[1]
    )
    for paths in (4, 6):
        traces.clear()
        start = SobolPoints(e.domain, paths, 0, tf.float64).points()
        for seed in range(5):
            simulate_path(e.model, e.policy, start, 3 + seed, generator(seed))
            simulate_end(e.model, e.policy, start, tf.constant(3 + seed), generator(seed))
        assert len(traces) <= 4  # of each of both loops a trace, or the second look of autograph


def test_compiled_paths_go_with_their_policy():
    e = economy("model=olg_analytic")
    simulate_path(e.model, e.policy, SobolPoints(e.domain, 4, 0, tf.float64).points(), 3, generator())
    gone = weakref.ref(e.policy)
    del e
    gc.collect()
    assert gone() is None


def test_the_steady_state_stays():
    for name in ("growth", "stochastic_growth", "olg_analytic"):
        e = economy(f"model={name}")
        steady = e.model.steady_state()
        row = pack({s.name: np.reshape(steady[s.name], (-1, 1, 1) if s.size else (1, 1)) for s in e.model.states},
                   e.model.states, 1, 1, tf.float64)  # fmt: skip
        np.testing.assert_allclose(advance_states(e.model, e.policy, row, None), row, rtol=1e-12)


@pytest.mark.parametrize("shifted", [False, True])
def test_the_box_is_filled_evenly(shifted):
    model = economy("model=stochastic_growth").model
    points = SobolPoints(Box(model), 1024, 0, tf.float64).points(generator() if shifted else None).numpy()
    for column, state in enumerate(model.states):
        low, high = (float(x[0]) for x in state.box)
        assert points[:, column].min() >= low and points[:, column].max() <= high
        counts = np.histogram(points[:, column], 16, (low, high))[0]
        assert np.abs(counts - 64).max() <= 2  # random points would miss by 8 and more
