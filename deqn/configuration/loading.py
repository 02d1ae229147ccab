"""Words `key=value` in Hydra's syntax, and configurations as it loads them from the package's folder and the user's."""

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import yaml
from antlr4 import InputStream
from hydra import initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser import overrides_parser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from deqn.system.errors import InputError

# OmegaConf asserts where a key lies below one that is null.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, AssertionError)
PATHS = ("hydra.run.dir", "hydra.sweep.dir", "start", "resume", "study")
IDENTIFIER = re.compile(r"(\+*)((?:model|pseudo_states|continuation)\..+)", re.DOTALL)  # names of Python's


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


def to_input_stream(text: str) -> InputStream:
    """The characters of an override as its lexer reads them: an ASCII letter, which it knows alone, for any other.

    The text that is cut into pieces stays as it was typed, wherever Hydra parses an override: on the command line, in
    a sweep, and in the processes of a launcher.
    """
    stream = InputStream(text)
    stream.data = [ord(c) if c.isascii() or not f"x{c}".isidentifier() else ord("x") for c in text]
    return stream


overrides_parser.InputStream = to_input_stream


def to_hydra_syntax(overrides: list[str]) -> list[str]:
    """Overrides as Hydra accepts them, paths in quotes where needed."""
    return [quote_path(o) if o.partition("=")[0] in PATHS else normalize_parameter(o) for o in overrides]


def normalize_parameter(override: str) -> str:
    """An override under Python's name of a parameter, added where YAML may lack it: a pseudo-state, or not ASCII."""
    key, equals, value = override.partition("=")
    if equals and key in ("pseudo_states", "continuation"):  # all of them at once
        return f"++{override}"
    match = IDENTIFIER.fullmatch(key)
    if not equals or match is None or (match[2].startswith("model.") and key.isascii()):
        return override
    return f"++{normalize_name(match[2])}={value}"


def normalize_name(name: str) -> str:
    """An identifier as Python stores it, in normal form KC: the micro sign and the Greek mu are one letter."""
    return unicodedata.normalize("NFKC", name)


def quote_path(override: str) -> str:
    """An override of a path, in quotes where Hydra would not read a text: a list, a number, a sweep, or nothing."""
    key, _, text = override.partition("=")
    try:
        value = overrides_parser.OverridesParser.create().parse_override(override).value()
    except HydraException:
        return assign(key, text)
    return override if isinstance(value, str | None) and text == text.strip() else assign(key, text)


def assign(key: str, text: str) -> str:
    """An override that sets a key to a text, whatever characters it has."""
    before_quotes = re.sub(r"(\\+)(?='|$)", r"\1\1", text)  # elsewhere a backslash stands for itself
    return key + "='" + before_quotes.replace("'", "\\'") + "'"
