"""What is public, and so changes by decision alone (docs/promises.md); `python tests/public_names.py` stores it."""

import inspect
import json
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORED = ROOT / "tests" / "public_names.json"
sys.path.insert(0, str(ROOT / "docs"))


def signature(function) -> str:
    """Names and defaults of the parameters; types are written differently from release to release of other packages."""
    parameters = inspect.signature(function).parameters.values()
    return f"({', '.join(str(p.replace(annotation=p.empty)) for p in parameters)})"


def list_public_names() -> dict[str, list[str]]:
    """Commands, keys, exit codes, keys of summary.json, the Python API and the interface of a model, by kind."""
    import deqn
    import generate
    from deqn.evaluation.summary import Summary

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    public = lambda kind: sorted(n for n, value in vars(kind).items() if not n.startswith("_") and callable(value))
    choices = [f"{group}={file.stem}" for group in (*generate.GROUPS, "model")
               for file in sorted((ROOT / "configs" / group).glob("*.yaml"))]  # fmt: skip
    declared = (deqn.State, deqn.Policy, deqn.Multiplier, deqn.Normal, deqn.Discrete, deqn.Markov)
    return {
        "commands": sorted(project["scripts"]),
        "keys": sorted(generate.list_keys()),
        "choices": choices,
        "exit codes": [line.split()[1] for line in generate.describe_exit_codes().splitlines() if line[:3] in
                       {f"| {digit}" for digit in "0123456789"}],
        "summary.json": sorted(f.name for f in fields(Summary) if f.name != "final"),
        "deqn": sorted(deqn.__all__),
        "functions": [f"{f.__name__}{signature(f)}" for f in (deqn.solve, deqn.load, deqn.fischer_burmeister)],
        "Solution": [f"{name}{signature(getattr(deqn.Solution, name))}" for name in public(deqn.Solution)],
        "Model": [f"{name}{signature(getattr(deqn.Model, name))}" for name in public(deqn.Model)],
        "declarations": [f"{kind.__name__}{signature(kind)}" for kind in declared],
    }  # fmt: skip


if __name__ == "__main__":
    STORED.write_text(json.dumps(list_public_names(), indent=1) + "\n", encoding="utf-8")
