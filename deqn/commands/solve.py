"""deqn-solve: one job, or a sweep of them. TensorFlow waits until all words make sense.

Every job of a sweep is composed and validated before the first starts, so that a mistake in a sweep of forty costs
seconds. Exit codes: 0 converged, 2 bad input, 3 diverged, 4 not converged, 5 files, 6 too little memory, 130, 140 and
143 for signals.
"""

import sys
from functools import partial
from pathlib import Path

from hydra.core import utils
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict, read_write

from deqn.commands import STARTED
from deqn.commands.arguments import parse_arguments, run_guarded, show_help
from deqn.configuration.composition import Composition, compose, find_value, split_sweep
from deqn.configuration.job import Job, make_job, recall_overrides
from deqn.configuration.loading import assign
from deqn.configuration.validation import validate
from deqn.runs.engine import start_run
from deqn.sweeps.launch import choose_folder, guard_writes_below, run_hydra, run_sweep
from deqn.system.errors import DeqnError, InputError, choose_exit_code
from deqn.system.extras import check_launcher
from deqn.system.files import lock_file


def run_solve(arguments: list[str]) -> int:
    """Check the arguments, run the job or the sweep, and return the exit code."""
    args = parse_arguments(arguments)
    if args.asks_help:
        return show_help(args, "solve")
    if args.multirun and (args.cfg or args.info):
        raise InputError("--cfg and --info show one job; leave out -m")
    if args.multirun:
        check_launcher(find_value("hydra/launcher", args.overrides))
        jobs = split_sweep(args.overrides)
        check_jobs(jobs, args.config_dir)
        return run_sweep(args.flags, args.overrides, args.config_dir, jobs)
    overrides, config_dir = recall_overrides(args.overrides, args.config_dir)
    composition = compose(overrides, config_dir)
    job = make_job(composition)
    if args.cfg or args.info:
        run_hydra(lambda config: None, config_dir)
        return 0
    return run_single(args.flags, overrides, composition, job)


def check_jobs(jobs: list[list[str]], config_dir: str | None) -> None:
    """Compose and validate every job of a sweep. Raises InputError for the first that is wrong."""
    for job in jobs:
        if validate(compose(job, config_dir).config)[0].resume is not None:
            raise InputError("resume: runs are resumed one at a time, not in a sweep")


def run_single(flags: list[str], overrides: list[str], composition: Composition, job: Job) -> int:
    """One job, in a folder of its own or that of the run to go on with; Hydra keeps its record there, as in a sweep."""
    if job.settings.resume is None:
        words = choose_folder("hydra.run.dir", overrides, f"outputs/{job.name}")
    else:
        words = [*overrides, assign("hydra.run.dir", job.settings.resume)]
    folder = Path(find_value("hydra.run.dir", words))
    lock_file(folder / "run.log", "run").close()  # refused before Hydra leaves its record there
    sys.argv[1:] = [*flags, *words]
    whole = composition.whole
    with read_write(whole.hydra), open_dict(whole.hydra):
        whole.hydra.run.dir, whole.hydra.mode = str(folder), RunMode.RUN
        whole.hydra.overrides.hydra.extend([*words[len(overrides) :], "hydra.mode=RUN"])

    def work(_: DictConfig) -> int:
        try:
            summary = start_run(job, Path(HydraConfig.get().runtime.output_dir), STARTED).result
        except DeqnError as error:
            print(f"deqn-solve: {error}", file=sys.stderr)
            return error.exit_code
        return choose_exit_code(summary.status, summary.signal)

    context = HydraContext(config_loader=None, callbacks=Callback())  # of which a configuration has none
    with guard_writes_below(str(folder)):
        return utils.run_job(work, whole, "hydra.run.dir", None, context).return_value


main = partial(run_guarded, "deqn-solve", run_solve)  # the console script
