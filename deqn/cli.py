"""deqn-solve, deqn-check and deqn-tune: Hydra at the door, and TensorFlow only behind it.

The configuration of every job is composed and checked before Hydra starts a job, so that a mistake in a sweep of forty
costs seconds. Exit codes: 0 converged, 2 bad input, 3 diverged, 4 not converged, 5 files, 130, 140 and 143 for signals.
`deqn-check` leaves nothing behind, so that Hydra starts no job for it: 0 nothing is wrong, 2 something is.
"""

import time

STARTED = time.monotonic()

import argparse  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from datetime import datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import hydra  # noqa: E402
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402
from hydra._internal.utils import get_args_parser  # noqa: E402
from hydra.core.hydra_config import HydraConfig  # noqa: E402
from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from deqn.composition import COMPOSITION_ERRORS, explained, opened  # noqa: E402
from deqn.config import checked, composed  # noqa: E402
from deqn.errors import DeqnError, FileError, InputError, exit_code, first_line  # noqa: E402
from deqn.extras import LAUNCHERS, check_extra, check_launcher  # noqa: E402
from deqn.files import fresh_folder, locked_log, make_folder, number, write_json  # noqa: E402
from deqn.overrides import assigned, check_resumable, continued, value_of  # noqa: E402
from deqn.postponed import load_tensorflow  # noqa: E402
from deqn.space import declared  # noqa: E402
from deqn.streams import make_lasting  # noqa: E402

if TYPE_CHECKING:
    from rich.console import Console


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
    sys.argv[1:] = opened(sys.argv[1:])  # Hydra reads them, too
    try:
        return command(sys.argv[1:])
    except DeqnError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def solve_command(arguments: list[str]) -> int:
    """Check the arguments, run the job or the sweep, and return the exit code."""
    args = parsed(arguments)
    flags = [a for a in arguments if a not in args.overrides]
    if is_help(args):
        hydra_main(lambda config: None)
        return 0
    if args.multirun:
        check_launcher(value_of("hydra/launcher", args.overrides))
        jobs = jobs_of(args.overrides)
        check_jobs(jobs, args.config_dir)
        return run_sweep(flags, args.overrides, jobs)
    overrides, config_dir, resumed = args.overrides, args.config_dir, value_of("resume", args.overrides)
    if resumed is not None:
        overrides, config_dir = continued(overrides, config_dir, Path(resumed))
        flags += ["--config-dir", config_dir] if config_dir != args.config_dir else []
    (name,) = check_jobs([overrides], config_dir)
    if args.cfg or args.info:
        hydra_main(lambda config: None)
        return 0
    return run_single(flags, overrides, name, resumed)


def check_command(arguments: list[str]) -> int:
    """Check the arguments, then the model that they describe, and return the exit code."""
    args = parsed(arguments)
    if is_help(args):
        return show_help(arguments, "check")
    if args.multirun or args.cfg or args.info or value_of("resume", args.overrides) is not None:
        raise InputError("it checks one model; sweeps, resume= and --cfg belong to deqn-solve")
    config, name = composed(args.overrides, args.config_dir)
    settings = checked(config)
    console = with_tensorflow()
    from deqn.check import inspect

    return inspect(settings, name, console, STARTED)


def tune_command(arguments: list[str]) -> int:
    """Check the declared search, run it or go on with it, and return the exit code of its best settings."""
    args = parsed(arguments)
    if is_help(args):
        return show_help(arguments, "tune")
    if args.multirun or args.cfg or args.info or value_of("resume", args.overrides) is not None:
        raise InputError("the same command again goes on with a search; -m, resume= and --cfg belong to deqn-solve")
    check_extra("tune", "optuna", "deqn-tune")
    search = declared(args.overrides, args.config_dir)
    console = with_tensorflow()
    from deqn.tune import tune

    return tune(search, console)


def show_help(arguments: list[str], page: str) -> int:
    """Print one of the pages in configs/hydra/help."""
    sys.argv[1:] = [*arguments, f"hydra/help={page}"]
    hydra_main(lambda config: None)
    return 0


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The words of a command line. Raises InputError for options of Hydra's that have no meaning here."""
    args = get_args_parser().parse_args(arguments)
    for name in ("config_name", "config_path", "experimental_rerun"):
        if getattr(args, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} is not supported; choose a model and override its settings")
    return args


def is_help(args: argparse.Namespace) -> bool:
    """Whether nothing is to be run."""
    return bool(args.help or args.hydra_help or args.shell_completion)


def run_single(flags: list[str], overrides: list[str], name: str, resumed: str | None) -> int:
    """One job, in a folder of its own or that of the run to go on with."""
    if resumed is None:
        overrides = claimed("hydra.run.dir", overrides, f"outputs/{name}")
    else:
        overrides = [*overrides, assigned("hydra.run.dir", resumed)]
    locked_log(Path(value_of("hydra.run.dir", overrides))).close()  # refused before Hydra leaves its record there
    codes: list[int] = []

    def job(config: DictConfig) -> None:
        try:
            summary = solve_job(config)
            codes.append(exit_code(summary["status"], summary["signal"]))
        except DeqnError as error:
            print(f"deqn-solve: {error}", file=sys.stderr)
            codes.append(error.exit_code)

    sys.argv[1:] = [*flags, *overrides]
    hydra_main(job)
    return max(codes, default=1)


