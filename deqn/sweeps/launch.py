"""What Hydra runs: the jobs of a sweep, each in a folder of its own, by whatever launcher."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from deqn.configuration.composition import find_value, read_hydra_job
from deqn.configuration.job import make_job
from deqn.configuration.loading import assign, search_own_folder
from deqn.runs.engine import import_engine, start_run
from deqn.system.errors import DeqnError, FileError, InputError, choose_exit_code, first_line, to_deqn_error
from deqn.system.extras import LAUNCHERS
from deqn.system.files import claim_new_folder, format_error, make_folder, write_json
from deqn.system.processes import explain_death, run_in_fork


def run_sweep(flags: list[str], overrides: list[str], config_dir: str | None, jobs: list[list[str]]) -> int:
    """Run all jobs of a sweep, by whatever launcher, and summarize them; returns the largest exit code."""
    if find_value("hydra.sweep.subdir", overrides) is not None:
        raise InputError("hydra.sweep.subdir is not supported: the folders of a sweep's jobs are numbered")
    overrides = choose_folder("hydra.sweep.dir", overrides, "outputs/sweeps")
    folder = Path(find_value("hydra.sweep.dir", overrides))
    sys.argv[1:] = [*flags, *overrides]
    words = list(sys.argv)

    def work(config: DictConfig) -> None:
        sys.argv[:] = words  # which a process of the launcher's does not know
        launch_sweep_job(config)

    launcher = find_value("hydra/launcher", overrides)
    if launcher in LAUNCHERS:
        print(f"{len(jobs)} jobs by {launcher}, in {folder}", flush=True)
    try:
        run_hydra(work, config_dir, str(folder))
    except Exception as error:  # a process was killed, or could not be started
        print(f"deqn-solve: {type(error).__name__}: {first_line(error)}", file=sys.stderr)
    finally:
        from deqn.sweeps.sweep import summarize

        code = summarize(folder, jobs)
    return code


def launch_sweep_job(config: DictConfig) -> None:
    """Run a job of a sweep in a process of its own. If it fails, the others still run; a signal ends the sweep."""
    job = HydraConfig.get()
    launcher, folder = job.runtime.choices["hydra/launcher"], Path(job.runtime.output_dir)
    if (folder / "config.yaml").exists():  # a cluster has started the job again
        config.resume = str(folder)
    name = f"[{job.job.num}] {' '.join(o.removeprefix('++') for o in job.overrides.task)}"
    beside = launcher in LAUNCHERS  # other jobs, which print only a line at their end
    if not beside:
        print(f"\n{name}", flush=True)
    if LAUNCHERS.get(launcher) == "submitit":  # which starts a process for each job
        code, received = run_sweep_job(config, name, beside), None
    else:
        import_engine(quiet=beside)
        with run_in_fork(lambda: run_sweep_job(config, name, beside)) as fork:
            pass
        code, received = fork.code, fork.signal
    if received is not None or code > 128:
        sys.exit(code if received is None else 128 + received)
    if code != 0:
        write_failure(folder, explain_death(code), 1, name, beside)


def run_sweep_job(config: DictConfig, name: str, beside: bool) -> int:
    """Solve a job of a sweep and say what came of it; returns 0, or as a signal asks that ended it."""
    folder, began = Path(HydraConfig.get().runtime.output_dir), time.monotonic()
    try:
        summary = start_run(make_job(read_hydra_job(config)), folder, began, quiet=beside).result
        if beside:
            result = f"mean path error {format_error(summary.path_error.mean)}, {summary.seconds['total']:.0f} s"
            print(f"{name}: {summary.status}, {result}", flush=True)
        return 0 if summary.signal is None else choose_exit_code(summary.status, summary.signal)
    except Exception as error:  # the traceback stands in the job's run.log
        failure = to_deqn_error(error) or DeqnError(f"{type(error).__name__}: {error}")
        write_failure(folder, str(failure), failure.exit_code, name, beside)
        return 0


def write_failure(folder: Path, reason: str, code: int, name: str, beside: bool) -> None:
    """Write a job's failure.json, and say it on the terminal."""
    write_json(folder / "failure.json", {"code": code, "reason": reason})
    if beside:
        print(f"{name}: failed: {reason}", flush=True)
    else:
        print(f"deqn-solve: {reason}", file=sys.stderr)


def choose_folder(key: str, overrides: list[str], parent: str) -> list[str]:
    """The overrides with a folder for Hydra: the user's, if it holds no run, or a new one. Raises FileError."""
    given = find_value(key, overrides)
    if given is None:
        return [*overrides, assign(key, claim_new_folder(f"{parent}/{datetime.now():%Y-%m-%d_%H-%M-%S}"))]
    if "${" in given:
        raise InputError(f"{key}={given}: give a plain path")
    if any(Path(given).glob("config.yaml")) or any(Path(given).glob("[0-9]*/config.yaml")):
        raise FileError(f"{given} already holds a run; choose another folder, or resume={given}")
    make_folder(Path(given), exist_ok=True)
    return overrides


def run_hydra(work: Callable[[DictConfig], None], config_dir: str | None, folder: str = "a file") -> None:
    """Hand the command line, as it stands in sys.argv, to Hydra. Raises FileError, which names the folder."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here, also those of a launcher, and not to the terminal
    with search_own_folder(config_dir), guard_writes_below(folder):
        hydra.main(version_base="1.3", config_path="pkg://deqn.configs", config_name="config")(work)()


@contextlib.contextmanager
def guard_writes_below(folder: str) -> Iterator[None]:
    """Raise a system error of the block as a FileError that names the file, or else the folder."""
    try:
        yield
    except OSError as error:
        if to_deqn_error(error) is not None:
            raise
        raise FileError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
