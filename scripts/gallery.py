"""The gallery: every economy of the package, solved with its recommended settings and stored with its verdict.

  python scripts/gallery.py                 those whose model, settings or entry changed
  python scripts/gallery.py growth irbc     these, anew
  python scripts/gallery.py --list          what is stored, and what is out of date

Runs lie in outputs/solved/NAME until they are stored. One that was killed goes on where it was.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pandas as pd

import deqn
from deqn.configuration.gallery import hash_model, hash_settings
from deqn.configuration.job import prepare_job
from deqn.system.files import write_json

ROOT = Path(__file__).parents[1]
GALLERY, SOLVED = ROOT / "outputs" / "gallery", ROOT / "outputs" / "solved"
WORDS = {  # what is not `model=NAME` alone
    "olg_analytic": ("model.head=level", "optimizer.polish=4000"),
    "growth_family": (
        "model=stochastic_growth", "pseudo_states.beta=[0.94,0.99]", "pseudo_states.gamma=[1,5]", "tolerance=1e-5",
    ),
}  # fmt: skip
NAMES = sorted([file.stem for file in (ROOT / "configs" / "model").glob("*.yaml")] + ["growth_family"])
KEPT = ("config.yaml", "summary.json", "environment.json", "figures/policies.png", "figures/distribution.png")


def write_words(name: str) -> list[str]:
    """The words of the command that solves an economy, the model first."""
    given = WORDS.get(name, ())
    return list(given) if any(word.startswith("model=") for word in given) else [f"model={name}", *given]


def identify(name: str) -> dict[str, str]:
    """What an entry of today would be solved from: it tells one that is out of date."""
    words = write_words(name)
    job = prepare_job(words)
    return {"command": " ".join(["deqn-solve", *words]), "model_hash": hash_model(job),
            "settings_hash": hash_settings(job)}  # fmt: skip


def find_changes(name: str) -> list[str]:
    """What differs between an entry and what its command would solve today; that it is missing, if it is."""
    file = GALLERY / name / "entry.json"
    if not file.exists():
        return ["there is no entry"]
    entry = json.loads(file.read_text(encoding="utf-8"))
    return [f"{key.removesuffix('_hash')} changed" for key, value in identify(name).items() if entry[key] != value]


def solve(name: str) -> dict:
    """Solve an economy, or go on with a run that was killed; returns its summary."""
    folder, words = SOLVED / name, write_words(name)
    unfinished = (folder / "checkpoints").exists() and not (folder / "summary.json").exists()
    if not unfinished:
        shutil.rmtree(folder, ignore_errors=True)
    model = words[0].removeprefix("model=")
    return deqn.solve(model, [f"resume={folder}"] if unfinished else words[1:], None if unfinished else folder).summary


def store(name: str, summary: dict) -> None:
    """Put what loads, judges and shows a solution into the gallery."""
    place = GALLERY / name
    shutil.rmtree(place, ignore_errors=True)
    weights = sorted((SOLVED / name / "checkpoints").glob("policy.*"))
    for file in [*(SOLVED / name / kept for kept in KEPT), *weights]:
        to = place / file.relative_to(SOLVED / name)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to)
    environment = place / "environment.json"
    content = json.loads(environment.read_text(encoding="utf-8")) | {"command_line": ["deqn-solve", *write_words(name)]}
    write_json(environment, content)
    made = {"versions": content["versions"], "seconds": summary["seconds"]["total"],
            "machine": f"{os.cpu_count()} cores", "date": time.strftime("%Y-%m-%d")}  # fmt: skip
    write_json(place / "entry.json", identify(name) | made)


def main(names: list[str]) -> None:
    """Solve and store what the arguments ask for."""
    if unknown := [name for name in names if name not in [*NAMES, "--list"]]:
        raise SystemExit(f"unknown {unknown[0]!r}; there are {', '.join(NAMES)}")
    changes = {name: find_changes(name) for name in NAMES}
    if "--list" in names:
        print(pd.Series({name: "; ".join(found) or "up to date" for name, found in changes.items()}).to_string())
        return
    asked = names or [name for name in NAMES if changes[name]]
    for i, name in enumerate(asked, 1):
        print(f"{i}/{len(asked)} {name}: {'; '.join(changes[name]) or 'anew'}", flush=True)
        summary = solve(name)
        if summary["status"] != "converged":
            raise SystemExit(f"{name} is {summary['status']}; it is not stored, see {SOLVED / name}")
        store(name, summary)
        size = sum(file.stat().st_size for file in (GALLERY / name).rglob("*") if file.is_file())
        print(f"{name}: stored, {size / 1024:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
