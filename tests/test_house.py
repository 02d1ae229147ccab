"""The house: imports point down between rooms and inside them, and nothing grows past a size."""

import ast
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "deqn"
ROOMS = (  # from the ground up: a room imports only those before it
    "system", "settings", "model", "configuration", "equations", "perturbation", "policies", "economy", "optimizers",
    "checks", "families", "training", "evaluation", "reporting", "runs", "sweeps", "commands",
)  # fmt: skip
FILES = sorted(HOUSE.rglob("*.py"))
MODULES = {".".join(("deqn", *f.relative_to(HOUSE).with_suffix("").parts)): f for f in FILES}


def imported(file):
    """The modules of the package that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("deqn"):
            for name in node.names:
                yield f"{node.module}.{name.name}" if f"{node.module}.{name.name}" in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in MODULES)


def test_a_room_imports_only_rooms_below_it():
    wrong = [
        f"{file.relative_to(HOUSE)} imports {module}"
        for file in FILES if file.parent != HOUSE
        for module in imported(file)
        if module.count(".") > 1 and ROOMS.index(module.split(".")[1]) > ROOMS.index(file.parent.name)
    ]  # fmt: skip
    assert not wrong


def test_there_is_no_circle_of_files():
    graph = {m: {x for x in imported(f) if x != m and not x.endswith("__init__")} for m, f in MODULES.items()}
    TopologicalSorter({m: x for m, x in graph.items() if not m.endswith("__init__")}).prepare()  # raises CycleError


def test_each_room_says_in_a_line_what_lives_there_and_is_packed():
    packed = tomllib.loads((HOUSE.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {p.removeprefix("deqn.") for p in packed} == {*ROOMS, "deqn", "configs", "gallery", "models"}
    assert {p.parent.name for p in HOUSE.glob("*/__init__.py")} == set(ROOMS)
    for room in ROOMS:
        doc = ast.get_docstring(ast.parse((HOUSE / room / "__init__.py").read_text()))
        assert doc and "\n" not in doc, room


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(HOUSE)))
def test_nothing_is_too_large(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        lines = getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) + 1
        if isinstance(node, ast.ClassDef):
            assert lines <= 200, node.name
        elif isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert lines <= 50 and len([a for a in given if a.arg not in ("self", "cls")]) <= 6, node.name


def test_below_the_door_no_configuration_is_seen():
    """OmegaConf and Hydra stay with the door, the sweeps and the commands, all settings together with the runs, too."""
    for file in FILES:
        imports = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)]
        names = [n.module or "" if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imports]
        if file.parent.name not in ("configuration", "sweeps", "commands"):
            assert not [n for n in names if n.split(".")[0] in ("omegaconf", "hydra")], file
        if file.parent.name not in ("settings", "configuration", "runs", "sweeps", "commands"):
            assert "Settings" not in [name.name for n in imports for name in n.names], file
