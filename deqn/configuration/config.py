"""The door: a configuration is composed by Hydra, checked by name, type and range, and leaves as plain settings.

Nothing here needs TensorFlow, so a mistake is answered at once. The only class that a configuration may name is the
model's, which must be a subclass of `Model`.
"""

import dataclasses
import logging
import math
import os
import sys
import types
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from deqn.configuration.composition import COMPOSITION_ERRORS, aside, check_own_folder, composition, flat
from deqn.configuration.explanation import brief, explained, unknown_key, unloadable_class
from deqn.configuration.harmless import check_harmless
from deqn.configuration.words import python_name, to_hydra_syntax
from deqn.model.declaration import Model
from deqn.model.findings import call
from deqn.settings.ranges import check, nearest, shown
from deqn.settings.schema import Evaluation, Loss, Network, Optimizer, Quadrature, Sampling, Schedule, Training, within
from deqn.system.errors import InputError
from deqn.system.lazy_tensorflow import postpone_tensorflow


@dataclass
class Config:
    """A whole run, as composed from configs/."""

    model: dict[str, Any]
    network: Network
    expectation: Quadrature
    sampling: Sampling
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    train: Training
    evaluation: Evaluation
    seed: int = within("[0, 2147483647]")
    dtype: str = within(("float64", "float32"))
    tolerance: float = within("(0, inf)")
    resume: str | None = field(default=None)
    pseudo_states: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(name="schema", node=Config)

UNHEARD = logging.NullHandler()  # one, since a sweep looks for the model's class many times


def composed(overrides: list[str], config_dir: str | None = None) -> tuple[DictConfig, str]:
    """Compose a configuration from overrides, and the name of the model that they choose.

    `config_dir` is a folder of the user's own YAML files. Raises InputError naming the key and its nearest match.
    """
    if config_dir is not None:
        check_own_folder(config_dir)
    try:
        overrides = to_hydra_syntax(overrides)
        whole = composition(overrides, config_dir)
        check_harmless(whole)
    except COMPOSITION_ERRORS as error:
        raise InputError(explained(error, overrides, config_dir)) from error
    sections = [f.name for f in dataclasses.fields(Config)]
    for key in whole:
        if key not in (*sections, "hydra"):
            raise InputError(unknown_key(key, sections, []))
    for key in sections:
        if key not in whole:
            raise InputError(f"{key} cannot be left out")
    name = str(whole.hydra.runtime.choices.model)
    config = OmegaConf.masked_copy(whole, sections)
    config = OmegaConf.merge(OmegaConf.structured(Config), config)
    return applicable(config, overrides), name


def applicable(config: DictConfig, overrides: list[str]) -> DictConfig:
    """Without what a model's YAML recommends for choices not taken; what the user gave stays, to be refused.

    Parameters have the names that Python gives to them, whatever form their letters have in a file.
    """
    config, given = config.copy(), {o.split("=", 1)[0].lstrip("+") for o in overrides}
    for section in (config.model, config.pseudo_states):
        for name in [name for name in section or () if python_name(str(name)) != name]:
            with open_dict(section):
                section.setdefault(python_name(str(name)), section.pop(name))
    for group in dataclasses.fields(Config):
        if not dataclasses.is_dataclass(group.type):
            continue
        choice = config[group.name].get(dataclasses.fields(group.type)[0].name)
        for f in dataclasses.fields(group.type):
            if choice not in f.metadata.get("choices", (choice,)) and f"{group.name}.{f.name}" not in given:
                config[group.name][f.name] = None
    return config


def checked(config: DictConfig) -> Config:
    """Plain settings, every value inside its range. Raises InputError, before TensorFlow is imported."""
    try:
        missing = OmegaConf.missing_keys(config)
        if missing:
            raise InputError(f"no value is given for {', '.join(sorted(missing))}")
        settings = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise InputError(brief(error)) from error
    check_fields(settings, "")
    if settings.train.batch > settings.sampling.paths * settings.sampling.periods:
        raise InputError(
            f"train.batch={settings.train.batch} exceeds the states of a cycle, sampling.paths x sampling.periods = "
            f"{settings.sampling.paths * settings.sampling.periods}"
        )
    if (settings.expectation.draws or 0) % 2:
        raise InputError(f"expectation.draws={settings.expectation.draws} is odd; antithetic draws come in pairs")
    check_patience(settings)
    for name, value in (settings.optimizer.options or {}).items():
        if not isinstance(value, int | float | types.NoneType):
            raise InputError(f"optimizer.options.{name}={value} is neither a number nor true, false or null")
    if settings.optimizer.clip_norm is not None and settings.optimizer.clip_value is not None:
        raise InputError("optimizer.clip_norm and optimizer.clip_value: give one of them")
    if settings.optimizer.iterations is not None:
        check_least_squares(settings)
    check_pseudo_states(settings, model_class(settings.model))
    return settings


