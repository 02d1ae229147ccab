"""What is wrong where a composition fails, in words of the configuration and with what to do. Needs no TensorFlow."""

import importlib
import re
import shlex
import sys
import traceback
from pathlib import Path

import hydra
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import OverrideParseException

from deqn.configuration import loading
from deqn.model.findings import is_engine_file
from deqn.settings.ranges import suggest
from deqn.system.errors import first_line
from deqn.system.extras import is_installed

NUMPY = re.compile(r"np\.\w+\(([^()]*)\)")


def explain(error: Exception, overrides: list[str], config_dir: str | None) -> str:
    """What is wrong with the overrides, in words of the configuration: file, group, key or value, in this order."""
    if isinstance(error, UnicodeDecodeError | yaml.reader.ReaderError):
        return find_wrong_encoding(config_dir) or describe_cause(error)
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        groups = loading.list_group_options(config_dir)
        for o in parsed:
            if "--multirun" in str(error) and o.is_sweep_override():
                return explain_sweep(o)
            name, options = o.key_or_group, groups.get(o.key_or_group, [])
            if name in groups and o.value() not in options:
                near = suggest(str(o.value()), options)
                where = find_misplaced(name, str(o.value()), config_dir)
                return f"{name}={o.value()}: " + (where or f"{near}{name} can be {', '.join(options)}")
            if name == "tuned" and name not in groups:  # a group of searches alone
                return f"tuned={o.value()}: give the folder of a search, --config-dir outputs/tune/MODEL"
        chosen = [o.input_line for o in parsed if o.key_or_group in groups or o.key_or_group.startswith("hydra/")]
        known = list_keys([], None)
        try:
            known = list_keys(chosen, config_dir)
        except loading.COMPOSITION_ERRORS as in_file:
            key = re.search(r"full_key: (\S+)", str(in_file.__cause__ or in_file))
            typo = key and key[1] not in known
            why = explain_unknown_key(key[1], known, list(groups)) if typo else describe_cause(in_file)
            return f"in a YAML file: {why}"
    except OverrideParseException as unreadable:
        return explain_override(str(unreadable.override).removeprefix("++"))
    known = [loading.normalize_name(k) for k in known]
    sections = {k.split(".")[0] for k in known}
    for key in (o.key_or_group for o in parsed):
        if key not in {*known, *groups, *sections} and not key.startswith(("hydra", "pseudo_states.", "continuation.")):
            return explain_unknown_key(key, known, list(groups))
    for o in parsed:
        try:
            loading.load_config([*chosen, o.input_line], config_dir)
        except loading.COMPOSITION_ERRORS as alone:
            hint = f"; write +{o.key_or_group}.NAME=VALUE" if isinstance(o.value(), dict) else ""
            return f"{o.input_line.lstrip('+')}: {describe_cause(alone)}{hint}"
    return describe_cause(error)


def explain_sweep(o: Override) -> str:
    words = o.input_line.lstrip("+")
    key, _, values = words.partition("=")
    hint = f"; a list is written {key}=[{values}]" if o.value_type == ValueType.SIMPLE_CHOICE_SWEEP else ""
    return f"{words}: several values are a sweep, deqn-solve -m {shlex.quote(words)}{hint}"


def explain_override(override: str) -> str:
    """The message for a word that is none of Hydra's; numbers of numpy's are a frequent case in scripts."""
    if NUMPY.search(override):
        number = NUMPY.sub(r"\1", override)
        return f"{override}: this is numpy's way to show a number; write the number itself, {number}"
    return f"cannot read {override!r}; overrides are written key=value"


def find_misplaced(group: str, name: str, config_dir: str | None) -> str:
    """Where a file lies that was meant by group=name, though Hydra does not read it there; empty where none does."""
    if config_dir is None:
        files = sorted(Path().glob(f"*/{group}/{name}.yaml"))
        return f"{files[0]} is found with --config-dir {files[0].parts[0]}" if files else ""
    folder, right = Path(config_dir), Path(config_dir, group, f"{name}.yaml")
    for file in (right.with_suffix(".yml"), folder / f"{name}.yaml", folder / f"{name}.yml"):
        if file.exists() and folder.absolute().name == group:
            return f"{file} is there; give the folder above, --config-dir {folder.absolute().parent}"
        if file.exists():
            return f"{file} is there, but not read; move it to {right}"
    return ""


def find_wrong_encoding(config_dir: str | None) -> str:
    """The file of the user's that is in another encoding; empty where there is none."""
    for file in sorted(Path(config_dir).rglob("*.yaml")) if config_dir is not None else ():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            return f"{file} is not in UTF-8, from byte {error.start} on; save it with this encoding"
        if not text.isprintable() and yaml.reader.Reader.NON_PRINTABLE.search(text):
            return f"{file} has characters that YAML does not allow; save it in UTF-8"
    return ""


def list_keys(chosen: list[str], config_dir: str | None) -> list[str]:
    return [k for k in loading.flatten_config(loading.load_config(chosen, config_dir)) if not k.startswith("hydra.")]


def explain_unknown_key(key: str, known: list[str], groups: list[str]) -> str:
    """The message for a key that does not exist: the nearest one, and what stands beside it."""
    section = key.rpartition(".")[0]
    if section in known:  # a section that is empty so far
        return f"{key} is new in {section}; write +{key}=VALUE"
    beside = [k for k in known if k.rpartition(".")[0] == section and section]
    roots = sorted({k.split(".")[0] for k in known} | set(groups))
    hint = suggest(key, beside or [*known, *roots])
    listed = [k.rpartition(".")[2] for k in beside] or roots
    unlisted = "; +model.NAME=VALUE sets a parameter that the YAML leaves out" if section == "model" else ""
    return f"unknown key '{key}': {hint}{f'{section} has' if beside else 'keys are'} {', '.join(listed)}{unlisted}"


def describe_cause(error: Exception) -> str:
    """The cause of a composition error, one line."""
    cause = error.__cause__ or error
    if isinstance(cause, yaml.MarkedYAMLError) and cause.problem_mark is not None:
        return f"{cause.problem_mark.name}, line {cause.problem_mark.line + 1}: {cause.problem}"
    return first_line(cause)


def explain_class(target: str, error: Exception) -> str:
    """Why the model's class could not be imported: its file and line, another module of that name, or no file."""
    root = target.split(".")[0]
    own, module = Path(f"{root}.py").absolute(), sys.modules.get(root)
    taken = getattr(module, "__file__", None) or ("Python itself" if root in sys.builtin_module_names else None)
    if own.exists() and taken is not None and Path(taken).resolve() != own.resolve():
        return f"{root}.py is not read, since an installed module has that name ({taken}); rename the file"
    if not is_installed(root):
        return f"{describe_cause(error)}; {root}.py is looked for in the folder of the command, and on PYTHONPATH"
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, SyntaxError):
        return f"{cause.filename}, line {cause.lineno}: {cause.msg}"
    outside = ("<frozen", str(Path(hydra.__file__).parent), str(Path(importlib.__file__).parent), __file__)
    frames = [f for f in traceback.extract_tb(cause.__traceback__) if not f.filename.startswith(outside)]
    frames = [f for f in frames if not is_engine_file(f.filename)]
    if not frames:
        return describe_cause(error)
    return f"{frames[0].filename}, line {frames[0].lineno}: {type(cause).__name__}: {first_line(cause)}"
