"""deqn-irf draws and tabulates impulse responses of a solved model.

  deqn-irf run=outputs/stochastic_growth/... shock=eps size=-2
  deqn-irf run=outputs/irbc/... shock=eps[1] periods=80
  deqn-irf run=outputs/growth/... shock=k size=0.1    a state, 10 % above rest

  run      folder of a solution
  shock    a shock, or a state; an entry of a vector as eps[2]; a name of both
           means the shock
  size     standard deviations, or of a state a share of its value (1)
  periods  dates after the shock (40)
  others   parameters of a family, beta=0.97; those of the model where left out

Writes impulse_responses/<shock>_<size>.csv and .png (parameters in the name,
too) into the run's folder: the path with the shock, the path without it, and
the deviation, all in levels.
Exit codes: 0 done, 2 bad input, 5 files, 6 too little memory.
"""

import math
from functools import partial
from typing import Any

from deqn.commands.arguments import read_words, run_guarded, take_run_folder
from deqn.runs.engine import start_engine
from deqn.settings.ranges import suggest
from deqn.system.errors import InputError
from deqn.system.files import make_folder, write_text

HORIZONS = (0, 1, 2, 4, 8, 16)  # in the table, beside the last


def run_irf(arguments: list[str]) -> int:
    """Tabulate and draw the responses that the arguments ask for; returns the exit code."""
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(__doc__, end="")
        return 0
    given = read_words(arguments)
    folder, shock = take_run_folder(given), given.pop("shock", None)
    if shock is None:
        raise InputError("shock=... is missing: the name of a shock or a state")
    size, periods = (parse_number(key, given.pop(key, default)) for key, default in (("size", 1.0), ("periods", 40)))
    if periods != int(periods) or periods < 1:
        raise InputError(f"periods={periods:g} is not a whole number of at least 1")
    parameters = {key: parse_number(key, value) for key, value in given.items()}
    console = start_engine()
    from deqn.evaluation import analysis
    from deqn.reporting import figures, report
    from deqn.runs import solution

    solved = solution.load_solution(folder)
    if unknown := [key for key in parameters if key not in solved.result.pseudo_states]:
        known = ["run", "shock", "size", "periods", *solved.result.pseudo_states]
        raise InputError(f"unknown key '{unknown[0]}': {suggest(unknown[0], known)}keys are {', '.join(known)}")
    try:
        shocked, baseline = analysis.impulse_response(solved.choose_member(parameters), str(shock), size, int(periods))
    except (KeyError, ValueError) as error:
        raise InputError(error.args[0]) from error
    if lost := [name for name in shocked if not math.isfinite(shocked[name].to_numpy().sum())]:
        raise InputError(f"shock={shock} size={size:g} leads to where {lost[0]} is no number; take a smaller size")
    place = folder / "impulse_responses"
    make_folder(place, exist_ok=True)
    chosen = [f"{key}={value:g}" for key, value in parameters.items()]
    path = place / f"{'_'.join([str(shock), f'{size:g}', *chosen])}.csv"
    write_text(path, report.tabulate_responses(shocked, baseline).to_csv(index=False))
    label = ", ".join([str(shock), f"{size:+g}", *chosen])
    figures.draw_impulse_responses({label: (shocked, baseline)}, path.with_suffix(".png"))
    horizons = sorted({h for h in HORIZONS if h < periods} | {int(periods)})
    report.print_responses(console, label, analysis.percent_deviations(shocked, baseline), horizons)
    console.print(str(path), highlight=False, markup=False, soft_wrap=True)
    return 0


def parse_number(key: str, value: Any) -> float:
    """A finite number. Raises InputError."""
    try:
        parsed = float(value)
    except ValueError as error:
        raise InputError(f"{key}={value} is not a number") from error
    if not math.isfinite(parsed):
        raise InputError(f"{key}={value} is not finite")
    return parsed


main = partial(run_guarded, "deqn-irf", run_irf)  # the console script
