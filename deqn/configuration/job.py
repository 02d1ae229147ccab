"""The door: words become a job, composed once, validated and with its model built once. Needs no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from deqn.configuration.composition import Composition, compose
from deqn.configuration.loading import flatten_config
from deqn.configuration.model_class import build_model, complete_parameters
from deqn.configuration.stored import check_resumable, complete_config, recall_overrides
from deqn.configuration.validation import validate
from deqn.configuration.words import to_hydra_syntax
from deqn.model.declaration import Model
from deqn.settings.schema import Settings


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
    """The settings that are not those of `model=<name>` alone: dotted key -> its `value` and the `default`.

    A key that the default does not have, such as a pseudo-state, has the default null.
    """
    if all(word.partition("=")[0] == "model" for word in composition.overrides):
        return {}
    config = compose([f"model={composition.name}"], composition.config_dir).config
    parameters: Any = OmegaConf.to_container(config.model, resolve=True)
    baseline = flatten_config(complete_config(config, complete_parameters(kind, parameters)))
    return {
        key: {"value": value, "default": baseline.get(key)} for key, value in now.items()
        if value != baseline.get(key) and (key in baseline or value)
    }  # fmt: skip
