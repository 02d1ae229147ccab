"""The pages that follow from the code: settings, commands, checks, summary.json and exit codes, as MyST Markdown.

`write_pages` writes them before each build of the site; the tests read the same text without Sphinx. What stands in a
page by hand is checked against the same sources: a key that is none raises ValueError.
"""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import gallery_pages
from deqn.evaluation import records
from deqn.evaluation.summary import Summary
from deqn.settings import schema
from deqn.system import errors
from replication_pages import describe_replications

ROOT = Path(__file__).parents[1]
DOCS, CONFIGS, ENGINE = ROOT / "docs", ROOT / "configs", ROOT / "deqn"
COMMENTED = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<value> [^#]*)?(?:#\s*(?P<comment>.*))?$")
GROUPS = ("network", "expectation", "sampling", "loss", "optimizer", "schedule")  # folders of configs/
KEY = re.compile(r"(?<![\w./=\[{,-])((?:" + "|".join(GROUPS) + r"|train|evaluation)\.\w+)")
UNSEEN = "trial", "finer rule"  # steps of deqn-check that print no line
CHECKED = *sorted((ENGINE / "checks").glob("*.py")), ENGINE / "runs" / "check.py"


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a YAML file says of a key."""

    default: str
    comment: str


def write_pages(folder: Path) -> None:
    """Write every generated page. Raises ValueError where a key has no line in configs/, or a page names one that is
    none."""
    folder.mkdir(exist_ok=True)
    pages = {"configuration": describe_settings, "commands": describe_commands, "checks": describe_checks,
             "summary": describe_summary, "exit_codes": describe_exit_codes, "models": describe_models,
             "replications": describe_replications}  # fmt: skip
    for name, describe in pages.items():
        gallery_pages.write(folder / f"{name}.md", describe())
    gallery_pages.write_pages(folder / "gallery")
    for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
        check_keys(page.read_text(encoding="utf-8"), page.name)


# Settings


def list_sections() -> dict[str, type]:
    """The groups of settings and their types, in the order of the schema."""
    return {f.name: f.type for f in dataclasses.fields(schema.Settings) if dataclasses.is_dataclass(f.type)}


def list_keys() -> list[str]:
    """Every key of the command line, `optimizer.states`."""
    keys = [f.name for f in dataclasses.fields(schema.Settings) if f.name not in list_sections()]
    return keys + [f"{name}.{f.name}" for name, kind in list_sections().items() for f in dataclasses.fields(kind)]


def check_keys(text: str, where: str) -> None:
    """Raise ValueError where a text names a setting that is none."""
    known = {*list_keys(), *(f"{group}.name" for group in GROUPS)}
    if wrong := sorted({key for key in KEY.findall(text) if key not in known and not key.endswith((".py", ".yaml"))}):
        raise ValueError(f"{where} names {', '.join(wrong)}: there is no such setting")


def read_comments(file: Path) -> dict[str, Entry]:
    """The keys of a YAML file, `train.steps`, each with its default and its comment."""
    entries, parents, key = {}, {}, ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if key and re.match(r"^ {20,}# ", line):  # a comment that goes on
            entries[key] = dataclasses.replace(entries[key], comment=f"{entries[key].comment} {line.split('# ')[1]}")
            continue
        match = COMMENTED.match(line)
        if not match:
            continue
        depth = len(match["indent"]) // 2
        parents[depth] = match["key"]
        key = ".".join(parents[level] for level in range(depth + 1))
        entries[key] = Entry((match["value"] or "").strip(), (match["comment"] or "").strip())
    return entries


def read_group(group: str) -> dict[str, dict[str, Entry]]:
    """By choice of a group, its keys without the group's own name."""
    choices = {}
    for file in sorted((CONFIGS / group).glob("*.yaml")):
        entries = read_comments(file)
        inside = {k.removeprefix(f"{group}."): e for k, e in entries.items() if k.startswith(f"{group}.")}
        choices[file.stem] = inside or {k: e for k, e in entries.items() if "." not in k}
    return choices


def describe_settings() -> str:
    """The page of every setting."""
    top = read_comments(CONFIGS / "config.yaml")
    lines = ["# Configuration", "", "Every setting of a run. A group is chosen by name, `optimizer=adam`, and a value "
             "by its key, `optimizer.states=2000`. Every command and `deqn.solve` take both. "
             "`deqn-solve model=growth --cfg job` prints the values of a run.", ""]  # fmt: skip
    plain = [f for f in dataclasses.fields(schema.Settings) if f.name not in list_sections() and f.name != "model"]
    lines += ["## The run", "", *tabulate_fields(plain, {"": {f.name: top.get(f.name) for f in plain}}, ""), ""]
    lines += ["`model` is the name of a model, of this package or of a file in `--config-dir`; `model.NAME` is one of "
              "its parameters. See [](models.md).", ""]  # fmt: skip
    for name, kind in list_sections().items():
        lines += [f"## {name}", "", kind.__doc__ or "", ""]
        if name in GROUPS:
            choices = read_group(name)
            lines += [*tabulate_choices(name), "", *tabulate_fields(dataclasses.fields(kind), choices, f"{name}."), ""]
        else:
            own = {k.removeprefix(f"{name}."): e for k, e in top.items() if k.startswith(f"{name}.")}
            lines += [*tabulate_fields(dataclasses.fields(kind), {"": own}, f"{name}."), ""]
    return "\n".join(lines)


def tabulate_choices(group: str) -> Iterator[str]:
    """A row for each choice of a group: the comment at the head of its file."""
    yield from ("| choice | |", "|---|---|")
    for file in sorted((CONFIGS / group).glob("*.yaml")):
        head = []
        for line in file.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                break
            if "@package" not in line:
                head.append(line.lstrip("# "))
        yield f"| `{group}={file.stem}` | {escape(' '.join(head))} |"


def tabulate_fields(
    declared: typing.Sequence[dataclasses.Field], choices: dict[str, dict[str, Entry]], prefix: str
) -> Iterator[str]:
    """A row for each setting. Raises ValueError for one that no YAML file explains."""
    yield from ("| key | type | default | allowed | |", "|---|---|---|---|---|")
    for f in declared:
        given = {choice: entries[f.name] for choice, entries in choices.items() if entries.get(f.name)}
        if f.name not in ("name", "rule") and not all(entry.comment for entry in given.values()):
            raise ValueError(f"{prefix}{f.name} has no line in configs/")
        defaults = list(dict.fromkeys(entry.default for entry in given.values() if entry.default))
        default = ", ".join(f"`{d}`" for d in defaults[:3]) + (", ..." if len(defaults) > 3 else "")
        meaning = explain(given, len(choices))
        if f.name in ("name", "rule"):
            default, meaning = "", "follows from the choice of the group"
        cells = [f"`{prefix}{f.name}`", name_type(f.type), default, name_allowed(f), meaning]
        yield f"| {' | '.join(escape(cell) for cell in cells)} |"


def explain(given: dict[str, Entry], choices: int) -> str:
    """The comments on a key, each with the choices that it belongs to where these are not all."""
    by_comment: dict[str, list[str]] = {}
    for choice, entry in given.items():
        by_comment.setdefault(entry.comment, []).append(choice)
    if len(by_comment) == 1 and len(given) == choices:
        return next(iter(by_comment))
    most = max(by_comment, key=lambda comment: len(by_comment[comment]), default="")
    label = lambda comment: "others" if len(by_comment[comment]) > 4 else ", ".join(by_comment[comment])
    rest = [f"*{label(comment)}*: {comment}" for comment in by_comment if comment != most]
    return "; ".join([f"*{label(most)}*: {most}" if len(by_comment[most]) <= 4 or rest else most, *rest])


def name_type(kind: Any) -> str:
    """A type in words."""
    if isinstance(kind, types.UnionType):
        return " or ".join("null" if part is types.NoneType else name_type(part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"list of {name_type(typing.get_args(kind)[0])}"
    words = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return words.get(kind, "names and values")


def name_allowed(f: dataclasses.Field) -> str:
    """An interval, or the words that are allowed."""
    allowed = f.metadata.get("allowed")
    if isinstance(allowed, tuple):
        return ", ".join(f"`{str(x).lower() if isinstance(x, bool) else x}`" for x in allowed)
    return f"`{allowed}`" if allowed else ""


def escape(cell: str) -> str:
    """Text in a cell of a table."""
    return cell.replace("|", "\\|")


# Commands, checks, exit codes, files


def describe_commands() -> str:
    """The page of what every command prints under --help."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    lines = ["# Commands", "", "What each command prints under `--help`. See [](exit_codes.md)."]
    for command, entry in scripts.items():
        module, function = entry.split(":")
        call = f"import sys; sys.argv[0] = {command!r}; from {module} import {function}; {function}()"
        asked = [sys.executable, "-c", call, "--help"]
        printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        lines += ["", f"## {command}", "", "```text", printed.strip(), "```"]
    return "\n".join([*lines, ""])


def describe_exit_codes() -> str:
    """The page of every exit code."""
    lines = ["# Exit codes", "", "| code | |", "|---|---|"]
    words = {"converged": "the verdict is PASS", "not_converged": "the run is finished and the verdict is FAIL",
             "diverged": "the policies, or the errors on paths, are not finite"}  # fmt: skip
    rows = {errors.choose_exit_code(status, None): text for status, text in words.items()}
    for kind in (errors.InputError, errors.FileError, errors.MemoryShortage):
        rows[kind.exit_code] = (kind.__doc__ or "").strip()
    rows |= {130: "Ctrl-C, or SIGINT: what there is was judged", 143: "SIGTERM; other signals end with 128 + number"}
    lines += [f"| {code} | {text} |" for code, text in sorted(rows.items())]
    return "\n".join([*lines, "", "A sweep ends with the largest code of its jobs.", ""])


def describe_checks() -> str:
    """The page of what deqn-check looks for, and of all that it may say."""
    lines = ["# What deqn-check checks", "",
             "Each check is a line of `deqn-check model=NAME`. A message names the function, the variable and the "
             "value, and most of them say what to write instead. Braces stand for what is filled in.", ""]  # fmt: skip
    functions, calls = {}, {}
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in CHECKED]
    for tree in trees:
        functions |= {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check":
                name, function = node.args[0].value, node.args[1]
                names = [getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(function)]
                calls.setdefault(name, []).extend(n for n in names if n in functions)
    for name, used in calls.items():
        nodes = [functions[n] for n in dict.fromkeys(used)]
        if not nodes or name in UNSEEN:
            continue
        lines += [f"## {name}", ""]
        for node in nodes:
            lines += [" ".join((ast.get_docstring(node) or "").split("Raises")[0].split()), ""]
            messages = list(dict.fromkeys(read_messages(node, functions)))
            lines += [*(f"* {text}" for text in messages), ""]
    return "\n".join(lines)


def read_messages(node: ast.FunctionDef, functions: dict[str, ast.FunctionDef], depth: int = 2) -> Iterator[str]:
    """The messages of a check, and of the functions of the same room that it calls."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.JoinedStr) and len(text := render(inner)) > 40 and "\n" not in text:
            yield text
        called = inner.func.id if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) else None
        if depth and called in functions and functions[called] is not node:
            yield from read_messages(functions[called], functions, depth - 1)


def render(text: ast.JoinedStr) -> str:
    """An f-string with what is filled in in braces, in a cell of code."""
    parts = [part.value if isinstance(part, ast.Constant) else "{...}" for part in text.values]
    return f"`{''.join(parts).replace('`', '')}`"


def describe_summary() -> str:
    """The page of the keys of summary.json."""
    lines = ["# summary.json", "", "What a run was asked for, how its training went, and what was measured afterwards. "
             "Errors are absolute residuals, as shares. A number that is not finite is null.", "",
             *tabulate_class(Summary), ""]  # fmt: skip
    for kind in (records.TrainingRecord, records.StartRecord, records.RungRecord, records.WaypointRecord,
                 records.WorstEquation, records.Stability, records.UnitRoot, records.Settled, records.Distance,
                 records.FirstOrder, records.ClosedForm, records.ReferenceSolution, records.ConstraintErrors,
                 records.Sample):  # fmt: skip
        lines += [f"## {kind.__name__}", "", " ".join((kind.__doc__ or "").split()), "", *tabulate_class(kind), ""]
    return "\n".join(lines)


def tabulate_class(kind: type) -> Iterator[str]:
    """The fields of a dataclass with their types, and the comments beside them."""
    comments = dict(re.findall(r"^    (\w+): [^#\n]*#\s*(.*)$", inspect.getsource(kind), re.M))
    yield from ("| key | type | |", "|---|---|---|")
    for f in dataclasses.fields(kind):
        if f.name == "final":  # the mark of a run that came to its end is that `signal` is there
            continue
        text = f.type.__name__ if isinstance(f.type, type) and not typing.get_args(f.type) else str(f.type)
        text = re.sub(r"deqn\.[\w.]*\.|typing\.", "", text).replace(" | None", ", or null")
        yield f"| `{f.name}` | {escape(text)} | {escape(comments.get(f.name, ''))} |"


def describe_models() -> str:
    """The page of the models of the package: what each is, its parameters, and how to change them."""
    lines = ["# Models and their parameters", ""]
    for file in sorted((CONFIGS / "model").glob("*.yaml")):
        source = (ROOT / "models" / f"{file.stem}.py").read_text(encoding="utf-8")
        head = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0]
        lines += [f"## {file.stem}", "", " ".join(head.split()), "", "| parameter | default | |", "|---|---|---|"]
        parameters = yaml.safe_load(file.read_text(encoding="utf-8"))["model"]
        comments = read_comments(file)
        for name in parameters:
            if name != "_target_":
                entry = comments[f"model.{name}"]
                lines.append(f"| `model.{name}` | `{entry.default}` | {escape(entry.comment)} |")
        lines += ["", f"`deqn-solve model={file.stem}`", ""]
    return "\n".join(lines)
