"""Words `key=value`, and the settings that Hydra composes from them and from YAML files. Needs no TensorFlow."""

import dataclasses
import itertools
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from deqn.configuration import loading
from deqn.configuration.explanation import explain, explain_unknown_key
from deqn.settings.schema import Settings
from deqn.system.errors import InputError

GROUPS = ("hydra/launcher", "hydra/sweeper", "hydra/job_logging", "hydra/hydra_logging")
CALLED = re.compile(
    r"callbacks|job_logging|hydra_logging|job\.env_set|(.*\.)?_target_$"
    r"|launcher\.(setup|additional_parameters|srun_args|python|submitit_folder)"
)
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
    """Settings from overrides and a folder of the user's own YAML files. Raises InputError with the nearest match."""
    loading.check_own_folder(config_dir)
    try:
        overrides = loading.to_hydra_syntax(overrides)
        whole = loading.load_config(overrides, config_dir)
        check_harmless(whole, overrides, config_dir)
    except loading.COMPOSITION_ERRORS as error:
        raise InputError(explain(error, overrides, config_dir)) from error
    sections = [f.name for f in dataclasses.fields(Settings)]
    if unknown := [key for key in whole if key not in (*sections, "hydra")]:
        raise InputError(explain_unknown_key(unknown[0], sections, []))
    if absent := [key for key in sections if key not in whole]:
        raise InputError(f"{absent[0]} cannot be left out")
    config = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.masked_copy(whole, sections))
    words, name = list(whole.hydra.overrides.task), str(whole.hydra.runtime.choices.model)
    return Composition(drop_unused(config, overrides), name, words, config_dir, whole)


def check_harmless(whole: DictConfig, overrides: list[str], config_dir: str | None) -> None:
    """Refuse settings of Hydra's that run code, and names of files outside their folder. Raises InputError.

    Hydra instantiates callbacks and whatever in its settings has a `_target_`, `logging` calls the factories of its
    configuration, and a new environment can put another program in the place of one that is called. Allowed is what
    Hydra and its installed plugins bring under the names that were chosen. YAML is read by a safe loader.
    """
    choices = {group: str(choice) for group, choice in whole.hydra.runtime.choices.items()}
    for group, choice in choices.items():
        if ".." in choice.split("/") or choice.startswith("/"):
            raise InputError(f"{group}={choice} leads out of the folder of its group; give a name in it")
    if config_dir is not None or any("hydra" in word for word in overrides):
        allowed, given = list_shipped_calls(*(choices[group] for group in GROUPS)), list_calls(whole.hydra)
        for key in (*given, *allowed):
            if allowed.get(key) != given.get(key):
                raise InputError(f"hydra.{key} could run code, which no configuration may; leave it out")
    for key, value in loading.flatten_config(whole.hydra.launcher).items():
        if "\n" in str(value):
            raise InputError(f"hydra.launcher.{key} has more than one line; give a word")


@cache
def list_shipped_calls(*chosen: str) -> dict[str, Any]:
    """What is called under such choices of GROUPS and nothing else; composed once, whatever the size of a sweep."""
    words = [f"{group}={name}" for group, name in zip(GROUPS, chosen, strict=True)]
    return list_calls(loading.load_config(words, None).hydra)


def list_calls(hydra: DictConfig) -> dict[str, Any]:
    """The settings of Hydra's that are called, or decide what is."""
    return {key: value for key, value in loading.flatten_config(hydra).items() if CALLED.match(key)}


def read_hydra_job(config: DictConfig) -> Composition:
    """The composition of the job that Hydra is running with `config`."""
    job = HydraConfig.get()
    sources, words = {s.provider: s.path for s in job.runtime.config_sources}, list(job.overrides.task)
    return Composition(drop_unused(config, words), job.runtime.choices.model, words, sources.get("own"))


def drop_unused(config: DictConfig, overrides: list[str]) -> DictConfig:
    """Without what a model's YAML recommends for choices not taken; what the user gave stays, to be refused."""
    config, given = config.copy(), {o.split("=", 1)[0].lstrip("+") for o in overrides}
    for section in (config.model, config.pseudo_states, config.continuation):  # of names in Python's form of them
        for name in [name for name in section or () if loading.normalize_name(str(name)) != name]:
            with open_dict(section):
                section.setdefault(loading.normalize_name(str(name)), section.pop(name))
    for group in dataclasses.fields(Settings):
        if not dataclasses.is_dataclass(group.type):
            continue
        choice = config[group.name].get(dataclasses.fields(group.type)[0].name)
        for f in dataclasses.fields(group.type):
            if choice not in f.metadata.get("choices", (choice,)) and f"{group.name}.{f.name}" not in given:
                config[group.name][f.name] = None
    return config


def parse_overrides(overrides: list[str]) -> list[Override]:
    """The words as Hydra understands them. Raises InputError."""
    try:
        return OverridesParser.create().parse_overrides(overrides)
    except loading.COMPOSITION_ERRORS as error:
        raise InputError(explain(error, overrides, None)) from error


def find_value(key: str, overrides: list[str]) -> str | None:
    """The value that the overrides give to a key, None where they do not. Raises InputError."""
    given = [o.value() for o in parse_overrides(overrides) if o.key_or_group == key]
    return None if not given or given[-1] is None else str(given[-1])


def split_sweep(overrides: list[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, in the order in which Hydra's own sweeper runs them. Raises InputError."""
    values: dict[str, list[str]] = {}
    for o in parse_overrides(overrides):
        if o.is_sweep_override() and not o.is_discrete_sweep():
            raise InputError(f"{o.input_line.lstrip('+')}: a sweep knows A,B and choice() and range()")
        try:
            words = list(o.sweep_string_iterator()) if o.is_sweep_override() else [o.get_value_element_as_str()]
        except loading.COMPOSITION_ERRORS as error:  # a range without a step
            raise InputError(f"{o.input_line.lstrip('+')}: {error}") from error
        values[o.get_key_element()] = [f"{o.get_key_element()}={word}" for word in words]
    return [list(job) for job in itertools.product(*values.values())]
