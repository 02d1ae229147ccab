"""deqn-irf draws and tabulates impulse responses of a solved model.

  deqn-irf run=outputs/stochastic_growth/... shock=eps size=-2
  deqn-irf run=outputs/irbc/... shock=eps[1] periods=80
  deqn-irf run=outputs/growth/... shock=k size=0.1    a state, 10 % above rest
  deqn-irf run=outputs/olg_analytic/... shock=delta outcome=1    an outcome

  run      folder of a solution, or gallery:NAME
  shock    a shock, or a state; an entry of a vector as eps[2]; a name of both
           means the shock
  size     standard deviations, or of a state a share of its value (1)
  outcome  in place of size, the outcome of a discrete shock, counted from 0
  periods  dates after the shock (40)
  others   parameters of a family, beta=0.97; those of the model where left out

Writes impulse_responses/<shock>_<size>.csv and .png (outcome and parameters in
the name, too) into the run's folder, or outputs/NAME for gallery:NAME: the path
with the shock, the path without it, and the deviation, all in levels.
Exit codes: 0 done, 2 bad input, 5 files, 6 too little memory.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from deqn.commands.arguments import read_words, run_guarded, take_run_folder
from deqn.runs.engine import start_engine
from deqn.settings.ranges import suggest
from deqn.system.errors import InputError
from deqn.system.files import make_folder, write_text

HORIZONS = (0, 1, 2, 4, 8, 16)  # in the table, beside the last


@dataclass(frozen=True)
class Request:
    """A response that is asked for; `outcome` is None where `size` counts, `parameters` are those of a family."""

    shock: str
    size: float
    outcome: int | None
    periods: int
    parameters: dict[str, float]

    def describe(self, sign: str) -> list[str]:
        """What it is, in words; with a `sign` of "+" the size shows its own."""
        moved = f"{self.size:{sign}g}" if self.outcome is None else f"outcome={self.outcome}"
        return [self.shock, moved, *(f"{key}={value:g}" for key, value in self.parameters.items())]


def run_irf(arguments: list[str]) -> int:
    """Tabulate and draw the responses that the arguments ask for; returns the exit code."""
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(__doc__, end="")
        return 0
    given = read_words(arguments)
    (folder, answers), asked = take_run_folder(given), read_request(given)
    console = start_engine()
    from deqn.evaluation import responses
    from deqn.reporting import figures, report
    from deqn.runs import solution

    solved = solution.load_solution(folder)
    if unknown := [key for key in asked.parameters if key not in solved.result.pseudo_states]:
        known = ["run", "shock", "size", "outcome", "periods", *solved.result.pseudo_states]
        raise InputError(f"unknown key '{unknown[0]}': {suggest(unknown[0], known)}keys are {', '.join(known)}")
    try:
        member = solved.choose_member(asked.parameters)
        shocked, baseline = responses.impulse_response(member, asked.shock, asked.size, asked.periods, asked.outcome)
    except (KeyError, ValueError) as error:
        raise InputError(error.args[0]) from error
    label = ", ".join(asked.describe("+"))
    if lost := [name for name in shocked if not math.isfinite(shocked[name].to_numpy().sum())]:
        raise InputError(f"the response to {label} leads to where {lost[0]} is no number; take a smaller size")
    place = answers / "impulse_responses"
    make_folder(place, exist_ok=True)
    path = place / f"{'_'.join(asked.describe(''))}.csv"
    write_text(path, report.tabulate_responses(shocked, baseline).to_csv(index=False))
    figures.draw_impulse_responses({label: (shocked, baseline)}, path.with_suffix(".png"))
    horizons = sorted({h for h in HORIZONS if h < asked.periods} | {asked.periods})
    report.print_responses(console, label, responses.percent_deviations(shocked, baseline), horizons)
    console.print(str(path), highlight=False, markup=False, soft_wrap=True)
    return 0


def read_request(given: dict[str, Any]) -> Request:
    """The response that the keys ask for; keys that are none here are parameters. Raises InputError."""
    if "shock" not in given:
        raise InputError("shock=... is missing: the name of a shock or a state")
    if {"size", "outcome"} <= set(given):
        raise InputError("size and outcome are both given; a response is to one of them")
    shock, outcome = str(given.pop("shock")), given.pop("outcome", None)
    size, periods = (parse_number(key, given.pop(key, default)) for key, default in (("size", 1.0), ("periods", 40)))
    if periods != int(periods) or periods < 1:
        raise InputError(f"periods={periods:g} is not a whole number of at least 1")
    if outcome is not None:
        number = parse_number("outcome", outcome)
        if number != int(number) or number < 0:
            raise InputError(f"outcome={outcome} is not a whole number of at least 0")
        outcome = int(number)
    return Request(shock, size, outcome, int(periods), {key: parse_number(key, x) for key, x in given.items()})


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
