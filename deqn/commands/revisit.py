"""deqn-irf and deqn-evaluate: what is asked of a run that is finished. TensorFlow waits until the words make sense."""

import math
import sys
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from deqn.commands.cli import STARTED, guarded, with_tensorflow
from deqn.configuration.config import checked, composed
from deqn.configuration.overrides import check_evaluation, continued
from deqn.settings.ranges import nearest
from deqn.system.clock import Clock
from deqn.system.errors import FileError, InputError, exit_code
from deqn.system.files import fresh_folder, make_folder, write_text

IRF_HELP = """\
deqn-irf draws and tabulates impulse responses of a solved model.

  deqn-irf run=outputs/stochastic_growth/... shock=eps size=-2
  deqn-irf run=outputs/irbc/... shock=eps[1] periods=80
  deqn-irf run=outputs/growth/... shock=k size=0.1    a state, 10 % above rest

  run      folder of a solution
  shock    a shock, or a state; an entry of a vector as eps[2]; a name of both
           means the shock
  size     standard deviations, or of a state a share of its value (1)
  periods  dates after the shock (40)
  others   parameters of a family, beta=0.97; the usual ones where left out

Writes impulse_responses/<shock>_<size>.csv and .png (parameters in the name,
too) into the run's folder: the path with the shock, the path without it, and
the deviation, all in levels.
Exit codes: 0 done, 2 bad input, 5 files, 6 too little memory."""
IDENTITY = ("model", "parameters", "pseudo_states", "changed", "dtype", "steps", "states_visited")
HORIZONS = (0, 1, 2, 4, 8, 16)  # in the table, beside the last


EVALUATE_HELP = """\
deqn-evaluate judges a solution anew: other nodes, paths, box points or seed.

  deqn-evaluate run=outputs/growth/... seed=7
  deqn-evaluate run=outputs/growth/... evaluation.paths=1000
  deqn-evaluate run=outputs/growth/... evaluation.box_scale=1.5    a wider box
  deqn-evaluate run=outputs/growth/... expectation.nodes=20 tolerance=1e-7

  run            folder of a solution
  evaluation.*   paths, periods, burn_in, box, box_scale, reference
  expectation.*  the very rule that judges; without, a finer one than training's
  seed           of the states and shocks
  tolerance      of the mean path error

Prints the verdict, and writes its tables into a new folder evaluations/<time>
in that of the run, which stays as it is.
Exit codes: 0 PASS, 2 bad input, 4 FAIL, 5 files, 6 too little memory."""


def evaluate_main() -> None:
    """The console script deqn-evaluate."""
    sys.exit(guarded("deqn-evaluate", evaluate_command))


def evaluate_command(arguments: list[str]) -> int:
    """Judge a solution under the settings that the arguments change; returns the exit code."""
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(EVALUATE_HELP)
        return 0
    folder = solved(words(arguments))
    given = [a for a in arguments if not a.startswith("run=")]
    config = composed(*continued(given, None, folder))[0]
    check_evaluation(config, folder / "config.yaml")
    settings = checked(config)
    clock = Clock(STARTED)
    with clock.phase("import"):
        console = with_tensorflow()
    from deqn.equations.expectation import expectation, rule
    from deqn.evaluation.judgements import judge
    from deqn.evaluation.summary import Summary
    from deqn.reporting import report
    from deqn.runs import publish, solution, verdict

    with clock.phase("evaluate"):
        found = solution.load_solution(folder)
        identity = {key: getattr(found.result, key) for key in IDENTITY}  # and nothing that was measured before
        own = {"status": "evaluated", "tolerance": settings.tolerance, "seed": settings.seed, "overrides": given}
        found = replace(found, settings=settings, result=Summary(**identity, **own, seconds={}))
        finer = found.judged
        if any(a.lstrip("+").startswith("expectation") for a in given):
            finer = replace(finer, expectation=expectation(finer.model, partial(rule, settings.expectation)))
        case = verdict.compose_case(found, finer)
        summary = judge(case)
    place = Path(fresh_folder(f"{folder}/evaluations/{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    publish.write_errors(place, summary, case.compared)
    summary = replace(summary, seconds=clock.seconds())
    publish.write_summary(place, summary)
    report.print_verdict(console, summary, place)
    return exit_code(summary.status, None)


def irf_main() -> None:
    """The console script deqn-irf."""
    sys.exit(guarded("deqn-irf", irf_command))


def irf_command(arguments: list[str]) -> int:
    """Tabulate and draw the responses that the arguments ask for; returns the exit code."""
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(IRF_HELP)
        return 0
    given = words(arguments)
    folder, shock = solved(given), given.pop("shock", None)
    if shock is None:
        raise InputError("shock=... is missing: the name of a shock or a state")
    size, periods = (as_number(key, given.pop(key, default)) for key, default in (("size", 1.0), ("periods", 40)))
    if periods != int(periods) or periods < 1:
        raise InputError(f"periods={periods:g} is not a whole number of at least 1")
    parameters = {key: as_number(key, value) for key, value in given.items()}
    console = with_tensorflow()
    from deqn.evaluation import analysis
    from deqn.reporting import figures, responses
    from deqn.runs import solution

    found = solution.load_solution(folder)
    unknown = [key for key in parameters if key not in found.result.pseudo_states]
    if unknown:
        known = ["run", "shock", "size", "periods", *found.result.pseudo_states]
        raise InputError(f"unknown key '{unknown[0]}': {nearest(unknown[0], known)}keys are {', '.join(known)}")
    try:
        shocked, baseline = analysis.impulse_response(found.member(parameters), str(shock), size, int(periods))
    except (KeyError, ValueError) as error:
        raise InputError(error.args[0]) from error
    lost = [name for name in shocked if not math.isfinite(shocked[name].to_numpy().sum())]
    if lost:
        raise InputError(f"shock={shock} size={size:g} leads to where {lost[0]} is no number; take a smaller size")
    place = folder / "impulse_responses"
    make_folder(place, exist_ok=True)
    chosen = [f"{key}={value:g}" for key, value in parameters.items()]
    path = place / f"{'_'.join([str(shock), f'{size:g}', *chosen])}.csv"
    write_text(path, responses.tabulate_responses(shocked, baseline).to_csv(index=False))
    label = ", ".join([str(shock), f"{size:+g}", *chosen])
    figures.draw_impulse_responses({label: (shocked, baseline)}, path.with_suffix(".png"))
    horizons = sorted({h for h in HORIZONS if h < periods} | {int(periods)})
    responses.print_responses(console, label, shocked, baseline, horizons)
    console.print(str(path), highlight=False, markup=False, soft_wrap=True)
    return 0


def words(arguments: list[str]) -> dict[str, Any]:
    """Words key=value as a dictionary. Raises InputError."""
    given = {}
    for word in arguments:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InputError(f"cannot read {word!r}; arguments are written key=value")
        given[key] = value
    return given


def solved(given: dict[str, Any]) -> Path:
    """The folder of the run, taken out of the words. Raises InputError where none is named, FileError where none is."""
    if "run" not in given:
        raise InputError(
            "run=... is missing: the folder of a solved model, as in run=outputs/growth/2026-01-31_12-00-00"
        )
    folder = Path(given.pop("run"))
    if not (folder / "summary.json").exists():
        raise FileError(f"run={folder}: there is no finished run in this folder")
    return folder


def as_number(key: str, value: Any) -> float:
    """A finite number. Raises InputError."""
    try:
        found = float(value)
    except ValueError as error:
        raise InputError(f"{key}={value} is not a number") from error
    if not math.isfinite(found):
        raise InputError(f"{key}={value} is not finite")
    return found