def check_pseudo_states(settings: Config, kind: type[Model]) -> None:
    """Each is a parameter, a number of the model, with an interval inside its range. Raises InputError."""
    numbers = [f.name for f in dataclasses.fields(kind) if is_real(f)]
    for name, interval in settings.pseudo_states.items():
        key = f"pseudo_states.{name}"
        if name not in numbers:
            raise InputError(f"unknown key '{key}': {nearest(name, numbers)}allowed are {', '.join(numbers)}")
        if not isinstance(interval, list) or len(interval) != 2 or not all(is_number(x) for x in interval):
            raise InputError(f"{key}={shown(interval)} is not an interval; write {key}=[LOWER,UPPER]")
        check(key, interval, kind.ranges.get(name, "(-inf, inf)"))
        if not interval[0] < interval[1]:
            raise InputError(f"{key}={shown(interval)}: the lower end is not below the upper end")
    if settings.pseudo_states and settings.network.anchor == "quadratic":
        raise InputError("network.anchor=quadratic is that of one economy and cannot be used with pseudo_states; take "
                         "network.anchor=linear")  # fmt: skip


def check_patience(settings: Config) -> None:
    """Patience counts reports, of which gradient steps alone give one every `report_every`. Raises InputError."""
    training = settings.train
    if training.patience is not None and settings.optimizer.iterations is None:
        if training.patience * training.report_every >= training.steps:
            raise InputError(
                f"train.patience={training.patience} is never reached: train.steps={training.steps} has a report every "
                f"train.report_every={training.report_every} steps; allowed is patience x report_every in "
                f"[1, {max(training.steps - 1, 1)}]"
            )


def is_number(x: Any) -> bool:
    """Whether a value is a number, and not true or false."""
    return isinstance(x, int | float) and not isinstance(x, bool)


def check_least_squares(settings: Config) -> None:
    """Levenberg-Marquardt minimizes squared residuals as they are. Raises InputError for what does not fit."""
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
    """Check every field of a settings dataclass against the allowed values that it declares."""
    for f in dataclasses.fields(settings):
        value, key = getattr(settings, f.name), prefix + f.name
        if dataclasses.is_dataclass(value):
            check_fields(value, key + ".")
        elif "allowed" in f.metadata:
            if "choices" in f.metadata:
                check_belongs(prefix.rstrip("."), f, value, getattr(settings, dataclasses.fields(settings)[0].name))
            if f.metadata["not_empty"] and value is not None and not value:
                raise InputError(f"{key}={shown(value)} is empty; give at least one value")
            if f.metadata["allowed"] is not None:
                check(key, value, f.metadata["allowed"])


def check_belongs(group: str, f: dataclasses.Field, value: Any, choice: str) -> None:
    """A setting is given exactly where the choice of its group, the first field, uses it. Raises InputError."""
    choices = f.metadata["choices"]
    if value is not None and choice not in choices:
        raise InputError(f"{group}.{f.name}={value} is not used by {choice}; it belongs to {', '.join(choices)}")
    if value is None and choice in choices and not f.metadata["optional"]:
        raise InputError(f"{group}.{f.name} is unset; {choice} needs it")


def model_class(parameters: dict[str, Any]) -> type[Model]:
    """The class that `_target_` names, its parameters checked by name, type and range. Raises InputError."""
    target = parameters.get("_target_")
    if not isinstance(target, str):
        raise InputError("the model's YAML must name its class: _target_: mine.Mine")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    postpone_tensorflow()
    logging.getLogger("hydra").addHandler(UNHEARD)  # what it logs is said below
    try:
        kind = get_class(target)
    except Exception as error:
        raise InputError(f"model._target_={target}: {unloadable_class(target, error)}") from error
    if not issubclass(kind, Model) or not dataclasses.is_dataclass(kind):
        raise InputError(f"model._target_={target} is not a dataclass derived from deqn.Model")
    if kind.__hash__ is None:
        raise InputError(f"model._target_={target} can be changed after it was made; write @dataclass(frozen=True)")
    if kind.__abstractmethods__:
        raise InputError(f"model._target_={target} does not define {', '.join(sorted(kind.__abstractmethods__))}")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name, value in parameters.items():
        if name == "_target_":
            continue
        if name not in fields:
            raise InputError(f"unknown key 'model.{name}': {nearest(name, fields)}model has {', '.join(fields)}")
        check_type(f"model.{name}", value, fields[name])
        if name in kind.ranges:
            check(f"model.{name}", value, kind.ranges[name])
    required = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    lacking = [n for n in required if n not in parameters]
    if lacking:
        raise InputError(f"model.{lacking[0]} has no default; give it a value in the model's YAML")
    return kind


def is_real(f: dataclasses.Field) -> bool:
    """Whether a parameter is a number and no count: by its default, or, as in `gamma: float = 2`, by its annotation."""
    return isinstance(f.default, float) or (f.type in (float, "float") and isinstance(f.default, int))


