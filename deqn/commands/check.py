"""deqn-check: what is wrong with a model, found without training it.

It leaves nothing behind. Exit codes: 0 nothing is wrong, 2 something is, 6 too little memory.
"""

from functools import partial

from deqn.commands import STARTED
from deqn.commands.arguments import has_solve_options, parse_arguments, run_guarded, show_help
from deqn.configuration.composition import compose
from deqn.configuration.model_class import build_model
from deqn.configuration.validation import validate
from deqn.runs.engine import start_engine
from deqn.system.errors import InputError


def run_check(arguments: list[str]) -> int:
    """Check the arguments, then the model that they describe, and return the exit code."""
    args = parse_arguments(arguments)
    if args.asks_help:
        return show_help(args, "check")
    if has_solve_options(args):
        raise InputError("it checks one model; sweeps, resume= and --cfg belong to deqn-solve")
    composition = compose(args.overrides, args.config_dir)
    settings, kind = validate(composition.config)
    model = build_model(kind, settings.model)
    console = start_engine()
    from deqn.runs.check import inspect

    return inspect(settings, model, composition.name, console, STARTED)


main = partial(run_guarded, "deqn-check", run_check)  # the console script
