"""A configuration holds numbers and choices, never code: what Hydra itself would call by name is refused.

Hydra instantiates callbacks and whatever in its settings has a `_target_`, `logging` calls the factories of its
configuration, and a new environment can put another program in the place of one that is called. YAML is read by a safe
loader, which refuses tags of objects. The one class that a configuration may name, the model's, is checked apart.
"""

import re
from functools import cache
from typing import Any

from omegaconf import DictConfig

from deqn.configuration.loading import flatten_config, load_config
from deqn.system.errors import InputError

GROUPS = ("hydra/launcher", "hydra/sweeper", "hydra/job_logging", "hydra/hydra_logging")
CALLED = re.compile(
    r"callbacks|job_logging|hydra_logging|job\.env_set|(.*\.)?_target_$"
    r"|launcher\.(setup|additional_parameters|srun_args|python|submitit_folder)"
)


def check_harmless(whole: DictConfig, overrides: list[str], config_dir: str | None) -> None:
    """Refuse settings of Hydra's that run code, and names of files outside their folder. Raises InputError.

    `whole`: a composed configuration, Hydra's own settings included. Allowed is what Hydra and its installed plugins
    bring under the names that were chosen. It is composed for the comparison where a word names Hydra's settings or a
    file of the user's could; without either there is nothing to compare.
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
    for key, value in flatten_config(whole.hydra.launcher).items():
        if "\n" in str(value):
            raise InputError(f"hydra.launcher.{key} has more than one line; give a word")


@cache
def list_shipped_calls(*chosen: str) -> dict[str, Any]:
    """What is called under such choices of GROUPS and nothing else; composed once, whatever the size of a sweep."""
    return list_calls(load_config([f"{group}={name}" for group, name in zip(GROUPS, chosen, strict=True)], None).hydra)


def list_calls(hydra: DictConfig) -> dict[str, Any]:
    """The settings of Hydra's that are called, or decide what is."""
    return {key: value for key, value in flatten_config(hydra).items() if CALLED.match(key)}
