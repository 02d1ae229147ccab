"""The end of a run: everything measured on fresh states, the status that follows, and the files that tell of it."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from rich.console import Console

from deqn.checks.undefined import affordable
from deqn.economy import exact as exact_policies
from deqn.economy.anchors import linear_rule
from deqn.economy.economy import Economy
from deqn.economy.refinement import refined
from deqn.evaluation import analysis, closed_loop, evaluate, moments
from deqn.evaluation.constraints import binding, constraint_summary
from deqn.evaluation.reference import reference
from deqn.model.layout import shock_names
from deqn.perturbation.first_order import linear_solution
from deqn.policies.protocol import PolicyFunction
from deqn.reporting import figures, html_report, latex, report
from deqn.runs.solution import Solution
from deqn.system import files
from deqn.system.clock import Clock
from deqn.system.errors import InputError
from deqn.system.interrupt import Interrupt

EXACT = 1e-6  # residual up to which a closed form solves an equation
EXACT_STATES = 1000  # at which a closed form is put into the equations
log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Measured:
    """What was found on fresh states: the summary with it, and what tables and figures need beyond."""

    summary: dict[str, Any]
    errors: dict[str, dict[str, np.ndarray]]  # set -> equation -> absolute residuals [n, states]
    exact: exact_policies.Exact | None
    compared: pd.DataFrame | None

    def write(self, folder: Path) -> None:
        """The tables of errors, and of the comparison where there is one."""
        files.write_text(folder / "euler_errors.csv", report.error_rows(self.summary).to_csv(index=False))
        if self.compared is not None:
            files.write_text(folder / "comparison.csv", self.compared.to_csv(index=False))


def conclude(solution: Solution, console: Console, interrupt: Interrupt, clock: Clock) -> Solution:
    """Evaluate on fresh states, write every table, then every figure and the page of all, and print the verdict."""
    settings, folder = solution.settings, solution.folder
    with clock.phase("evaluate"):
        measured = measure(solution, solution.judged)
    summary = measured.summary
    solution = replace(solution, summary=summary)
    with clock.phase("report"):
        measured.write(folder)
        simulated = solution.simulate(settings.evaluation.periods, settings.evaluation.paths, settings.seed)
        with files.whole(folder / "simulation.parquet") as half:
            simulated.to_parquet(half)
        recorded = moments.record(simulated)
        files.write_text(folder / "moments.csv", recorded.to_csv())
        summary["seconds"] = clock.seconds()
        files.write_json(folder / "summary.json", summary)  # before the figures, which could fail
        latex.write_tables(folder, summary, measured.compared, recorded)
        if settings.evaluation.figures:
            draw(solution.economy, measured.errors, measured.exact, simulated, folder)
    summary |= {"seconds": clock.seconds(), "signal": interrupt.signal}
    if interrupt.signal is not None:  # during the evaluation, too
        summary["status"] = "interrupted"
    files.write_json(folder / "summary.json", summary)
    files.write_text(folder / "report.html", html_report.run_page(folder))
    log.info("status: %s", summary["status"])
    report.print_verdict(console, summary, folder)
    return solution


def measure(solution: Solution, finer: Economy) -> Measured:
    """Errors on fresh states, distances to what is exact, and stability; `finer` has the expectation that judges."""
    economy, sets = solution.economy, solution.evaluation_states(solution.settings.seed)
    errors = {name: evaluate.euler_errors(finer, states) for name, states in sets.items()}
    summary = judged(solution.summary, errors, closed_loop.stability(economy, solution.closed_loop))
    linear, beside = first_order(solution, finer, sets)
    exact, independent = exact_solution(solution, finer, sets)
    compared = None if exact is None else evaluate.comparison(economy, linear, exact, sets)
    if compared is not None:
        summary["policy_errors"][exact.kind] = pooled(compared)
    binds = {name: binding(finer, states) for name, states in sets.items()}
    constraints = {name: constraint_summary(errors[name], found) for name, found in binds.items()}
    thirds = {name: evaluate.by_thirds(economy, errors[name], states) for name, states in sets.items()}
    summary |= beside | independent | {"constraints": constraints, "errors_by_thirds": thirds}
    summary["sample"] = evaluate.sample(economy.model, solution.settings.evaluation, solution.closed_loop)
    return Measured(summary, errors, exact, compared)


def first_order(
    solution: Solution, finer: Economy, sets: dict[str, tf.Tensor]
) -> tuple[PolicyFunction | None, dict[str, Any]]:
    """The linear rule, if there is one, and its residuals on the same states: what the network adds to it."""
    economy = solution.economy
    try:
        linear = linear_solution(economy.model, economy.steady)
    except InputError as error:
        log.info("no first-order solution: %s", error)
        return None, {"first_order": {}}
    rule = linear_rule(economy.members, economy.steady, economy.policy.dtype)
    measured, defined = {}, {}
    for name, states in sets.items():
        errors = evaluate.euler_errors(replace(finer, policy=rule), states)
        usable = np.isfinite(np.concatenate(list(errors.values()))).all(0)  # cut at bounds, a rule may have none
        defined[name] = float(usable.mean())
        if usable.any():
            measured[name] = evaluate.error_summary({equation: e[:, usable] for equation, e in errors.items()})
    return rule, {
        "first_order": {
            "euler_errors": measured,
            "defined": defined,
            "roots": linear.roots.tolist(),
            "note": linear.note,
        }
    }


def exact_solution(
    solution: Solution, finer: Economy, sets: dict[str, tf.Tensor]
) -> tuple[exact_policies.Exact | None, dict[str, Any]]:
    """The closed form, else the reference solution of a small model, and the residual of either."""
    known = exact_policies.closed_form(solution.economy.model, solution.economy.center)
    if known is not None:
        parts = [exact_policies.exact_residuals(finer.model, known, finer.expectation, part)
                 for part in finer.slices(sets["path"][:EXACT_STATES])]  # fmt: skip
        if parts[0] is None:
            return known, {}
        sizes = np.abs(np.concatenate([np.ravel(r) for part in parts for r in part.values()]))
        residual = {"mean": float(sizes.mean()), "max": float(sizes.max())}
        if not residual["mean"] <= solution.summary["tolerance"]:
            residual["wrong"] = unsolved(solution, known, sets["path"])
        return known, {"closed_form": residual}
    if not solution.settings.evaluation.reference or solution.summary["status"] == "diverged":
        return None, {}
    found = reference(finer, sets)
    if found.omitted is not None:
        log.info("%s", found.omitted)
    return found.exact(), {"reference": found.record()}


def unsolved(solution: Solution, known: exact_policies.Exact, states: tf.Tensor) -> list[str]:
    """The equations that a closed form leaves unsolved, since their residuals stay as the quadrature grows finer."""
    model = solution.economy.model
    few = states[: affordable(model, solution.economy.expectation)]
    found = refined(model, known, solution.settings.expectation, few)
    return [name for name, residual in found.items() if not residual.falls and residual.largest > EXACT]


def judged(
    summary: dict[str, Any],
    errors: dict[str, dict[str, np.ndarray]],
    stability: dict[str, float],
) -> dict[str, Any]:
    """The summary with all that was measured, and the status that follows."""
    measured = {name: evaluate.error_summary(e) for name, e in errors.items()}
    worst = {name: evaluate.worst_equation(e) for name, e in errors.items()}
    stable, status = closed_loop.is_stable(stability), summary["status"]
    if not np.isfinite(worst["path"]["mean"]) and status != "interrupted":
        status = "diverged"
    elif status not in ("diverged", "interrupted"):
        met = worst["path"]["mean"] <= summary["tolerance"]
        status = "converged" if met and stable else "not_converged"
    return summary | {
        "status": status,
        "worst_equation": worst,
        "euler_errors": measured,
        "policy_errors": {"closed_form": {}, "reference": {}},
        "stability": stability,
        "stable": stable,
    }


def pooled(compared: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The comparison by policy over all states of path and box: mean and largest error, absolute and relative."""
    found = {}
    for policy, rows in compared.groupby("policy"):
        found[policy] = {name: float(rows[name].max()) for name in rows if "max" in name}
        for name in rows:
            if "mean" in name:
                known = rows[rows[name].notna()]  # an error relative to zero is none
                found[policy][name] = float(np.average(known[name], weights=known["states"])) if len(known) else None
    return found


def draw(
    economy: Economy, errors: dict[str, Any], exact: exact_policies.Exact | None, simulated: pd.DataFrame, folder: Path
) -> None:
    """All figures of a run, into figures/."""
    model, place = economy.model, folder / "figures"
    place.mkdir(exist_ok=True)
    states, policies = [s.name for s in model.states if not s.fixed], [p.name for p in model.policies]
    if (folder / "metrics.csv").exists():
        figures.training_curve(pd.read_csv(folder / "metrics.csv"), place / "training.png")
    known = "" if exact is None else exact.kind.replace("_", " ")
    figures.policy_functions(
        analysis.policy_slices(economy, economy.policy.start, exact), policies, place / "policies.png", known
    )
    figures.error_distribution(errors, place / "errors.png")
    figures.ergodic_distribution(simulated, [*states, *policies], place / "distribution.png")
    shocks = shock_names(model.shocks)
    wanted = {f"{s}, +1 s.d.": (s, 1.0) for s in shocks} or {f"{s}, 10 % above rest": (s, 0.1) for s in states}
    responses = {label: analysis.impulse_response(economy, *what, 40) for label, what in wanted.items()}
    figures.impulse_responses(responses, place / "impulse_responses.png")
