"""Whatever the package imports is declared in pyproject.toml, in the extra that its file belongs to or for all."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROUGHT = packages_distributions()  # import name -> distributions
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    "sweeps/space.py": "tune",
    "sweeps/tune.py": "tune",
}  # files that are imported only where an extra is installed


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declare(requirements):
    """The names of distributions in a list of requirements."""
    return {normalize(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def find_imports(text):
    """The top-level names that a file imports, wherever in it, from outside the package and the standard library."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names - {"deqn"}


def find_undeclared(text, file):
    """What a file imports and no requirement brings."""
    extra = PROJECT["optional-dependencies"][EXTRAS[file]] if file in EXTRAS else []
    declared = declare([*PROJECT["dependencies"], *extra])
    return [name for name in find_imports(text) if not declared & {normalize(d) for d in BROUGHT.get(name, [])}]


FILES = sorted([*(ROOT / "deqn").rglob("*.py"), *(ROOT / "models").glob("*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_imported_is_declared(path):
    assert find_undeclared(path.read_text(encoding="utf-8"), path.relative_to(path.parents[1]).as_posix()) == []


def test_what_is_not_declared_is_found():
    assert find_undeclared("import os\nimport deqn.runs\nfrom numpy import linalg", "runs/x.py") == []
    assert find_undeclared("def f():\n    from pytest import mark", "runs/x.py") == ["pytest"]
    assert find_undeclared("import no_such_module", "runs/x.py") == ["no_such_module"]
    assert find_undeclared("import optuna.trial", "runs/x.py") == ["optuna"]
    assert find_undeclared("import optuna.trial", "sweeps/tune.py") == []
