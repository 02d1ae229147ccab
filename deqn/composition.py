"""Composition by Hydra, and what is wrong where it fails, in words of the configuration. Needs no TensorFlow."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deqn.errors import InputError, first_line
from deqn.ranges import nearest

PRIMARY = ("config.yaml", "schema.yaml")  # what the package composes first
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)


class OwnFolder(SearchPathPlugin):
    """The user's folder is searched before the package's: a file of the user's own is the one that is read."""

    folder: str | None = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra, in every process that composes a configuration."""
        if OwnFolder.folder is not None:
            search_path.prepend("own", f"file://{OwnFolder.folder}", SearchPathQuery("main", None))


Plugins.instance().register(OwnFolder)


@contextlib.contextmanager
def own_folder(config_dir: str | None) -> Iterator[None]:
    """Let Hydra search a folder of the user's own YAML files, if there is one, before the package's."""
    before = OwnFolder.folder
    OwnFolder.folder = None if config_dir is None else os.path.abspath(config_dir)
    try:
        yield
    finally:
        OwnFolder.folder = before


def check_own_folder(config_dir: str) -> None:
    """The folder exists, and no file of the user's takes the place of the primary configuration. Raises InputError."""
    if not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir}: there is no such folder")
    for name in PRIMARY:
        if (Path(config_dir) / name).exists():
            raise InputError(
                f"{Path(config_dir) / name} cannot stand in the place of the package's own {name}; rename it, and put "
                "its settings into a file of the folder model/, or of the group that they belong to"
            )


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Let a job that Hydra runs compose another configuration: of Hydra's instances there can be one at a time."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running


def composition(overrides: list[str], config_dir: str | None) -> DictConfig:
    """What Hydra composes, its own settings included."""
    with own_folder(config_dir), initialize_config_module("deqn.configs", version_base="1.3"):
        return compose("config", overrides=overrides, return_hydra_config=True)


def group_options(config_dir: str | None) -> dict[str, list[str]]:
    """The configuration groups and what each can be, in the package and in the user's folder."""
    with own_folder(config_dir), initialize_config_module("deqn.configs", version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return {group: loader.get_group_options(group) for group in loader.list_groups("") if group != "hydra"}


def explained(error: Exception, overrides: list[str], config_dir: str | None) -> str:
    """What is wrong with the overrides, in words of the configuration: group, key or value, in this order."""
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        groups = group_options(config_dir)
        for o in parsed:
            name, options = o.key_or_group, groups.get(o.key_or_group, [])
            if name in groups and o.value() not in options:
                own = "; one of your own is found with --config-dir" if config_dir is None else ""
                return f"{name}={o.value()}: {nearest(str(o.value()), options)}{name} can be {', '.join(options)}{own}"
            if name == "tuned" and name not in groups:  # a group of searches alone
                return f"tuned={o.value()}: give the folder of a search, --config-dir outputs/tune/MODEL"
        chosen = [o.input_line for o in parsed if o.key_or_group in groups or o.key_or_group.startswith("hydra/")]
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
        if o.key_or_group.startswith("pseudo_states."):
            continue
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
    unlisted = "; +model.NAME=VALUE sets a parameter that the YAML leaves out" if section == "model" else ""
    return f"unknown key '{key}': {hint}{f'{section} has' if beside else 'keys are'} {', '.join(listed)}{unlisted}"


def brief(error: Exception) -> str:
    """The cause of a composition error, one line."""
    cause = error.__cause__ or error
    if isinstance(cause, yaml.MarkedYAMLError) and cause.problem_mark is not None:
        return f"{cause.problem_mark.name}, line {cause.problem_mark.line + 1}: {cause.problem}"
    return first_line(cause)


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of a nested mapping under dotted keys."""
    if isinstance(node, DictConfig):
        node = OmegaConf.to_container(node, resolve=False)
    if not isinstance(node, dict) or not node:
        return {prefix.rstrip("."): node}
    return {k: v for key, value in node.items() for k, v in flat(value, f"{prefix}{key}.").items()}
