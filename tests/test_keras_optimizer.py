import numpy as np
import pytest

from conftest import settings
from deqn.optimizers.keras_optimizer import build_learning_rate, build_optimizer
from deqn.system.errors import InputError


def test_any_keras_optimizer_by_name():
    s = settings("optimizer=lion", "optimizer.options.beta_1=0.8")
    optimizer = build_optimizer(s.optimizer, s.schedule, 10)
    assert type(optimizer).__name__ == "Lion" and optimizer.beta_1 == 0.8


def test_an_option_that_the_optimizer_lacks_is_refused():
    s = settings("optimizer=adam", "+optimizer.options.nesterov=true")
    with pytest.raises(InputError, match="nesterov"):
        build_optimizer(s.optimizer, s.schedule, 10)


def test_clipping_reaches_the_optimizer():
    for key, name in (("clip_norm", "global_clipnorm"), ("clip_value", "clipvalue")):
        s = settings("optimizer=adam", f"optimizer.{key}=0.5")
        assert getattr(build_optimizer(s.optimizer, s.schedule, 10), name) == 0.5


@pytest.mark.parametrize(
    "name, step, expected",
    [
        ("constant", 500, 1.0),
        ("cosine", 500, 0.5 * (1 + np.cos(np.pi * 0.5))),
        ("cosine", 1000, 0.0),
        ("exponential", 2000, 0.9**2),
        ("inverse_time", 3000, 1 / 4),
        ("reduce_on_plateau", 500, 1.0),
    ],
)
def test_schedules_follow_their_formula(name, step, expected):
    rate = build_learning_rate(1.0, settings("optimizer=adam", f"schedule={name}").schedule, 1000)
    assert float(rate if isinstance(rate, float) else rate(step)) == pytest.approx(expected, abs=1e-6)
