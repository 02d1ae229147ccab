"""The door: words become a job, composed once, validated and with its model built once; and a run of the past becomes
its words, settings and model again, with what may change where it goes on or is judged anew. Needs no TensorFlow."""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from deqn.configuration.composition import Composition, compose, find_value
from deqn.configuration.explanation import describe_cause
from deqn.configuration.loading import COMPOSITION_ERRORS, flatten_config, to_hydra_syntax
from deqn.configuration.model_class import build_model, complete_parameters
from deqn.configuration.validation import validate
from deqn.model.declaration import Model
from deqn.settings.schema import Settings
from deqn.system.errors import FileError, InputError

MAY_CHANGE_ON_RESUME = (
    "optimizer.iterations", "optimizer.polish", "train.steps", "train.finish", "train.seconds", "train.target",
    "train.tensorboard", "tolerance", "resume",
)  # fmt: skip
MAY_CHANGE_ON_EVALUATION = ("evaluation", "expectation", "seed", "tolerance")  # keys, and sections with all theirs


@dataclass(frozen=True)
class Job:
    """What a run is to do: nothing in it needs to be composed, looked up or validated again."""

    settings: Settings
    model: Model
    name: str  # of the model
    overrides: list[str]  # the words that made the settings
    config_dir: str | None  # folder of the user's own YAML files
    config_yaml: str  # all settings, as the run's folder keeps them
    changed: dict[str, dict[str, Any]]  # dotted key -> `value` and `default`, where they differ


def prepare_job(overrides: list[str], config_dir: str | None = None) -> Job:
    """The job of words, after those of the run to `resume`. Raises InputError, and FileError where there is no run."""
    return make_job(compose(*recall_overrides(to_hydra_syntax(overrides), config_dir)))


def make_job(composition: Composition) -> Job:
    """Validate what was composed and build its model. Raises InputError, and FileError as above."""
    settings, kind = validate(composition.config)
    model = build_model(kind, settings.model)
    config = complete_config(composition.config, settings.model)
    if settings.resume is not None:
        check_resumable(config, Path(settings.resume) / "config.yaml")
    stored = OmegaConf.to_yaml(OmegaConf.create({**config, "resume": None}))  # which is no setting of the run itself
    changed = list_changes(composition, kind, flatten_config(config))
    return Job(settings, model, composition.name, composition.overrides, composition.config_dir, stored, changed)


def list_changes(composition: Composition, kind: type[Model], now: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings that are not those of `model=<name>` alone: dotted key -> its `value` and the `default` or null."""
    if all(word.partition("=")[0] == "model" for word in composition.overrides):
        return {}
    config = compose([f"model={composition.name}"], composition.config_dir).config
    parameters: Any = OmegaConf.to_container(config.model, resolve=True)
    baseline = flatten_config(complete_config(config, complete_parameters(kind, parameters)))
    return {
        key: {"value": value, "default": baseline.get(key)} for key, value in now.items()
        if value != baseline.get(key) and (key in baseline or value)
    }  # fmt: skip


def recall_overrides(
    overrides: list[str], config_dir: str | None, folder: Path | None = None
) -> tuple[list[str], str | None]:
    """The words of the run in `folder`, or else of `resume=`, those given now last, and its folder of own YAML files.

    Without either the words come back as they are. Raises FileError where there is no run.
    """
    resumed = find_value("resume", overrides) if folder is None else folder
    if resumed is None:
        return overrides, config_dir
    try:
        record = json.loads((Path(resumed) / "environment.json").read_text(encoding="utf-8"))
        stored, stored_dir = [str(o) for o in record["overrides"]], record["config_dir"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{resumed}: there is no run in this folder") from error
    given = {o.split("=", 1)[0].lstrip("+") for o in overrides}
    kept = [o for o in stored if o.split("=", 1)[0].lstrip("+") not in given]
    return kept + overrides, config_dir or stored_dir


def load_stored(folder: Path) -> tuple[Settings, Model]:
    """The settings and the model of a run. Raises FileError where they cannot be read or make no sense any more."""
    try:
        config: Any = OmegaConf.merge(OmegaConf.structured(Settings), read_stored(folder / "config.yaml"))
        settings, kind = validate(config)
    except InputError as error:  # among them a model whose file is not found
        raise FileError(f"{folder} cannot be loaded: {error}") from error
    except (OSError, *COMPOSITION_ERRORS) as error:
        raise FileError(f"{folder} does not hold a finished run: {error}") from error
    return settings, build_model(kind, settings.model)


def read_stored(path: Path) -> Any:
    """The configuration of an earlier run; settings of training and evaluation that are newer have their defaults."""
    defaults: Any = OmegaConf.load(str(files("deqn.configs") / "config.yaml"))
    return OmegaConf.merge(OmegaConf.masked_copy(defaults, ["train", "evaluation"]), OmegaConf.load(path))


def complete_config(config: DictConfig, parameters: dict[str, Any]) -> dict[str, Any]:
    """A configuration as plain nested values, with all parameters of the model."""
    plain: Any = OmegaConf.to_container(config)
    return {**plain, "model": parameters}


def check_resumable(config: dict[str, Any], stored: Path) -> None:
    """Refuse to go on with a run under other settings. Raises InputError listing the keys that differ."""
    if differ := {k: v for k, v in list_differences(config, stored).items() if k not in MAY_CHANGE_ON_RESUME}:
        listed = "; ".join(f"{k}: {before} became {now}" for k, (before, now) in [*differ.items()][:8])
        raise InputError(f"resume: the run was made with other settings ({listed})")


def check_evaluation(config: dict[str, Any], stored: Path) -> None:
    """Refuse to judge another run than the stored one. Raises InputError listing the keys that differ."""
    if differ := [k for k in list_differences(config, stored) if k.split(".")[0] not in MAY_CHANGE_ON_EVALUATION]:
        raise InputError(f"{', '.join(differ)}: of a run that is finished only {', '.join(MAY_CHANGE_ON_EVALUATION)} "
                         f"can be changed")  # fmt: skip


def list_differences(config: dict[str, Any], stored: Path) -> dict[str, tuple[Any, Any]]:
    """The settings in which a complete configuration differs from a stored one: before and now, by dotted key."""
    try:
        before = flatten_config(read_stored(stored))
    except (OSError, *COMPOSITION_ERRORS) as error:
        raise FileError(f"cannot read {stored}: {describe_cause(error)}") from error
    now = flatten_config(config)
    return {k: (before.get(k), now.get(k)) for k in sorted({*before, *now}) if before.get(k) != now.get(k)}
