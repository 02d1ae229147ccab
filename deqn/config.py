"""The door: a configuration is composed by Hydra, checked by name, type and range, and leaves as plain settings.

Nothing here needs TensorFlow, so a mistake is answered at once. The only class that a configuration may name is the
model's, which must be a subclass of `Model`.
"""

import dataclasses
import json
import os
import re
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deqn.errors import FileError, InputError
from deqn.model import Model
from deqn.postponed import postpone_tensorflow
from deqn.ranges import check, nearest, shown
from deqn.settings import Evaluation, Loss, Network, Optimizer, Quadrature, Sampling, Schedule, Training, within

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)
MAY_CHANGE_ON_RESUME = ("train.steps", "train.seconds", "train.target", "tolerance", "resume")


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


ConfigStore.instance().store(name="schema", node=Config)


def composed(overrides: list[str], config_dir: str | None = None) -> tuple[DictConfig, str]:
    """Compose a configuration from overrides, and the name of the model that they choose.

    `config_dir` is a folder of the user's own YAML files. Raises InputError naming the key and its nearest match.
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir}: there is no such folder")
    try:
        whole = composition(overrides, config_dir)
        name = str(whole.hydra.runtime.choices.model)
    except COMPOSITION_ERRORS as error:
        raise InputError(explained(error, overrides, config_dir)) from error
    config = OmegaConf.masked_copy(whole, [f.name for f in dataclasses.fields(Config)])
    return OmegaConf.merge(OmegaConf.structured(Config), config), name


def composition(overrides: list[str], config_dir: str | None) -> DictConfig:
    """What Hydra composes, its own settings included."""
    search = [] if config_dir is None else [f"hydra.searchpath=[{Path(config_dir).resolve().as_uri()}]"]
    with initialize_config_module("deqn.configs", version_base="1.3"):
        return compose("config", overrides=[*search, *overrides], return_hydra_config=True)


def group_options(config_dir: str | None) -> dict[str, list[str]]:
    """The configuration groups and what each can be, in the package and in the user's folder."""
    with initialize_config_module("deqn.configs", version_base="1.3"):
        compose("config")
        loader = GlobalHydra.instance().config_loader()
        options = {group: loader.get_group_options(group) for group in loader.list_groups("") if group != "hydra"}
    for file in Path(config_dir).glob("*/*.yaml") if config_dir is not None else ():
        options.setdefault(file.parent.name, []).append(file.stem)
    return options


def explained(error: Exception, overrides: list[str], config_dir: str | None) -> str:
    """What is wrong with the overrides, in words of the configuration: group, key or value, in this order."""
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        groups = group_options(config_dir)
        for o in parsed:
            name, options = o.key_or_group, groups.get(o.key_or_group, [])
            if name in groups and o.value() not in options:
                return f"{name}={o.value()}: {nearest(str(o.value()), options)}{name} can be {', '.join(options)}"
        chosen = [o.input_line for o in parsed if o.key_or_group in groups]
        known = known_keys([], None)
        try:
            known = known_keys(chosen, config_dir)
        except COMPOSITION_ERRORS as in_file:
            found = re.search(r"full_key: (\S+)", str(in_file.__cause__ or in_file))
            typo = found and found[1] not in known
            return f"in a YAML file: {unknown_key(found[1], known, list(groups)) if typo else brief(in_file)}"
    except OverrideParseException as unreadable:
        return f"cannot read {unreadable.override!r}; overrides are written key=value"
    for o in parsed:
        sections = {k.split(".")[0] for k in known}
        if o.key_or_group not in {*known, *groups, *sections} and not o.key_or_group.startswith("hydra"):
            return unknown_key(o.key_or_group, known, list(groups))
    for o in parsed:
        try:
            composition([*chosen, o.input_line], config_dir)
        except COMPOSITION_ERRORS as alone:
            hint = f"; write +{o.key_or_group}.NAME=VALUE" if isinstance(o.value(), dict) else ""
            return f"{o.input_line}: {brief(alone)}{hint}"
    return brief(error)


def known_keys(chosen: list[str], config_dir: str | None) -> list[str]:
    """All dotted keys of the configuration under the chosen groups."""
    return [k for k in flat(composition(chosen, config_dir)) if not k.startswith("hydra.")]