def check_type(key: str, value: Any, f: dataclasses.Field) -> None:
    """A parameter has the type of its default; an integer may stand for a number."""
    default = f.default
    if default is dataclasses.MISSING or default is None:
        return
    if isinstance(default, bool) or isinstance(default, str):
        right, wanted = isinstance(value, type(default)), type(default).__name__
    elif is_real(f):
        right, wanted = is_number(value), "a number"
    elif isinstance(default, int):
        right, wanted = isinstance(value, int) and not isinstance(value, bool), "an integer"
    else:
        right, wanted = is_alike(value, default), f"like its default, {shown(default)}"
        if isinstance(default, list | tuple) and all(map(is_number, default)):
            wanted = f"a list of {len(default)} numbers"
    if not right:
        quoted = [x for x in (value if isinstance(value, list) else [value]) if isinstance(x, str) and is_numeral(x)]
        hint = f": '{quoted[0]}' is a text; write it without quotes" if quoted and wanted != "str" else ""
        raise InputError(f"{key}={shown(value)} is not {wanted}{hint}")


def is_numeral(text: str) -> bool:
    """Whether a text would be a number without its quotes."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def is_alike(value: Any, default: Any) -> bool:
    """Whether a list has the lengths of its default, at every depth, and numbers where it has numbers."""
    if isinstance(default, list | tuple):
        alike = isinstance(value, list | tuple) and len(value) == len(default)
        return alike and all(map(is_alike, value, default))
    return is_number(value) if is_number(default) else isinstance(value, type(default))


def tupled(value: Any) -> Any:
    """A parameter as a model holds it: lists, and lists of lists, as tuples, their numbers as floats."""
    if isinstance(value, list | tuple):
        return tuple(float(x) if is_number(x) else tupled(x) for x in value)
    return value


def check_parameters(model: Model) -> None:
    """A model that can be compared, stored and written down: of numbers, words, and tuples. Raises InputError."""
    for f in dataclasses.fields(model):
        if not is_plain(value := getattr(model, f.name)):
            raise InputError(f"model.{f.name} is a {type(value).__name__}; a parameter is a number, a word, true, "
                             f"false, none or a tuple of these: write an array or a list as a tuple, which numpy takes "
                             f"where it is used, and a dictionary as several parameters")  # fmt: skip


def is_plain(value: Any) -> bool:
    """Whether a parameter never changes, and can be stored in YAML."""
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, int | float | str)


def build_model(parameters: dict[str, Any]) -> Model:
    """The model of a checked configuration, its numbers as floats and its lists as tuples. Raises InputError."""
    kind = model_class(parameters)
    values = {}
    for f in dataclasses.fields(kind):
        if f.name in parameters:
            value = tupled(parameters[f.name])
            values[f.name] = float(value) if is_real(f) else value
    model = call("the model", partial(kind, **values), Model)
    check_parameters(model)
    return model


def changed(config: DictConfig, name: str, config_dir: str | None) -> dict[str, dict[str, Any]]:
    """The settings that are not those of `model=<name>` alone: dotted key -> its `value` and the `default`.

    `config` is completed. A key that the default does not have, such as a pseudo-state, has the default null.
    """
    with aside():
        usual = flat(completed(composed([f"model={name}"], config_dir)[0]))
    return {
        key: {"value": value, "default": usual.get(key)} for key, value in flat(config).items()
        if value != usual.get(key) and (key in usual or value)
    }  # fmt: skip


def recalled(path: Path) -> DictConfig:
    """The configuration of an earlier run; settings of training and evaluation that are newer as usual."""
    usual = OmegaConf.load(str(files("deqn.configs") / "config.yaml"))
    return OmegaConf.merge(OmegaConf.masked_copy(usual, ["train", "evaluation"]), OmegaConf.load(path))


def completed(config: DictConfig) -> DictConfig:
    """The configuration with every parameter of the model, those that its YAML leaves at their defaults included."""
    parameters = OmegaConf.to_container(config.model)
    model = build_model(parameters)
    result = config.copy()
    OmegaConf.set_struct(result, False)
    result.model = {"_target_": parameters["_target_"], **{k: listed(v) for k, v in dataclasses.asdict(model).items()}}
    return result


def listed(value: Any) -> Any:
    """A parameter as YAML holds it: tuples as lists, numbers as Python's."""
    if isinstance(value, tuple):
        return [listed(x) for x in value]
    return float(value) if isinstance(value, float) else value


def prepared(config: DictConfig, overrides: list[str]) -> tuple[DictConfig, Config]:
    """The configuration of a run, complete, and its settings: what deqn-solve and deqn-check begin with.

    Raises InputError.
    """
    whole = completed(applicable(config, overrides))
    return whole, checked(whole)
