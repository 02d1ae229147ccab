"""The settings that words of a command line and YAML files make, composed by Hydra. Needs no TensorFlow."""

import dataclasses
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from deqn.configuration.explanation import explain, explain_unknown_key
from deqn.configuration.harmless import check_harmless
from deqn.configuration.loading import COMPOSITION_ERRORS, check_own_folder, load_config
from deqn.configuration.words import normalize_name, to_hydra_syntax
from deqn.settings.schema import Settings
from deqn.system.errors import InputError

ConfigStore.instance().store(name="schema", node=Settings)


@dataclass(frozen=True)
class Composition:
    """Settings that are composed but not validated, and what they were composed from."""

    config: DictConfig
    name: str  # of the model
    overrides: list[str]
    config_dir: str | None
    whole: DictConfig | None = None  # the settings with those of Hydra


def compose(overrides: list[str], config_dir: str | None = None) -> Composition:
    """Compose settings from overrides.

    `config_dir` is a folder of the user's own YAML files. Raises InputError naming the key and its nearest match.
    """
    check_own_folder(config_dir)
    try:
        overrides = to_hydra_syntax(overrides)
        whole = load_config(overrides, config_dir)
        check_harmless(whole, overrides, config_dir)
    except COMPOSITION_ERRORS as error:
        raise InputError(explain(error, overrides, config_dir)) from error
    sections = [f.name for f in dataclasses.fields(Settings)]
    for key in whole:
        if key not in (*sections, "hydra"):
            raise InputError(explain_unknown_key(key, sections, []))
    for key in sections:
        if key not in whole:
            raise InputError(f"{key} cannot be left out")
    config = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.masked_copy(whole, sections))
    words, name = list(whole.hydra.overrides.task), str(whole.hydra.runtime.choices.model)
    return Composition(drop_unused(config, overrides), name, words, config_dir, whole)


def read_hydra_job(config: DictConfig) -> Composition:
    """The composition of the job that Hydra is running with `config`."""
    job = HydraConfig.get()
    sources, words = {s.provider: s.path for s in job.runtime.config_sources}, list(job.overrides.task)
    return Composition(drop_unused(config, words), job.runtime.choices.model, words, sources.get("own"))


def drop_unused(config: DictConfig, overrides: list[str]) -> DictConfig:
    """Without what a model's YAML recommends for choices not taken; what the user gave stays, to be refused.

    Parameters have the names that Python gives to them, whatever form their letters have in a file.
    """
    config, given = config.copy(), {o.split("=", 1)[0].lstrip("+") for o in overrides}
    for section in (config.model, config.pseudo_states):
        for name in [name for name in section or () if normalize_name(str(name)) != name]:
            with open_dict(section):
                section.setdefault(normalize_name(str(name)), section.pop(name))
    for group in dataclasses.fields(Settings):
        if not dataclasses.is_dataclass(group.type):
            continue
        choice = config[group.name].get(dataclasses.fields(group.type)[0].name)
        for f in dataclasses.fields(group.type):
            if choice not in f.metadata.get("choices", (choice,)) and f"{group.name}.{f.name}" not in given:
                config[group.name][f.name] = None
    return config
