from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from conftest import economy, settings
from deqn.economy.domain import SobolPoints
from deqn.model.declaration import Multiplier, Policy, State
from deqn.model.layout import pack_row
from deqn.policies.approximators import choose_widths, multilayer_perceptron
from deqn.settings import schema as allowed
from deqn.system.errors import InputError


def network(*overrides, seed=0, dtype="float64", outputs=2):
    overrides = ("optimizer=adam", "network.hidden=[16,16]", *overrides)
    return multilayer_perceptron(3, outputs, settings(*overrides).network, dtype, seed)


def test_the_untrained_network_is_the_steady_state_everywhere():
    for model in (
        "growth",
        "growth model.head=share",
        "stochastic_growth",
        "olg_analytic",
        "olg_analytic model.head=level",
    ):
        e = economy(*f"model={model} network.anchor=steady_state".split())
        states = SobolPoints(e.domain, 64, 0, tf.float64).points()
        steady = pack_row(e.model.steady_state(), e.model.policies)
        np.testing.assert_allclose(e.policy(states), np.tile(steady, (64, 1)), rtol=1e-12)


@pytest.mark.parametrize("states, kinks, hidden", [(1, 0, 16), (2, 0, 16), (3, 0, 20), (4, 0, 24), (30, 0, 32),
                                                   (2, 1, 24), (30, 1, 32)])  # fmt: skip
def test_hidden_layers_grow_with_states_and_kinks_unless_they_are_set(states, kinks, hidden):
    policies = (Policy("p", 0), *[Multiplier("m", of="p")] * kinks)
    model = SimpleNamespace(states=[State("x", 0, 1, size=states)], policies=policies)
    assert choose_widths(model, settings("model=growth").network) == [hidden] * 2
    assert choose_widths(model, settings("model=growth", "network.hidden=[5]").network) == [5]
    assert choose_widths(model, settings("model=growth", "network=chebyshev").network) is None


@pytest.mark.parametrize("activation", allowed.ACTIVATIONS)
def test_every_activation_builds(activation):
    assert network(f"network.activation={activation}")(np.ones((4, 3))).shape == (4, 2)


@pytest.mark.parametrize("initializer", allowed.INITIALIZERS)
def test_every_initializer_is_seeded_and_differs_by_layer(initializer):
    one, same, other = (
        network(f"network.initializer={initializer}", "network.hidden=[3,3]", seed=s) for s in (1, 1, 2)
    )
    kernels = [[w.numpy() for w in n.trainable_variables[::2]] for n in (one, same, other)]
    np.testing.assert_array_equal(kernels[0][0], kernels[1][0])
    assert np.abs(kernels[0][0] - kernels[2][0]).max() > 1e-3
    assert np.abs(kernels[0][0] - kernels[0][1]).max() > 1e-3


def test_penalties_enter_the_loss():
    n = network("network.l1=0.1", "network.l2=0.2")
    kernels = [w.numpy() for w in n.trainable_variables if w.ndim == 2]
    penalty = sum(0.1 * np.abs(k).sum() + 0.2 * (k**2).sum() for k in kernels)
    np.testing.assert_allclose(sum(float(x) for x in n.losses), penalty, rtol=1e-6)


def test_too_many_polynomials_are_refused():
    with pytest.raises(InputError, match="network.degree=10: complete polynomials in 21 states have 44,352,165 terms"):
        economy("model=olg_analytic", "model.cohorts=20", "network=chebyshev")


def test_dropout_acts_in_training_only():
    n = network("network.dropout=0.5")
    n.layers[-1].kernel.assign(np.ones(n.layers[-1].kernel.shape))
    x = np.ones((8, 3))
    np.testing.assert_array_equal(n(x), n(x))
    assert np.abs(n(x, training=True) - n(x, training=True)).max() > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_is_that_of_every_layer(dtype):
    n = network(dtype=dtype)
    assert {w.dtype for w in n.weights} == {dtype} and n(np.ones((2, 3))).dtype == dtype


def test_states_are_scaled_by_the_box():
    e = economy("model=stochastic_growth")
    seen = []
    e.policy.approximator.network = lambda x, training: seen.append(x) or tf.zeros((x.shape[0], 1), tf.float64)
    low, high = np.array([s.box for s in e.model.states])[:, :, 0].T
    e.policy(tf.constant(np.stack([low, high])))
    np.testing.assert_allclose(seen[0], [[-1, -1], [1, 1]], atol=1e-12)
