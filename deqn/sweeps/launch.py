"""What Hydra runs: a job in a folder of its own, or the jobs of a sweep by whatever launcher."""

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from deqn.configuration.composition import own_folder
from deqn.configuration.overrides import value_of
from deqn.configuration.words import assigned
from deqn.evaluation.summary import Summary
from deqn.system.errors import DeqnError, FileError, InputError, as_known, exit_code, first_line
from deqn.system.extras import LAUNCHERS
from deqn.system.files import fresh_folder, locked_log, make_folder, number, write_json
from deqn.system.lazy_tensorflow import find_devices, import_tensorflow
from deqn.system.processes import died, forked

if TYPE_CHECKING:
    from rich.console import Console


def run_single(
    flags: list[str], overrides: list[str], config_dir: str | None, name: str, resumed: str | None, started: float
) -> int:
    """One job, in a folder of its own or that of the run to go on with; `started`: when the command did."""
    if resumed is None:
        overrides = claimed("hydra.run.dir", overrides, f"outputs/{name}")
    else:
        overrides = [*overrides, assigned("hydra.run.dir", resumed)]
    locked_log(Path(value_of("hydra.run.dir", overrides))).close()  # refused before Hydra leaves its record there
    codes: list[int] = []

    def job(config: DictConfig) -> None:
        try:
            summary = solve_job(config, started)
            codes.append(exit_code(summary.status, summary.signal))
        except DeqnError as error:
            print(f"deqn-solve: {error}", file=sys.stderr)
            codes.append(error.exit_code)

    sys.argv[1:] = [*flags, *overrides]
    hydra_main(job, config_dir, value_of("hydra.run.dir", overrides))
    return max(codes, default=1)


def run_sweep(flags: list[str], overrides: list[str], config_dir: str | None, jobs: list[list[str]]) -> int:
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
        hydra_main(job, config_dir, str(folder))
    except Exception as error:  # a process was killed, or could not be started
        print(f"deqn-solve: {type(error).__name__}: {first_line(error)}", file=sys.stderr)
    finally:
        from deqn.sweeps.sweep import (
            summarize,  # pandas and rich, which a mistake on the command line need not wait for
        )

        code = summarize(folder, jobs)
    return code


def solve_sweep_job(config: DictConfig) -> None:
    """One job of a sweep, in a process of its own: its failure leaves the others to run; a signal ends the sweep.

    Jobs beside each other print nothing but a line at the end of each. One that a cluster starts again goes on.
    """
    job = HydraConfig.get()
    launcher, folder = job.runtime.choices["hydra/launcher"], Path(job.runtime.output_dir)
    if (folder / "config.yaml").exists():
        config.resume = str(folder)
    name = f"[{job.job.num}] {' '.join(o.removeprefix('++') for o in job.overrides.task)}"
    beside = launcher in LAUNCHERS
    if not beside:
        print(f"\n{name}", flush=True)
    if LAUNCHERS.get(launcher) == "submitit":  # which starts a process for each job
        code, received = sweep_job(config, name, beside), None
    else:
        import_tensorflow_for(quiet=beside)
        with forked(partial(sweep_job, config, name, beside)) as fork:
            pass
        code, received = fork.code, fork.signal
    if received is not None:
        sys.exit(128 + received)
    if code > 128:
        sys.exit(code)
    if code != 0:
        record_failure(folder, died(code), 1, name, beside)


def sweep_job(config: DictConfig, name: str, beside: bool) -> int:
    """Solve a job of a sweep and say what came of it; returns 0, or as a signal asks that ended it."""
    signal = None
    try:
        summary = solve_job(config, time.monotonic(), quiet=beside)
        signal, error = summary.signal, summary.path_error.mean
        if beside:
            seconds = f"{summary.seconds['total']:.0f} s"
            print(f"{name}: {summary.status}, mean path error {number(error)}, {seconds}", flush=True)
    except Exception as error:  # the traceback stands in the job's run.log
        known = as_known(error)
        reason = f"{type(error).__name__}: {error}" if known is None else str(known)
        folder = Path(HydraConfig.get().runtime.output_dir)
        record_failure(folder, reason, 1 if known is None else known.exit_code, name, beside)
    return 0 if signal is None else exit_code(summary.status, signal)


def record_failure(folder: Path, reason: str, code: int, name: str, beside: bool) -> None:
    """Write a job's failure.json, and say it on the terminal."""
    write_json(folder / "failure.json", {"code": code, "reason": reason})
    if beside:
        print(f"{name}: failed: {reason}", flush=True)
    else:
        print(f"deqn-solve: {reason}", file=sys.stderr)


def claimed(key: str, overrides: list[str], parent: str) -> list[str]:
    """The overrides with a folder for Hydra: the user's, if it holds no run, or a new one. Raises FileError."""
    given = value_of(key, overrides)
    if given is None:
        return [*overrides, assigned(key, fresh_folder(f"{parent}/{datetime.now():%Y-%m-%d_%H-%M-%S}"))]
    if "${" in given:
        raise InputError(f"{key}={given}: give a plain path")
    if any(Path(given).glob("config.yaml")) or any(Path(given).glob("[0-9]*/config.yaml")):
        raise FileError(f"{given} already holds a run; choose another folder, or resume={given}")
    make_folder(Path(given), exist_ok=True)
    return overrides


def hydra_main(job: Callable[[DictConfig], None], config_dir: str | None, folder: str = "a file") -> None:
    """Hand a job to Hydra, with the command line as it stands in sys.argv. Raises FileError, which names the folder."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here, also those of a launcher, and not to the terminal
    try:
        with own_folder(config_dir):
            hydra.main(version_base="1.3", config_path="pkg://deqn.configs", config_name="config")(job)()
    except OSError as error:
        if as_known(error) is not None:
            raise
        raise FileError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def solve_job(config: DictConfig, began: float, quiet: bool = False) -> Summary:
    """One job, in the folder that Hydra made for it; returns its summary."""
    importing = time.monotonic()
    console = with_tensorflow(quiet)
    from deqn.runs.run import Job, run
    from deqn.system.clock import Clock

    clock = Clock(began)
    clock.phases["import"] = time.monotonic() - importing
    hydra_job = HydraConfig.get()
    sources = {s.provider: s.path for s in hydra_job.runtime.config_sources}
    job = Job(config, hydra_job.runtime.choices.model, list(hydra_job.overrides.task), sources.get("own"))
    return run(job, Path(hydra_job.runtime.output_dir), console, clock).result


def with_tensorflow(quiet: bool = False) -> "Console":
    """Import TensorFlow and what is built on it, and find devices; returns the console on which the user saw why."""
    console = import_tensorflow_for(quiet)
    find_devices()
    return console


def import_tensorflow_for(quiet: bool) -> "Console":
    """Import TensorFlow and what is built on it, and compute nothing; returns the console on which the user saw why."""
    from rich.console import Console

    console = Console(quiet=quiet)
    with console.status("importing TensorFlow"):
        import_tensorflow()
        import deqn.runs.run  # noqa: F401

    return console
