"""deqn-solve: Hydra at the door, and TensorFlow only behind it.

The configuration of every job is composed and checked before Hydra starts a job, so that a mistake in a sweep of forty
costs a second. Exit codes: 0 converged, 2 bad input, 3 diverged, 4 not converged, 5 files, 130 and 143 for signals.
"""

import time

STARTED = time.monotonic()

import sys  # noqa: E402
from datetime import datetime  # noqa: E402
from pathlib import Path  # noqa: E402

import hydra  # noqa: E402
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402
from hydra._internal.utils import get_args_parser  # noqa: E402
from hydra.core.hydra_config import HydraConfig  # noqa: E402
from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from deqn import config as door  # noqa: E402
from deqn.errors import DeqnError, FileError, InputError, exit_code  # noqa: E402
from deqn.postponed import load_tensorflow  # noqa: E402


def main() -> None:
    """The console script."""
    try:
        code = command(sys.argv[1:])
    except DeqnError as error:
        print(f"deqn-solve: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def command(arguments: list[str]) -> int:
    """Check the arguments, run the job or the sweep, and return the exit code."""
    args = get_args_parser().parse_args(arguments)
    flags = [a for a in arguments if a not in args.overrides]
    if any((args.help, args.hydra_help, args.cfg, args.info, args.shell_completion)):
        hydra_main(lambda config: None)
        return 0
    if args.multirun:
        check_jobs(jobs_of(args.overrides), args.config_dir)
        return run_sweep(flags, args.overrides)
    resumed = door.value_of("resume", args.overrides)
    overrides = args.overrides if resumed is None else door.continued(args.overrides, Path(resumed))
    (name,) = check_jobs([overrides], args.config_dir)
    return run_single(flags, overrides, name, resumed)


def run_single(flags: list[str], overrides: list[str], name: str, resumed: str | None) -> int:
    """One job, in a folder of its own or that of the run to go on with."""
    if resumed is None:
        overrides = claimed("hydra.run.dir", overrides, f"outputs/{name}")
    else:
        overrides = [*overrides, door.assigned("hydra.run.dir", resumed)]
    codes: list[int] = []
    sys.argv[1:] = [*flags, *overrides]
    hydra_main(lambda config: codes.append(attempt(config)))
    return max(codes, default=1)


def run_sweep(flags: list[str], overrides: list[str]) -> int:
    """All jobs of a sweep, by whatever launcher; then their common summary. Non-zero if any job failed."""
    from deqn.sweep import summarize

    overrides = claimed("hydra.sweep.dir", overrides, "outputs/sweeps")
    sys.argv[1:] = [*flags, *overrides]
    try:
        hydra_main(solve_sweep_job)
    finally:
        rows = summarize(Path(door.value_of("hydra.sweep.dir", overrides)))
    return max((exit_code(row["status"], None) for row in rows), default=1)


def claimed(key: str, overrides: list[str], parent: str) -> list[str]:
    """The overrides with a folder for Hydra: the user's, if it holds no run, or a new one. Raises FileError."""
    given = door.value_of(key, overrides)
    if given is None:
        return [*overrides, door.assigned(key, door.fresh_folder(f"{parent}/{datetime.now():%Y-%m-%d_%H-%M-%S}"))]
    if any(Path(given).glob("config.yaml")) or any(Path(given).glob("*/config.yaml")):
        raise FileError(f"{given} already holds a run; choose another folder, or resume={given}")
    return overrides


def hydra_main(job) -> None:
    """Hand a job to Hydra, with the command line as it stands in sys.argv."""
    hydra.main(version_base="1.3", config_path="pkg://deqn.configs", config_name="config")(job)()


def solve_job(config: DictConfig) -> int:
    """One job, in the folder that Hydra made for it; returns its exit code."""
    began = STARTED if HydraConfig.get().mode == hydra.types.RunMode.RUN else time.monotonic()
    importing = time.monotonic()
    load_tensorflow()
    from rich.console import Console

    from deqn.run import Clock, run

    clock = Clock(began)
    clock.phases["import"] = time.monotonic() - importing
    job = HydraConfig.get()
    folder, overrides = Path(job.runtime.output_dir), list(job.overrides.task)
    solution = run(config, job.runtime.choices.model, folder, overrides, Console(), clock)
    return exit_code(solution.summary["status"], solution.summary["signal"])


def attempt(config: DictConfig) -> int:
    """One job; a failure that needs no traceback is told in a line, and its exit code returned."""
    try:
        return solve_job(config)
    except DeqnError as error:
        print(f"deqn-solve: {error}", file=sys.stderr)
        return error.exit_code


def solve_sweep_job(config: DictConfig) -> int:
    """One job of a sweep: its failure is shown and leaves the others to run; a signal ends the sweep."""
    job = HydraConfig.get()
    print(f"\n[{job.job.num}] {' '.join(job.overrides.task)}", flush=True)
    try:
        code = attempt(config)
    except Exception as error:  # noqa: BLE001 - the traceback stands in the job's run.log
        print(f"deqn-solve: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if code > 128:
        raise KeyboardInterrupt
    return code


def jobs_of(overrides: list[str]) -> list[list[str]]:
    """The overrides of every job of a sweep. Raises InputError."""
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
        return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]
    except door.COMPOSITION_ERRORS as error:
        raise InputError(door.explained(error, overrides, None)) from error


def check_jobs(jobs: list[list[str]], config_dir: str | None) -> list[str]:
    """Compose and check every job; returns their models' names. Raises InputError for the first that is wrong."""
    names = []
    for job in jobs:
        config, name = door.composed(job, config_dir)
        settings = door.checked(config)
        if settings.resume is not None:
            if len(jobs) > 1:
                raise InputError("resume: runs are resumed one at a time, not in a sweep")
            door.check_resumable(config, Path(settings.resume) / "config.yaml")
        names.append(name)
    return names
