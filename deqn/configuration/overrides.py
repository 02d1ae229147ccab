"""Overrides, the words `key=value` of a command line: read, written, and taken up again when a run goes on."""

import json
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import DictConfig

from deqn.configuration.composition import COMPOSITION_ERRORS, flat
from deqn.configuration.config import completed, recalled
from deqn.configuration.explanation import brief, explained
from deqn.system.errors import FileError, InputError

MAY_CHANGE_ON_RESUME = (
    "optimizer.iterations", "optimizer.polish", "train.steps", "train.finish", "train.seconds", "train.target",
    "train.tensorboard", "tolerance", "resume",
)  # fmt: skip
MAY_CHANGE_ON_EVALUATION = ("evaluation", "expectation", "seed", "tolerance")  # keys, and sections with all theirs


def value_of(key: str, overrides: list[str]) -> str | None:
    """The value that the overrides give to a key, None where they do not. Raises InputError."""
    try:
        given = [o.value() for o in OverridesParser.create().parse_overrides(overrides) if o.key_or_group == key]
    except OverrideParseException as unreadable:
        raise InputError(explained(unreadable, overrides, None)) from unreadable
    return None if not given or given[-1] is None else str(given[-1])


def continued(overrides: list[str], config_dir: str | None, folder: Path) -> tuple[list[str], str | None]:
    """What the run in `folder` was started with, the overrides given now last, and its folder of own YAML files.

    Raises FileError where there is no run.
    """
    try:
        record = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        stored, stored_dir = [str(o) for o in record["overrides"]], record["config_dir"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{folder}: there is no run in this folder") from error
    given = {o.split("=", 1)[0].lstrip("+") for o in overrides}
    kept = [o for o in stored if o.split("=", 1)[0].lstrip("+") not in given]
    return kept + overrides, config_dir or stored_dir


def check_resumable(config: DictConfig, stored: Path) -> None:
    """Refuse to go on with a run under other settings. Raises InputError listing the keys that differ."""
    differ = {k: values for k, values in changes(config, stored).items() if k not in MAY_CHANGE_ON_RESUME}
    if differ:
        listed = "; ".join(f"{k}: {before} became {now}" for k, (before, now) in [*differ.items()][:8])
        raise InputError(f"resume: the run was made with other settings ({listed})")


def check_evaluation(config: DictConfig, stored: Path) -> None:
    """Refuse to judge another run than the stored one. Raises InputError listing the keys that differ."""
    differ = [k for k in changes(config, stored) if k.split(".")[0] not in MAY_CHANGE_ON_EVALUATION]
    if differ:
        raise InputError(f"{', '.join(differ)}: of a run that is finished only {', '.join(MAY_CHANGE_ON_EVALUATION)} "
                         f"can be changed")  # fmt: skip


def changes(config: DictConfig, stored: Path) -> dict[str, tuple[Any, Any]]:
    """The settings in which a configuration differs from a stored one: before and now, by dotted key."""
    try:
        before = flat(recalled(stored))
    except (OSError, *COMPOSITION_ERRORS) as error:
        raise FileError(f"cannot read {stored}: {brief(error)}") from error
    now = flat(completed(config))
    keys = sorted(set(before) | set(now))
    return {k: (before.get(k), now.get(k)) for k in keys if before.get(k) != now.get(k)}
