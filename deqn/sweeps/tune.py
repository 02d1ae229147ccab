"""A search for the settings with the smallest error: Optuna's tree-structured Parzen estimator (Bergstra et al. 2011).

The search minimizes the mean path error of the verdict. If two errors agree to two digits, the faster trial wins. All
trials share one seed, which flatters the best of them, so it is solved once more under a fresh seed. The study is kept
in SQLite: a search that was stopped goes on with the trial that was running.
"""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from deqn.configuration.composition import compose
from deqn.configuration.validation import validate
from deqn.sweeps.space import Dimension, Search, format_number
from deqn.sweeps.sweep import publish, show
from deqn.sweeps.trial import Outcome, solve_afresh, solve_trial, write_best
from deqn.system.errors import DeqnError, FileError, InputError, choose_exit_code, first_line
from deqn.system.files import claim_new_folder, format_error, lock_file, make_folder, write_text
from deqn.system.lazy_tensorflow import find_devices

AT_LEAST = 5  # finished trials before one is pruned
BEHIND = 10  # times the median error of the others after as many seconds: pruned
QUICK = ["evaluation.figures=false", "evaluation.reference=false"]  # of trials, unless the user says otherwise


def run_search(search: Search, console: Console) -> int:
    """Run what trials are left, then solve the best once more; returns the exit code. Raises InputError, FileError."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    make_folder(search.folder, exist_ok=True)
    try:
        with lock_file(search.folder / "lock", "search"):
            study = open_study(search)
            while len(list_ended(study)) < min(search.trials, count_points(search)):
                signal = run_trial(study, search, console)
                rows = [tabulate_trial(t, search) for t in rank_trials(study)]
                write_text(search.folder / "trials.csv", pd.DataFrame(rows).to_csv(index=False))
                if signal is not None:
                    return 128 + signal
            return conclude_search(study, search, console)
    except (optuna.exceptions.OptunaError, SQLAlchemyError) as error:
        raise FileError(f"{search.folder / 'study.db'}: {first_line(error)}") from error


def open_study(search: Search) -> optuna.Study:
    """The study, new or to go on with, trials that were running first. Raises InputError for that of another search."""
    file = (search.folder / "study.db").resolve()
    storage = f"sqlite:///{file.as_uri()}?uri=true"  # which holds any character
    try:
        study = optuna.create_study(study_name="deqn", storage=storage, load_if_exists=True)
    except RuntimeError as error:  # another version's tables
        raise FileError(f"{search.folder / 'study.db'}: {first_line(error)}") from error
    study.sampler = optuna.samplers.TPESampler(seed=search.seed + len(study.trials))
    before = study.user_attrs.get("declaration", search.declaration)
    if before != search.declaration:
        raise InputError(f"{search.folder} holds another search, deqn-tune {' '.join(before)}; "
                         "give this one a folder of its own, study=FOLDER")  # fmt: skip
    study.set_user_attr("declaration", search.declaration)
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    if count_points(search) <= search.trials:  # then every point once, and none twice
        for point in itertools.product(*map(list_points, search.space.values())):
            study.enqueue_trial(dict(zip(search.space, point, strict=True)), skip_if_exists=True)
    return study


def list_points(values: Dimension) -> Sequence[Any]:
    """All values of a dimension that has finitely many."""
    if isinstance(values, CategoricalDistribution):
        return values.choices
    if isinstance(values, IntDistribution):
        return range(values.low, values.high + 1, values.step)
    return [values.low + i * values.step for i in range(round((values.high - values.low) / values.step) + 1)]


def count_points(search: Search) -> float:
    if any(getattr(values, "step", 1) is None for values in search.space.values()):
        return math.inf
    return math.prod(len(list_points(values)) for values in search.space.values())


def list_ended(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with a result: an error, pruned, or a failure with its reason."""
    return [t for t in study.trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED) or "reason" in t.user_attrs]


def run_trial(study: optuna.Study, search: Search, console: Console) -> int | None:
    """One trial; returns the signal that ended it, which leaves it open, to come first when the search goes on."""
    trial = study.ask(search.space)
    words = list_words(trial, search)
    name = f"trial {trial.number}: {' '.join(f'{key}={word}' for key, word in words.items())}"
    others = [t.intermediate_values for t in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])]
    seen: dict[int, float] = {}

    def judge(error: float, seconds: float) -> str | None:
        milliseconds = int(1000 * seconds)
        seen[milliseconds] = error if math.isfinite(error) else math.inf
        trial.report(error, milliseconds)
        behind = is_behind(seen, others)
        return f"error {format_error(error)} after {seconds:.0f} s of training" if behind else None

    try:
        composition = compose([*QUICK, *search.overrides(words)], search.config_dir)
        validate(composition.config)
    except DeqnError as error:
        outcome = Outcome(reason=str(error), code=error.exit_code)
    else:
        folder = Path(claim_new_folder(str(search.folder / "trials" / str(trial.number))))
        trial.set_user_attr("folder", f"trials/{folder.name}")
        outcome = solve_trial(composition, folder, console, name, judge)
    if outcome.signal is None:
        console.print(f"{name}: {tell_outcome(study, trial, outcome)}", highlight=False, markup=False, soft_wrap=True)
    return outcome.signal