def run_sweep(flags: list[str], overrides: list[str], jobs: list[list[str]]) -> int:
    """All jobs of a sweep, by whatever launcher; then their common summary. Non-zero if any job failed."""
    if value_of("hydra.sweep.subdir", overrides) is not None:
        raise InputError("hydra.sweep.subdir is not supported: the folders of a sweep's jobs are numbered")
    overrides = claimed("hydra.sweep.dir", overrides, "outputs/sweeps")
    folder = Path(value_of("hydra.sweep.dir", overrides))
    sys.argv[1:] = [*flags, *overrides]
    words = list(sys.argv)

    def job(config: DictConfig) -> None:
        sys.argv[:] = words  # which a process of the launcher's does not know
        solve_sweep_job(config)

    launcher = value_of("hydra/launcher", overrides)
    if launcher in LAUNCHERS:
        print(f"{len(jobs)} jobs by {launcher}, in {folder}", flush=True)
    try:
        hydra_main(job)
    except Exception as error:  # a process was killed, or could not be started
        print(f"deqn-solve: {type(error).__name__}: {first_line(error)}", file=sys.stderr)
    finally:
        from deqn.sweep import summarize  # pandas and rich, which a mistake on the command line need not wait for

        code = summarize(folder, jobs)
    return code


def claimed(key: str, overrides: list[str], parent: str) -> list[str]:
    """The overrides with a folder for Hydra: the user's, if it holds no run, or a new one. Raises FileError."""
    given = value_of(key, overrides)
    if given is None:
        return [*overrides, assigned(key, fresh_folder(f"{parent}/{datetime.now():%Y-%m-%d_%H-%M-%S}"))]
    if "${" in given:
        raise InputError(f"{key}={given}: give a plain path")
    if any(Path(given).glob("config.yaml")) or any(Path(given).glob("*/config.yaml")):
        raise FileError(f"{given} already holds a run; choose another folder, or resume={given}")
    make_folder(Path(given), exist_ok=True)
    return overrides


def hydra_main(job) -> None:
    """Hand a job to Hydra, with the command line as it stands in sys.argv. Raises FileError."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here, also those of a launcher, and not to the terminal
    try:
        hydra.main(version_base="1.3", config_path="pkg://deqn.configs", config_name="config")(job)()
    except OSError as error:
        raise FileError(f"cannot write {error.filename or 'a file'}: {error.strerror or error}") from error


def solve_job(config: DictConfig, quiet: bool = False) -> dict[str, Any]:
    """One job, in the folder that Hydra made for it; returns its summary."""
    began = STARTED if HydraConfig.get().mode == hydra.types.RunMode.RUN else time.monotonic()
    importing = time.monotonic()
    console = with_tensorflow(quiet)
    from deqn.clock import Clock
    from deqn.run import Job, run

    clock = Clock(began)
    clock.phases["import"] = time.monotonic() - importing
    hydra_job = HydraConfig.get()
    sources = {s.provider: s.path for s in hydra_job.runtime.config_sources}
    job = Job(config, hydra_job.runtime.choices.model, list(hydra_job.overrides.task), sources.get("command-line"))
    return run(job, Path(hydra_job.runtime.output_dir), console, clock).summary


def with_tensorflow(quiet: bool = False) -> "Console":
    """Import TensorFlow and what is built on it; returns the console on which the user saw why that took a while."""
    from rich.console import Console

    console = Console(quiet=quiet)
    with console.status("importing TensorFlow"):
        load_tensorflow()
        import deqn.run  # noqa: F401

    return console


def solve_sweep_job(config: DictConfig) -> None:
    """One job of a sweep: its failure is recorded and leaves the others to run; a signal ends the sweep.

    Jobs beside each other print nothing but a line at the end of each.
    """
    job = HydraConfig.get()
    name = f"[{job.job.num}] {' '.join(job.overrides.task)}"
    beside = job.runtime.choices["hydra/launcher"] in LAUNCHERS
    if not beside:
        print(f"\n{name}", flush=True)
    signal = None
    try:
        summary = solve_job(config, quiet=beside)
        signal, error = summary["signal"], summary["euler_errors"]["path"]["all"]["mean"]
        outcome = f"{summary['status']}, mean path error {number(error)}, {summary['seconds']['total']:.0f} s"
    except Exception as error:  # the traceback stands in the job's run.log
        known = isinstance(error, DeqnError)
        failure = {
            "code": error.exit_code if known else 1,
            "reason": str(error) if known else f"{type(error).__name__}: {error}",
        }
        write_json(Path(job.runtime.output_dir) / "failure.json", failure)
        outcome = f"failed: {failure['reason']}"
        if not beside:
            print(f"deqn-solve: {failure['reason']}", file=sys.stderr)
    if beside:
        print(f"{name}: {outcome}", flush=True)
    if signal is not None:
        sys.exit(exit_code(summary["status"], signal))


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
