"""What the commands share: their start, the words that they are given, and their pages of help."""

import argparse
import contextlib
import io
import os
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser  # there is no public way to the options of hydra.main

from deqn.configuration.composition import find_value
from deqn.configuration.gallery import find_folder, find_place
from deqn.configuration.loading import check_own_folder, to_hydra_syntax
from deqn.sweeps.launch import run_hydra
from deqn.system.errors import FileError, InputError, to_deqn_error

GROUP, WIDTH = re.compile(r"\w+: "), 80  # a line of choices on the pages of help, and how wide it may be


class LastingFile(io.FileIO):
    """A file descriptor to write to; once a write fails (a closed pipe, a full disk) all goes to the null device."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return len(data)


def make_lasting() -> None:
    """Let standard output and error outlast their reader, show ? for a letter that they cannot hold, and be open."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller; the next file to be opened must not take its place
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        elif stream is not getattr(sys, f"__{name}__"):
            continue  # someone else's, such as a test's
        encoding = "utf-8" if stream is None else stream.encoding
        raw = io.BufferedWriter(LastingFile(number, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, encoding, errors="replace", line_buffering=True))


def run_guarded(program: str, command: Callable[[list[str]], int]) -> NoReturn:
    """Exit with the code of a command; a failure that it explains is printed."""
    make_lasting()
    sys.argv[1:] = to_hydra_syntax(sys.argv[1:])  # Hydra reads them, too
    try:
        code = command(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        failure = to_deqn_error(error)
        if failure is None:
            raise
        print(f"{program}: {failure}", file=sys.stderr)
        code = failure.exit_code
    sys.exit(code)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Options, also as they stand (`flags`), and overrides. Raises InputError for options without a meaning here."""
    args = get_args_parser().parse_intermixed_args(arguments)
    args.flags = [a for a in arguments if a not in args.overrides]
    args.asks_help = bool(args.help or args.hydra_help or args.shell_completion)
    sys.argv[1:] = [*args.flags, *args.overrides]  # as Hydra wants them
    for name in ("config_name", "config_path", "experimental_rerun"):
        if getattr(args, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} is not supported; choose a model and override its settings")
    if (args.resolve or args.package) and not args.cfg:
        raise InputError("--resolve and --package are options of --cfg")
    if args.shell_completion and not re.match("(install|uninstall|query)=", " ".join(args.overrides)):
        raise InputError("--shell-completion wants install=SHELL, uninstall=SHELL or query=SHELL")
    return args


def has_solve_options(args: argparse.Namespace) -> bool:
    return args.multirun or args.cfg or args.info or find_value("resume", args.overrides) is not None


def show_help(args: argparse.Namespace, page: str) -> int:
    """Print one of the pages in configs/hydra/help, with the choices of a group on as many lines as they need."""
    check_own_folder(args.config_dir)
    if args.shell_completion:
        run_hydra(lambda config: None, args.config_dir)
        return 0
    sys.argv[1:] = [*args.flags, f"hydra/help={page}"]
    written = io.StringIO()
    try:
        with contextlib.redirect_stdout(written):
            run_hydra(lambda config: None, args.config_dir)
    finally:
        for line in written.getvalue().splitlines():
            print(textwrap.fill(line, WIDTH, subsequent_indent="  ") if GROUP.match(line) else line)
    return 0


def read_words(arguments: list[str]) -> dict[str, str]:
    """Words key=value as a dictionary. Raises InputError."""
    given = {}
    for word in arguments:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InputError(f"cannot read {word!r}; arguments are written key=value")
        given[key] = value
    return given


def take_run_folder(given: dict[str, str]) -> tuple[Path, Path]:
    """The folder of the run, taken out of the words, and that for answers about it.

    Raises InputError where none is named, FileError where none is.
    """
    if "run" not in given:
        raise InputError(
            "run=... is missing: the folder of a solved model, as in run=outputs/growth/2026-01-31_12-00-00"
        )
    run = given.pop("run")
    folder = find_folder(run)
    if not (folder / "summary.json").exists():
        raise FileError(f"run={folder}: there is no finished run in this folder")
    return folder, find_place(run)
