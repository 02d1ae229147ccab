"""deqn-solve, deqn-check and deqn-tune: Hydra at the door, and TensorFlow only behind it.

The configuration of every job is composed and checked before Hydra starts a job, so that a mistake in a sweep of forty
costs seconds. Exit codes: 0 converged, 2 bad input, 3 diverged, 4 not converged, 5 files, 6 too little memory, 130, 140
and 143 for signals.
`deqn-check` leaves nothing behind, so that Hydra starts no job for it: 0 nothing is wrong, 2 something is.
"""

import time

STARTED = time.monotonic()

import argparse  # noqa: E402
import contextlib  # noqa: E402
import io  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import textwrap  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402
from hydra._internal.utils import get_args_parser  # noqa: E402
from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: E402

from deqn.configuration.composition import COMPOSITION_ERRORS  # noqa: E402
from deqn.configuration.config import checked, composed, prepared  # noqa: E402
from deqn.configuration.explanation import explained  # noqa: E402
from deqn.configuration.overrides import check_resumable, continued, value_of  # noqa: E402
from deqn.configuration.words import to_hydra_syntax  # noqa: E402
from deqn.sweeps.launch import hydra_main, import_tensorflow_for, run_single, run_sweep, with_tensorflow  # noqa: E402
from deqn.sweeps.space import declared  # noqa: E402
from deqn.system.errors import InputError, as_known  # noqa: E402
from deqn.system.extras import check_extra, check_launcher  # noqa: E402
from deqn.system.streams import make_lasting  # noqa: E402

COMPLETION = re.compile(r"(install|uninstall|query)=")
GROUP, WIDTH = re.compile(r"\w+: "), 80  # a line of choices on the pages of help, and how wide it may be


def main() -> None:
    """The console script deqn-solve."""
    sys.exit(guarded("deqn-solve", solve_command))


def check_main() -> None:
    """The console script deqn-check."""
    sys.exit(guarded("deqn-check", check_command))


def tune_main() -> None:
    """The console script deqn-tune."""
    sys.exit(guarded("deqn-tune", tune_command))


def guarded(program: str, command: Callable[[list[str]], int]) -> int:
    """The exit code of a command; a failure that it explains is printed."""
    make_lasting()
    sys.argv[1:] = to_hydra_syntax(sys.argv[1:])  # Hydra reads them, too
    try:
        return command(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        failure = as_known(error)
        if failure is None:
            raise
        print(f"{program}: {failure}", file=sys.stderr)
        return failure.exit_code


def solve_command(arguments: list[str]) -> int:
    """Check the arguments, run the job or the sweep, and return the exit code."""
    args = parsed(arguments)
    if is_help(args):
        return show_help(args, "solve")
    if args.multirun and (args.cfg or args.info):
        raise InputError("--cfg and --info show one job; leave out -m")
    if args.multirun:
        check_launcher(value_of("hydra/launcher", args.overrides))
        jobs = jobs_of(args.overrides)
        check_jobs(jobs, args.config_dir)
        return run_sweep(args.flags, args.overrides, args.config_dir, jobs)
    overrides, config_dir, resumed = args.overrides, args.config_dir, value_of("resume", args.overrides)
    if resumed is not None:
        overrides, config_dir = continued(overrides, config_dir, Path(resumed))
    (name,) = check_jobs([overrides], config_dir)
    if args.cfg or args.info:
        hydra_main(lambda config: None, config_dir)
        return 0
    return run_single(args.flags, overrides, config_dir, name, resumed, STARTED)


def check_command(arguments: list[str]) -> int:
    """Check the arguments, then the model that they describe, and return the exit code."""
    args = parsed(arguments)
    if is_help(args):
        return show_help(args, "check")
    if args.multirun or args.cfg or args.info or value_of("resume", args.overrides) is not None:
        raise InputError("it checks one model; sweeps, resume= and --cfg belong to deqn-solve")
    config, name = composed(args.overrides, args.config_dir)
    _, settings = prepared(config, args.overrides)
    console = with_tensorflow()
    from deqn.runs.check import inspect

    return inspect(settings, name, console, STARTED)


def tune_command(arguments: list[str]) -> int:
    """Check the declared search, run it or go on with it, and return the exit code of its best settings."""
    args = parsed(arguments)
    if is_help(args):
        return show_help(args, "tune")
    if args.multirun or args.cfg or args.info or value_of("resume", args.overrides) is not None:
        raise InputError("the same command again goes on with a search; -m, resume= and --cfg belong to deqn-solve")
    check_extra("tune", "optuna", "deqn-tune")
    search = declared(args.overrides, args.config_dir)
    console = import_tensorflow_for(quiet=False)
    from deqn.sweeps.tune import tune

    return tune(search, console)


def show_help(args: argparse.Namespace, page: str) -> int:
    """Print one of the pages in configs/hydra/help, with the choices of a group on as many lines as they need."""
    composed([], args.config_dir)  # refuses a folder that is not there
    if args.shell_completion:
        hydra_main(lambda config: None, args.config_dir)
        return 0
    sys.argv[1:] = [*args.flags, f"hydra/help={page}"]
    written = io.StringIO()
    try:
        with contextlib.redirect_stdout(written):
            hydra_main(lambda config: None, args.config_dir)
    finally:
        for line in written.getvalue().splitlines():
            print(textwrap.fill(line, WIDTH, subsequent_indent="  ") if GROUP.match(line) else line)
    return 0


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The words of a command line, options and overrides in any order; the options also as they stand, in `flags`.

    Raises InputError for options of Hydra's that have no meaning here.
    """
    args = get_args_parser().parse_intermixed_args(arguments)
    args.flags = [a for a in arguments if a not in args.overrides]
    sys.argv[1:] = [*args.flags, *args.overrides]  # as Hydra wants them
    for name in ("config_name", "config_path", "experimental_rerun"):
        if getattr(args, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} is not supported; choose a model and override its settings")
    if (args.resolve or args.package) and not args.cfg:
        raise InputError("--resolve and --package are options of --cfg")
    if args.shell_completion and not COMPLETION.match(" ".join(args.overrides)):
        raise InputError("--shell-completion wants install=SHELL, uninstall=SHELL or query=SHELL")
    return args


def is_help(args: argparse.Namespace) -> bool:
    """Whether nothing is to be run."""
    return bool(args.help or args.hydra_help or args.shell_completion)


def jobs_of(overrides: list[str]) -> list[list[str]]:
    """The overrides of every job of a sweep. Raises InputError."""
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    except COMPOSITION_ERRORS as error:
        raise InputError(explained(error, overrides, None)) from error


def check_jobs(jobs: list[list[str]], config_dir: str | None) -> list[str]:
    """Compose and check every job; returns their models' names. Raises InputError for the first that is wrong."""
    names = []
    for job in jobs:
        config, name = composed(job, config_dir)
        settings = checked(config)
        if settings.resume is not None:
            if len(jobs) > 1:
                raise InputError("resume: runs are resumed one at a time, not in a sweep")
            check_resumable(config, Path(settings.resume) / "config.yaml")
        names.append(name)
    return names
