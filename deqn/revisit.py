"""deqn-irf and deqn-evaluate: what is asked of a run that is finished. TensorFlow waits until the words make sense."""

import sys
from pathlib import Path
from typing import Any

from deqn.cli import guarded, with_tensorflow
from deqn.errors import FileError, InputError
from deqn.files import make_folder, write_text
from deqn.ranges import nearest

IRF_HELP = """\
deqn-irf draws and tabulates impulse responses of a solved model.

  deqn-irf run=outputs/stochastic_growth/... shock=eps size=-2
  deqn-irf run=outputs/irbc/... shock=eps[1] periods=80
  deqn-irf run=outputs/growth/... shock=k size=0.1    a state, 10 % above rest

  run      folder of a solution
  shock    a shock, or a state; an entry of a vector as eps[2]
  size     standard deviations, or of a state a share of its value (1)
  periods  dates after the shock (40)
  others   parameters of a family, beta=0.97; the usual ones where left out

Writes impulse_responses/<shock>_<size>.csv and .png into the run's folder: the
path with the shock, the path without it, and the deviation, all in levels.
Exit codes: 0 done, 2 bad input, 5 files."""
HORIZONS = (0, 1, 2, 4, 8, 16)  # in the table, beside the last


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
    from deqn import analysis, figures, report, solution

    found = solution.load(folder)
    unknown = [key for key in parameters if key not in found.summary["pseudo_states"]]
    if unknown:
        known = ["run", "shock", "size", "periods", *found.summary["pseudo_states"]]
        raise InputError(f"unknown key '{unknown[0]}': {nearest(unknown[0], known)}keys are {', '.join(known)}")
    try:
        hit, calm = analysis.impulse_response(found.member(parameters), str(shock), size, int(periods))
    except (KeyError, ValueError) as error:
        raise InputError(error.args[0]) from error
    place = folder / "impulse_responses"
    make_folder(place, exist_ok=True)
    path = place / f"{shock}_{size:g}.csv"
    write_text(path, report.response_rows(hit, calm).to_csv(index=False))
    label = f"{shock}, {size:+g}"
    figures.impulse_responses({label: (hit, calm)}, path.with_suffix(".png"))
    report.print_responses(console, label, hit, calm, sorted({h for h in HORIZONS if h < periods} | {int(periods)}))
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
    """A number. Raises InputError."""
    try:
        return float(value)
    except ValueError as error:
        raise InputError(f"{key}={value} is not a number") from error
