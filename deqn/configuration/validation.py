"""Settings are validated by name, type and range, and by what fits together. Needs no TensorFlow."""

import dataclasses
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deqn.configuration.explanation import describe_cause
from deqn.configuration.model_class import check_parameters, complete_parameters, find_model_class, is_number, is_real
from deqn.model.declaration import Model
from deqn.settings.ranges import check_range, format_value, suggest
from deqn.settings.schema import Settings
from deqn.system.errors import InputError


def validate(config: DictConfig) -> tuple[Settings, type[Model]]:
    """Settings with every value in its range and all parameters of the model, and its class. Raises InputError."""
    try:
        if missing := OmegaConf.missing_keys(config):
            raise InputError(f"no value is given for {', '.join(sorted(missing))}")
        settings = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise InputError(describe_cause(error)) from error
    check_settings(settings)
    kind = find_model_class(settings.model.get("_target_"))
    check_parameters(kind, settings.model)
    check_pseudo_states(settings, kind)
    settings.model = complete_parameters(kind, settings.model)
    check_continuation(settings, kind)
    check_parameters(kind, settings.model)  # defaults of the class, too
    return settings, kind


def check_settings(settings: Settings) -> None:
    """Check what can be known of the settings without the model's class. Raises InputError."""
    check_fields(settings, "")
    training, cycle = settings.train, settings.sampling.paths * settings.sampling.periods
    if training.batch > cycle:
        raise InputError(f"train.batch={training.batch} exceeds the states of a cycle, sampling.paths x "
                         f"sampling.periods = {cycle}")  # fmt: skip
    if (settings.expectation.draws or 0) % 2:
        raise InputError(f"expectation.draws={settings.expectation.draws} is odd; antithetic draws come in pairs")
    if training.patience is not None and settings.optimizer.memory is None:  # only gradient stages wait for reports
        if training.patience * training.report_every >= training.steps:
            raise InputError(f"train.patience={training.patience} is never reached: train.steps={training.steps} has a "
                             f"report every train.report_every={training.report_every} steps; allowed is patience x "
                             f"report_every in [1, {max(training.steps - 1, 1)}]")  # fmt: skip
    for name, value in (settings.optimizer.options or {}).items():
        if value is not None and not isinstance(value, int | float):
            raise InputError(f"optimizer.options.{name}={value} is neither a number nor true, false or null")
    if settings.optimizer.clip_norm is not None and settings.optimizer.clip_value is not None:
        raise InputError("optimizer.clip_norm and optimizer.clip_value: give one of them")
    if settings.optimizer.memory is not None:
        check_least_squares(settings)


def check_pseudo_states(settings: Settings, kind: type[Model]) -> None:
    """Check that each is a real parameter of the model, with an interval inside its range. Raises InputError."""
    numbers = [f.name for f in dataclasses.fields(kind) if is_real(f)]
    for name, interval in settings.pseudo_states.items():
        key = f"pseudo_states.{name}"
        if name not in numbers:
            raise InputError(f"unknown key '{key}': {suggest(name, numbers)}allowed are {', '.join(numbers)}")
        if not isinstance(interval, list) or len(interval) != 2 or not all(is_number(x) for x in interval):
            raise InputError(f"{key}={format_value(interval)} is not an interval; write {key}=[LOWER,UPPER]")
        check_range(key, interval, kind.ranges.get(name, "(-inf, inf)"))
        if not interval[0] < interval[1]:
            raise InputError(f"{key}={format_value(interval)}: the lower end is not below the upper end")
    if settings.pseudo_states and settings.network.anchor == "quadratic":
        raise InputError("network.anchor=quadratic is that of one economy and cannot be used with pseudo_states; take "
                         "network.anchor=linear")  # fmt: skip


def check_continuation(settings: Settings, kind: type[Model]) -> None:
    """Check that each is a real parameter whose last value is the model's, all of one length. Raises InputError."""
    numbers, lengths = [f.name for f in dataclasses.fields(kind) if is_real(f)], set()
    for name, values in settings.continuation.items():
        key, own = f"continuation.{name}", settings.model.get(name)
        if name not in numbers:
            raise InputError(f"unknown key '{key}': {suggest(name, numbers)}allowed are {', '.join(numbers)}")
        if not isinstance(values, list) or len(values) < 2 or not all(is_number(x) for x in values):
            raise InputError(f"{key}={format_value(values)} is no way; write {key}=[FROM,TO], or more values")
        check_range(key, values, kind.ranges.get(name, "(-inf, inf)"))
        if values[-1] != own:
            raise InputError(f"{key} ends at {values[-1]:g}, and model.{name} is {own}; its last value has to be that")
        lengths.add(len(values))
    if len(lengths) > 1:
        raise InputError(f"continuation: parameters have {min(lengths)} and {max(lengths)} values; they move together")
    if settings.continuation and settings.start is not None:
        raise InputError("start and continuation are both given; a run starts from one of them")
    if settings.continuation and settings.pseudo_states:
        raise InputError("continuation leads to one economy, and pseudo_states make a family; give one of them")


def check_least_squares(settings: Settings) -> None:
    """Refuse what fits neither Levenberg-Marquardt, which lowers squares, nor time iteration. Raises InputError."""
    name, network = settings.optimizer.name, settings.network
    for key in ("dropout", "l1", "l2"):
        if getattr(network, key):
            raise InputError(f"network.{key}={getattr(network, key)} cannot be used with optimizer={name}, whose steps "
                             f"need residuals without noise or penalty; take optimizer=adam")  # fmt: skip
    if settings.loss.name != "mean_square":
        raise InputError(f"loss={settings.loss.name} cannot be used with optimizer={name}, a least squares method; "
                         f"take loss=mean_square, or optimizer=adam")  # fmt: skip
    if settings.optimizer.learning_rate is None and settings.schedule.name != "cosine":
        raise InputError(f"schedule={settings.schedule.name} is one of learning rates, of which {name} has none; take "
                         f"optimizer=adam_lm or optimizer=adam")  # fmt: skip
    if settings.optimizer.learning_rate is None and settings.train.steps:
        raise InputError(f"train.steps={settings.train.steps} are gradient steps, of which {name} takes none; set "
                         f"optimizer.iterations, or take optimizer=adam_lm")  # fmt: skip


def check_fields(settings: Any, prefix: str) -> None:
    """Check every field against its allowed values and the choice of its group, which is the first field."""
    choice = getattr(settings, dataclasses.fields(settings)[0].name)
    for f in dataclasses.fields(settings):
        value, key = getattr(settings, f.name), prefix + f.name
        if dataclasses.is_dataclass(value):
            check_fields(value, key + ".")
        elif "allowed" in f.metadata:
            choices = f.metadata.get("choices")
            if choices and value is not None and choice not in choices:
                raise InputError(f"{key}={value} is not used by {choice}; it belongs to {', '.join(choices)}")
            if choices and value is None and choice in choices and not f.metadata["optional"]:
                raise InputError(f"{key} is unset; {choice} needs it")
            if f.metadata.get("not_empty") and value is not None and not value:
                raise InputError(f"{key}={format_value(value)} is empty; give at least one value")
            if f.metadata["allowed"] is not None:
                check_range(key, value, f.metadata["allowed"])
