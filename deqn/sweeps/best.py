"""What a search ends with: the best settings solved once more under a fresh seed, and as YAML for deqn-solve."""

import shlex
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from deqn.configuration.composition import parse_overrides
from deqn.configuration.job import prepare_job
from deqn.configuration.loading import list_group_options
from deqn.evaluation.summary import Summary, read_summary
from deqn.runs.run import run
from deqn.sweeps.space import Search
from deqn.system.clock import Clock
from deqn.system.files import claim_new_folder, format_error, make_folder, write_text


def solve_afresh(search: Search, words: dict[str, str], trial: int, console: Console) -> Summary:
    """The summary of the best trial's settings under a seed that the search has not seen; solved once."""
    for done in sorted(search.folder.glob(f"best_trial_{trial}*/summary.json")):
        summary = read_summary(done.parent)
        if summary.final and summary.signal is None:
            return summary
    overrides = [*search.overrides(words), f"seed={search.fresh_seed}"]
    job = prepare_job(overrides, search.config_dir)
    folder = Path(claim_new_folder(str(search.folder / f"best_trial_{trial}")))
    return run(job, folder, console, Clock()).result


def write_best(search: Search, words: dict[str, str], error: float, summary: Summary) -> tuple[str, ...]:
    """Write tuned/best.yaml; returns what is best, both of its errors, and the command that takes the file.

    `error`: the mean path error (share) by which the settings were chosen; `summary`: that of the fresh solution.
    """
    fresh = summary.path_error.mean
    errors = (f"mean path error {format_error(error)} under seed {search.seed}, which chose it; "
              f"{format_error(fresh)} under seed {search.fresh_seed}")  # fmt: skip
    file = search.folder / "tuned" / "best.yaml"
    make_folder(file.parent, exist_ok=True)
    overrides = search.overrides(words)
    head = f"# @package _global_\n# The best found by: deqn-tune {' '.join(search.declaration)}\n# {errors}.\n"
    best = OmegaConf.create(nest_overrides(search.model, overrides, search.config_dir))
    write_text(file, head + OmegaConf.to_yaml(best))
    use = f"deqn-solve --config-dir {shlex.quote(str(search.folder))} tuned=best"
    if search.config_dir is not None:
        own = shlex.quote(search.config_dir)
        use = f"cp -r {shlex.quote(str(file.parent))} {own} && deqn-solve --config-dir {own} tuned=best"
    return f"best: {' '.join(f'{key}={word}' for key, word in words.items())}", errors, use


def nest_overrides(model: str, overrides: list[str], config_dir: str | None) -> dict[str, Any]:
    """Overrides as a YAML file of Hydra's has them: choices of groups under `defaults`, values under their keys."""
    groups = list_group_options(config_dir)
    choices, values = {"model": model}, OmegaConf.create()
    for o in parse_overrides(overrides):
        if o.key_or_group in groups:
            choices[o.key_or_group] = o.value()
        elif o.key_or_group != "seed":
            OmegaConf.update(values, o.key_or_group, o.value(), force_add=True)
    return {"defaults": [{f"override /{group}": choice} for group, choice in choices.items()] + ["_self_"], **values}