def unknown_key(key: str, known: list[str], groups: list[str]) -> str:
    """The message for a key that does not exist: the nearest one, and what stands beside it."""
    section = key.rpartition(".")[0]
    if section in known:  # a section that is empty so far
        return f"{key} is new in {section}; write +{key}=VALUE"
    beside = [k for k in known if k.rpartition(".")[0] == section and section]
    roots = sorted({k.split(".")[0] for k in known} | set(groups))
    hint = nearest(key, beside or [*known, *roots])
    listed = [k.rpartition(".")[2] for k in beside] or roots
    return f"unknown key '{key}': {hint}{f'{section} has' if beside else 'keys are'} {', '.join(listed)}"


def brief(error: Exception) -> str:
    """The cause of a composition error, one line."""
    cause = error.__cause__ or error
    if isinstance(cause, yaml.MarkedYAMLError) and cause.problem_mark is not None:
        return f"{cause.problem_mark.name}, line {cause.problem_mark.line + 1}: {cause.problem}"
    lines = [line.strip() for line in str(cause).strip().splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of a nested mapping under dotted keys."""
    if isinstance(node, DictConfig):
        node = OmegaConf.to_container(node, resolve=False)
    if not isinstance(node, dict) or not node:
        return {prefix.rstrip("."): node}
    return {k: v for key, value in node.items() for k, v in flat(value, f"{prefix}{key}.").items()}


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
    for name, value in settings.optimizer.options.items():
        if not isinstance(value, int | float | types.NoneType):
            raise InputError(f"optimizer.options.{name}={value} is neither a number nor true, false or null")
    if settings.optimizer.clip_norm is not None and settings.optimizer.clip_value is not None:
        raise InputError("optimizer.clip_norm and optimizer.clip_value: give one of them")
    model_class(settings.model)
    return settings


def check_fields(settings: Any, prefix: str) -> None:
    """Check every field of a settings dataclass against the allowed values that it declares."""
    for f in dataclasses.fields(settings):
        value, key = getattr(settings, f.name), prefix + f.name
        if dataclasses.is_dataclass(value):
            check_fields(value, key + ".")
        elif "allowed" in f.metadata:
            if f.metadata["not_empty"] and not value:
                raise InputError(f"{key}={shown(value)} is empty; give at least one value")
            if "choices" in f.metadata:
                check_belongs(prefix.rstrip("."), f, value, getattr(settings, dataclasses.fields(settings)[0].name))
            check(key, value, f.metadata["allowed"])


def check_belongs(group: str, f: dataclasses.Field, value: Any, choice: str) -> None:
    """A setting is given exactly where the choice of its group, the first field, uses it. Raises InputError."""
    choices = f.metadata["choices"]
    if value is not None and choice not in choices:
        raise InputError(f"{group}.{f.name}={value} is not used by {choice}; it belongs to {', '.join(choices)}")
    if value is None and choice in choices:
        raise InputError(f"{group}.{f.name} is unset; {choice} needs it")


def model_class(parameters: dict[str, Any]) -> type[Model]:
    """The class that `_target_` names, its parameters checked by name, type and range. Raises InputError."""
    target = parameters.get("_target_")
    if not isinstance(target, str):
        raise InputError("the model's YAML must name its class: _target_: mine.Mine")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    postpone_tensorflow()
    try:
        kind = get_class(target)
    except Exception as error:
        raise InputError(f"model._target_={target}: {brief(error)}") from error
    if not issubclass(kind, Model) or not dataclasses.is_dataclass(kind):
        raise InputError(f"model._target_={target} is not a dataclass derived from deqn.Model")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name, value in parameters.items():
        if name == "_target_":
            continue
        if name not in fields:
            raise InputError(f"unknown key 'model.{name}': {nearest(name, fields)}model has {', '.join(fields)}")
        check_type(f"model.{name}", value, fields[name].default)
        if name in kind.ranges:
            check(f"model.{name}", value, kind.ranges[name])
    required = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    lacking = [n for n in required if n not in parameters]
    if lacking:
        raise InputError(f"model.{lacking[0]} has no default; give it a value in the model's YAML")
    return kind


def check_type(key: str, value: Any, default: Any) -> None:
    """A parameter has the type of its default; an integer may stand for a number."""
    if default is dataclasses.MISSING or default is None:
        return
    if isinstance(default, bool) or isinstance(default, str):
        right, wanted = isinstance(value, type(default)), type(default).__name__
    elif isinstance(default, int):
        right, wanted = isinstance(value, int) and not isinstance(value, bool), "an integer"
    elif isinstance(default, float):
        right, wanted = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    else:
        right = isinstance(value, list | tuple) and all(isinstance(x, int | float) for x in value)
        right, wanted = right and len(value) == len(default), f"a list of {len(default)} numbers"
    if not right:
        raise InputError(f"{key}={shown(value)} is not {wanted}")


def build_model(parameters: dict[str, Any]) -> Model:
    """The model of a checked configuration, its numbers as floats and its lists as tuples."""
    kind = model_class(parameters)
    values = {}
    for f in dataclasses.fields(kind):
        if f.name in parameters:
            value = parameters[f.name]
            value = tuple(float(x) for x in value) if isinstance(value, list) else value
            values[f.name] = float(value) if isinstance(f.default, float) else value
    return kind(**values)


def completed(config: DictConfig) -> DictConfig:
    """The configuration with every parameter of the model, those that its YAML leaves at their defaults included."""
    parameters = OmegaConf.to_container(config.model)
    model = build_model(parameters)
    whole = {"_target_": parameters["_target_"], **dataclasses.asdict(model)}
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in whole.items()}
    result = config.copy()
    OmegaConf.set_struct(result, False)
    result.model = lists
    return result


def check_resumable(config: DictConfig, stored: Path) -> None:
    """Refuse to go on with a run under other settings. Raises InputError listing the keys that differ."""
    try:
        before = flat(OmegaConf.load(stored))
    except (OSError, *COMPOSITION_ERRORS) as error:
        raise FileError(f"resume: cannot read {stored}: {brief(error)}") from error
    now = flat(completed(config))
    keys = sorted(set(before) | set(now))
    differ = [k for k in keys if before.get(k) != now.get(k) and k not in MAY_CHANGE_ON_RESUME]
    if differ:
        listed = "; ".join(f"{k}: {before.get(k)} became {now.get(k)}" for k in differ[:8])
        raise InputError(f"resume: the run was made with other settings ({listed})")


def fresh_folder(wanted: str) -> str:
    """Claim a new folder: the wanted one, or the first of wanted_2, wanted_3, ... that does not exist."""
    for n in range(1, 1000):
        path = Path(wanted if n == 1 else f"{wanted}_{n}")
        if make_folder(path, exist_ok=False):
            return str(path)
    raise FileError(f"cannot make a new folder beside {wanted}")


def make_folder(path: Path, exist_ok: bool) -> bool:
    """Make a folder; whether it is new. Raises FileError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError as error:
        if exist_ok or not path.is_dir():
            raise FileError(f"{path} is a file, not a folder") from error
        return False
    except OSError as error:
        raise FileError(f"cannot make the folder {path}: {error.strerror or error}") from error
    return True


def value_of(key: str, overrides: list[str]) -> str | None:
    """The value that the overrides give to a key, None where they do not. Raises InputError."""
    try:
        given = [o.value() for o in OverridesParser.create().parse_overrides(overrides) if o.key_or_group == key]
    except OverrideParseException as unreadable:
        raise InputError(explained(unreadable, overrides, None)) from unreadable
    return None if not given or given[-1] is None else str(given[-1])


def assigned(key: str, text: str) -> str:
    """An override that sets a key to a text, whatever characters it has."""
    before_quotes = re.sub(r"(\\+)(?='|$)", r"\1\1", text)  # elsewhere a backslash stands for itself
    return key + "='" + before_quotes.replace("'", "\\'") + "'"


def continued(overrides: list[str], config_dir: str | None, folder: Path) -> tuple[list[str], str | None]:
    """What the run in `folder` was started with, the overrides given now last, and its folder of own YAML files.

    Raises FileError where there is no run.
    """
    try:
        record = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        stored, stored_dir = [str(o) for o in record["overrides"]], record["config_dir"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"resume={folder}: there is no run in this folder") from error
    given = {o.split("=", 1)[0].lstrip("+") for o in overrides}
    kept = [o for o in stored if o.split("=", 1)[0].lstrip("+") not in given]
    return kept + overrides, config_dir or stored_dir
