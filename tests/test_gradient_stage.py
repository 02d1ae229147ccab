import numpy as np
import pytest
import tensorflow as tf

from conftest import economy, settings
from deqn.optimizers.keras_optimizer import build_optimizer
from deqn.training.gradient_stage import GradientStage
from deqn.training.objective import Objective
from deqn.training.sampler import Sampler

CHOICES = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "momentum", "nadam", "nesterov",
    "rmsprop", "sgd",
)  # fmt: skip

STEADY = ("network.anchor=steady_state",)


def stage(*overrides):
    s = settings(*overrides)
    e = economy(*overrides)
    sampler = Sampler(e, s.sampling, 0)
    optimizer = build_optimizer(s.optimizer, s.schedule, s.train.steps)
    return GradientStage(Objective(e, s.loss), optimizer, s.schedule, sampler, s.train)


@pytest.mark.parametrize("choice", [c if c == "adam" else pytest.param(c, marks=pytest.mark.slow) for c in CHOICES])
def test_every_optimizer_lowers_the_loss(choice):
    g = stage("model=growth", "model.head=share", "model.delta=0.3", *STEADY, f"optimizer={choice}",
              "schedule=constant",
              *["optimizer.learning_rate=1e-3"] * (choice in ("rmsprop", "adam", "adamw", "nadam")))  # fmt: skip
    states = g.sampler(g.economy.policy)
    size = lambda: float(tf.reduce_mean(g.economy.residuals(states)["euler"] ** 2))
    before = size()
    assert g.chunk(20) and g.step == 20 * g.steps_per_cycle
    assert size() < 0.995 * before


def test_the_rate_falls_on_a_plateau_to_its_floor():
    g = stage("optimizer=adam", "optimizer.learning_rate=0.01", "schedule=reduce_on_plateau", "schedule.rate=0.1",
              "schedule.final=0.05", "schedule.patience=3")  # fmt: skip
    assert not g.on_plateau(2) and g.learning_rate == pytest.approx(0.01)
    assert g.on_plateau(3) and g.learning_rate == pytest.approx(1e-3)
    assert g.on_plateau(3) and g.learning_rate == pytest.approx(5e-4)


def test_every_state_is_used_once_in_an_epoch():
    g = stage(
        "model=growth",
        "optimizer=adam",
        "train.epochs=3",
        "train.batch=100",
        "sampling.paths=10",
        "sampling.periods=35",
    )
    order = g.shuffle().numpy()
    assert order.shape == (3 * 3, 100)
    for epoch in order.reshape(3, 300):
        assert len(set(epoch)) == 300
    assert (order[0] != order[3]).any()


@pytest.mark.slow
def test_a_step_that_is_not_finite_is_not_taken():
    g = stage("model=growth", "optimizer=adam")
    weights = [w.numpy() for w in g.weights]
    g.sampler._box._unit *= np.nan
    assert not g.chunk(5)
    assert g.step == 0 and np.isnan(g.drawn).all()
    for before, now in zip(weights, g.weights, strict=True):
        np.testing.assert_array_equal(before, now)


def test_the_sampler_mixes_path_and_box():
    s = settings("model=stochastic_growth", "sampling.box_share=0.25", "sampling.paths=64", "sampling.periods=8")
    e = economy("model=stochastic_growth")
    sampler = Sampler(e, s.sampling, 0)
    start = sampler.paths.numpy()
    states = sampler(e.policy).numpy()
    assert states.shape == (512, 2) and sampler.states == 512
    np.testing.assert_array_equal(start, states[:64])  # six periods of 64 paths, then 128 box points
    assert (sampler.paths.numpy() != states[320:384]).all() and sampler.lost.numpy() == 0
    np.testing.assert_allclose(
        states[384:].mean(0), [(low + high)[0] / 2 for low, high in (s.box for s in e.model.states)], atol=0.05
    )
