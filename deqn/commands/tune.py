"""deqn-tune: a search for good settings. Exit codes: those of the best settings, as of deqn-solve."""

from functools import partial

from deqn.commands.arguments import has_solve_options, parse_arguments, run_guarded, show_help
from deqn.runs.engine import import_engine
from deqn.system.errors import InputError
from deqn.system.extras import check_extra


def run_tune(arguments: list[str]) -> int:
    """Check the declared search, run it or go on with it, and return the exit code of its best settings."""
    args = parse_arguments(arguments)
    if args.asks_help:
        return show_help(args, "tune")
    if has_solve_options(args):
        raise InputError("the same command again goes on with a search; -m, resume= and --cfg belong to deqn-solve")
    check_extra("tune", "optuna", "deqn-tune")
    from deqn.sweeps.space import declare_search

    search = declare_search(args.overrides, args.config_dir)
    console = import_engine()
    from deqn.sweeps.tune import run_search

    return run_search(search, console)


main = partial(run_guarded, "deqn-tune", run_tune)  # the console script
