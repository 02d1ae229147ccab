"""The end of a run: everything measured on fresh states, the status that follows, and the files that tell of it."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from deqn import analysis, evaluate, figures, files, report
from deqn.clock import Clock
from deqn.interrupt import Interrupt
from deqn.model import shock_names
from deqn.residuals import Economy
from deqn.solution import Solution

log = logging.getLogger("deqn")


def conclude(solution: Solution, console: Console, interrupt: Interrupt, clock: Clock) -> Solution:
    """Evaluate on fresh states, write every table, then every figure, and print the verdict."""
    economy, settings, folder = solution.economy, solution.settings, solution.folder
    with clock.phase("evaluate"):
        finer, sets = solution.judged, solution.evaluation_states(settings.seed)
        errors = {name: evaluate.euler_errors(finer, states) for name, states in sets.items()}
        compared = evaluate.comparison(economy, sets)
        summary = judged(solution.summary, errors, compared, evaluate.stability(economy))
    solution = replace(solution, summary=summary)
    with clock.phase("report"):
        files.write_text(folder / "euler_errors.csv", report.error_rows(summary).to_csv(index=False))
        if compared is not None:
            files.write_text(folder / "comparison.csv", compared.to_csv(index=False))
        simulated = solution.simulate(settings.evaluation.periods, settings.evaluation.paths, settings.seed)
        simulated.to_parquet(folder / "simulation.parquet")
        summary["seconds"] = clock.seconds()
        files.write_json(folder / "summary.json", summary)  # before the figures, which could fail
        if settings.evaluation.figures:
            draw(economy, errors, simulated, folder)
    summary |= {"seconds": clock.seconds(), "signal": interrupt.signal}
    files.write_json(folder / "summary.json", summary)
    log.info("status: %s", summary["status"])
    report.print_verdict(console, summary, folder)
    return solution


def judged(
    summary: dict[str, Any],
    errors: dict[str, dict[str, np.ndarray]],
    compared: pd.DataFrame | None,
    stability: dict[str, float],
) -> dict[str, Any]:
    """The summary with all that was measured, and the status that follows."""
    measured = {name: evaluate.error_summary(e) for name, e in errors.items()}
    stable, status = evaluate.is_stable(stability), summary["status"]
    if status not in ("diverged", "interrupted"):
        met = measured["path"]["all"]["mean"] <= summary["tolerance"]
        status = "converged" if met and stable else "not_converged"
    return summary | {
        "status": status,
        "euler_errors": measured,
        "policy_errors": {"closed_form": pooled(compared), "reference": {}},
        "stability": stability,
        "stable": stable,
    }


def pooled(compared: pd.DataFrame | None) -> dict[str, dict[str, float]]:
    """The comparison by policy over all states of path and box: mean and largest error, absolute and relative."""
    if compared is None:
        return {}
    found = {}
    for policy, rows in compared.groupby("policy"):
        shares = rows["states"] / rows["states"].sum()
        means = {name: float((rows[name] * shares).sum()) for name in ("mean", "mean_relative")}
        found[policy] = means | {name: float(rows[name].max()) for name in ("max", "max_relative")}
    return found


def draw(economy: Economy, errors: dict[str, Any], simulated: pd.DataFrame, folder: Path) -> None:
    """All figures of a run, into figures/."""
    model, place = economy.model, folder / "figures"
    place.mkdir(exist_ok=True)
    states, policies = ([v.name for v in declared] for declared in (model.states, model.policies))
    if (folder / "metrics.csv").exists():
        figures.training_curve(pd.read_csv(folder / "metrics.csv"), place / "training.png")
    figures.policy_functions(analysis.policy_slices(economy), policies, place / "policies.png")
    figures.error_distribution(errors, place / "errors.png")
    figures.ergodic_distribution(simulated, [*states, *policies], place / "distribution.png")
    shocks = shock_names(model.shocks)
    wanted = {f"{s}, +1 s.d.": (s, 1.0) for s in shocks} or {f"{s}, 10 % above rest": (s, 0.1) for s in states}
    responses = {label: analysis.impulse_response(economy, *what, 40) for label, what in wanted.items()}
    figures.impulse_responses(responses, place / "impulse_responses.png")
