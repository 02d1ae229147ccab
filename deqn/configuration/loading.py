"""Configurations as Hydra loads them, from the package's folder and the user's. Needs no TensorFlow."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deqn.system.errors import InputError

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
def search_own_folder(config_dir: str | None) -> Iterator[None]:
    """Let Hydra search a folder of the user's own YAML files, if there is one, before the package's."""
    before = OwnFolder.folder
    OwnFolder.folder = None if config_dir is None else os.path.abspath(config_dir)
    try:
        yield
    finally:
        OwnFolder.folder = before


def check_own_folder(config_dir: str | None) -> None:
    """Refuse a folder that is missing, or whose file would replace the primary configuration. Raises InputError."""
    if config_dir is None:
        return
    if not Path(config_dir).is_dir():
        raise InputError(f"--config-dir {config_dir}: there is no such folder")
    for name in ("config.yaml", "schema.yaml"):  # what the package composes first
        own = Path(config_dir) / name
        if own.exists():
            raise InputError(f"{own} cannot stand in the place of the package's own {name}; rename it, and put its "
                             "settings into a file of the folder model/, or of the group that "
                             "they belong to")  # fmt: skip


@contextlib.contextmanager
def open_configs(config_dir: str | None) -> Iterator[None]:
    """Make the package's configuration and the user's known to Hydra, also within a job that Hydra runs."""
    running = GlobalHydra.instance().hydra  # of Hydra's instances there can be one at a time
    GlobalHydra.instance().clear()
    try:
        with search_own_folder(config_dir), initialize_config_module("deqn.configs", "deqn", version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running


def load_config(overrides: list[str], config_dir: str | None) -> DictConfig:
    with open_configs(config_dir):
        return hydra.compose("config", overrides=overrides, return_hydra_config=True)


def list_group_options(config_dir: str | None) -> dict[str, list[str]]:
    """The configuration groups and what each can be, in the package and in the user's folder."""
    with open_configs(config_dir):
        loader = GlobalHydra.instance().config_loader()
        return {group: loader.get_group_options(group) for group in loader.list_groups("") if group != "hydra"}


def flatten_config(node: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of a nested mapping under dotted keys."""
    if isinstance(node, DictConfig):
        node = OmegaConf.to_container(node, resolve=False)
    if not isinstance(node, dict) or not node:
        return {prefix.rstrip("."): node}
    return {k: v for key, value in node.items() for k, v in flatten_config(value, f"{prefix}{key}.").items()}
