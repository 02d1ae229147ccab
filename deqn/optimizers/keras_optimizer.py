"""Stochastic gradient methods: any Keras optimizer by name, and a schedule for its learning rate."""

import keras
from keras.optimizers import schedules as decays

from deqn.settings.schema import PREPARED, Optimizer, Schedule
from deqn.system.errors import InputError


def build_optimizer(optimizer: Optimizer, schedule: Schedule, steps: int) -> keras.optimizers.Optimizer:
    """A Keras optimizer whose schedule runs over `steps` steps. Raises InputError for an unknown option."""
    options = {"learning_rate": build_learning_rate(optimizer.learning_rate, schedule, steps), **optimizer.options}
    clips = {"global_clipnorm": optimizer.clip_norm, "clipvalue": optimizer.clip_value}
    options |= {name: limit for name, limit in clips.items() if limit is not None}
    name = "adam" if optimizer.name in PREPARED else optimizer.name
    kind = type(keras.optimizers.get(name))
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise InputError(f"optimizer.options={dict(optimizer.options)}: {optimizer.name} refuses: {error}") from error


def build_learning_rate(start: float, schedule: Schedule, steps: int) -> decays.LearningRateSchedule | float:
    """The learning rate as a function of the step; a number where it is constant or lowered from outside."""
    match schedule.name:
        case "cosine":
            return decays.CosineDecay(start, max(steps, 1), alpha=schedule.final)
        case "exponential":
            return decays.ExponentialDecay(start, schedule.every, schedule.rate)
        case "inverse_time":
            return decays.InverseTimeDecay(start, schedule.every, schedule.rate)
    return start