def tell_outcome(study: optuna.Study, trial: Trial, outcome: Outcome) -> str:
    """Tell the study what became of a trial; returns it in words."""
    summary, reason, code = outcome.summary, outcome.reason, outcome.code
    words = f"{'pruned' if code is None else 'failed'}, {reason}"
    if summary is not None and summary.status == "diverged":
        reason, code, words = "diverged; its run.log says more", choose_exit_code("diverged", None), "diverged"
    elif summary is not None and not math.isfinite(summary.path_error.mean):
        reason, code = "its errors are not finite", choose_exit_code("not_converged", None)
        words = "errors that are not finite"
    elif summary is not None:
        error, seconds, largest = summary.path_error.mean, summary.seconds, summary.euler_errors["path"]["all"]["max"]
        times = {"import_seconds": seconds["import"], "seconds": seconds["total"]}
        for key, value in {"status": summary.status, "max": largest, **times}.items():
            trial.set_user_attr(key, value)
        study.tell(trial, error)
        return f"{summary.status}, mean path error {format_error(error)}, {seconds['total']:.0f} s"
    trial.set_user_attr("reason", reason)
    if code is not None:
        trial.set_user_attr("code", code)
    study.tell(trial, state=TrialState.PRUNED if code is None else TrialState.FAIL)
    return words


def is_behind(seen: dict[int, float], others: list[dict[int, float]]) -> bool:
    """Whether a trial's best error is far above what the others had reached after as much training.

    `seen`, `others`: milliseconds of training -> error on validation states (share).
    """
    now = max(seen)
    reached = [min(x for t, x in other.items() if t <= now) for other in others if min(other) <= now]
    return len(reached) >= AT_LEAST and not min(seen.values()) <= BEHIND * median(reached)


def rank_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials with a result, best first: by two digits of the error, then by seconds; pruned and failed ones last."""

    def rank(t: FrozenTrial) -> tuple[Any, ...]:
        if t.state != TrialState.COMPLETE:
            return (t.state, math.inf, math.inf)
        return (t.state, float(format_error(t.value)), t.user_attrs["seconds"] - t.user_attrs["import_seconds"])

    return sorted(list_ended(study), key=rank)


def tabulate_trial(t: FrozenTrial, search: Search) -> dict[str, Any]:
    """A row of the table of trials: what was chosen, status, errors, seconds."""
    status = {TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}.get(t.state, t.user_attrs.get("status"))
    known = dict.fromkeys(("max", "seconds", "import_seconds", "reason", "folder")) | t.user_attrs
    folder = None if known["folder"] is None else str(search.folder / known["folder"])
    mean = t.value if t.state == TrialState.COMPLETE else None
    return {"trial": str(t.number), **list_words(t, search), "mean": mean, **known, "status": status, "folder": folder}


def list_words(trial: Trial | FrozenTrial, search: Search, digits: int = 12) -> dict[str, str]:
    return {key: format_number(trial.params[key], digits) for key in search.space}


def conclude_search(study: optuna.Study, search: Search, console: Console) -> int:
    """Solve the best once more under a fresh seed, write it, and print the table of trials; returns the exit code."""
    best = rank_trials(study)[0]
    summary = None
    if best.state == TrialState.COMPLETE:
        words = list_words(best, search)
        find_devices()
        summary = solve_afresh(search, words, best.number, console)
        if summary.signal is not None:
            return 128 + summary.signal
    rows = [{**tabulate_trial(t, search), **list_words(t, search, digits=4)} for t in rank_trials(study)]
    show(console, rows, list(search.space), "trial")
    if summary is None:
        console.print("no trial ended with an error to be compared", highlight=False)
        return max(t.user_attrs.get("code", 4) for t in list_ended(study))
    remarks = write_best(search, words, best.value, summary)
    publish(search.folder, rows, list(search.space), "trial", remarks)
    for line in remarks:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return choose_exit_code(summary.status, None)
