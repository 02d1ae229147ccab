"""The end of a run: the solution is judged on fresh states, and the files that tell of it are written."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import tensorflow as tf
from rich.console import Console

from deqn.economy.economy import Economy
from deqn.economy.exact import Truth
from deqn.evaluation import analysis, moments, responses
from deqn.evaluation.judgements import Case, judge
from deqn.evaluation.summary import Summary
from deqn.model.declaration import Markov
from deqn.model.layout import outcome_count, shock_names
from deqn.reporting import figures, html_report, report
from deqn.runs.solution import Solution
from deqn.system import files
from deqn.system.clock import Clock
from deqn.system.processes import Interrupt

PERIODS = 40  # of the responses that are drawn
log = logging.getLogger("deqn")


def conclude(solution: Solution, console: Console, interrupt: Interrupt, clock: Clock) -> Solution:
    """Evaluate on fresh states, write every table, then every figure and the page of all, and print the verdict."""
    settings, folder = solution.settings, solution.folder
    with clock.phase("evaluate"):
        case = compose_case(solution, solution.finer_economy)
        summary = judge(case)
    with clock.phase("report"):
        write_errors(folder, summary, case.compared)
        simulated = solution.simulate(settings.evaluation.periods, settings.evaluation.paths, settings.seed)
        tabulated = moments.tabulate_moments(simulated)
        write_simulation(folder, simulated, tabulated)
        write_summary(folder, replace(summary, seconds=clock.seconds()))  # before figures, which could fail
        report.write_tables(folder, summary, case.compared, tabulated)
        if settings.evaluation.figures:
            curves = compute_curves(solution.economy, case.exact, solution.economy.policy.start)
            draw_figures(folder, case, simulated, curves)
    status = summary.status if interrupt.signal is None else "interrupted"  # during the evaluation, too
    summary = replace(summary, status=status, seconds=clock.seconds(), signal=interrupt.signal, final=True)
    write_summary(folder, summary)
    files.write_text(folder / "report.html", html_report.render_run(folder))
    log.info("status: %s", status)
    report.print_verdict(console, summary, folder)
    return replace(solution, result=summary)


def compose_case(solution: Solution, finer: Economy) -> Case:
    """What is judged of a solution; `finer` has the expectation that judges."""
    settings, sets = solution.settings, solution.draw_evaluation_states(solution.settings.seed)
    return Case(economy=solution.economy, finer=finer, sets=sets, loop=solution.closed_loop, trained=solution.result,
                evaluation=settings.evaluation, quadrature=settings.expectation)  # fmt: skip


def write_errors(folder: Path, summary: Summary, compared: pd.DataFrame | None) -> None:
    """The tables of errors, and of the comparison where there is one. Raises FileError."""
    files.write_text(folder / "euler_errors.csv", report.tabulate_errors(summary).to_csv(index=False))
    if compared is not None:
        files.write_text(folder / "comparison.csv", compared.to_csv(index=False))


def write_simulation(folder: Path, simulated: pd.DataFrame, tabulated: pd.DataFrame) -> None:
    """The simulated paths and their moments. Raises FileError."""
    with files.atomic_write(folder / "simulation.parquet") as temporary:
        simulated.to_parquet(temporary)
    files.write_text(folder / "moments.csv", tabulated.to_csv())


def write_summary(folder: Path, summary: Summary) -> None:
    files.write_json(folder / "summary.json", summary.to_json())


@dataclass(frozen=True)
class Curves:
    """What figures show beside errors and the simulation: slices of policies, and paths after shocks and without."""

    slices: dict[str, pd.DataFrame]
    exact: str  # what the slices are compared with, in words
    responses: dict[str, tuple[pd.DataFrame, pd.DataFrame]]
    spreads: dict[str, pd.DataFrame] | None = None  # of the responses, across the solutions of an ensemble


def compute_curves(
    economy: Economy, exact: Truth | None = None, start: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> Curves:
    """Policies along each state, and responses to each shock, or to each state displaced where there is no shock."""
    return Curves(
        analysis.slice_policies(economy, start, exact),
        "" if exact is None else exact.kind.replace("_", " "),
        {label: responses.impulse_response(economy, *impulse) for label, impulse in list_impulses(economy).items()},
    )


def list_impulses(economy: Economy) -> dict[str, tuple[Any, ...]]:
    """What responses are drawn to, by label: each shock, the outcomes of a regime; without shocks each state."""
    model, impulses = economy.model, {}
    regimes = {chain.shock for chain in economy.domain.chains}
    for shock in model.shocks:
        if isinstance(shock, Markov) and tuple(shock.values) in regimes:
            first, last = next(iter(shock.values)), outcome_count(shock) - 1
            impulses |= {f"{first}, outcome {i}": (first, 1.0, PERIODS, i) for i in (0, last)}
        else:
            impulses |= {f"{name}, +1 s.d.": (name, 1.0, PERIODS) for name in shock_names([shock])}
    rest = {f"{s.name}, 10 % above rest": (s.name, 0.1, PERIODS) for s in model.states if not s.fixed}
    return impulses or rest


def draw_figures(folder: Path, case: Case, simulated: pd.DataFrame, curves: Curves) -> None:
    """All figures of a run, into figures/. Raises FileError."""
    model, place = case.economy.model, folder / "figures"
    place.mkdir(exist_ok=True)
    states, policies = [s.name for s in model.states if not s.fixed], [p.name for p in model.policies]
    if (folder / "metrics.csv").exists():
        figures.draw_training_curve(pd.read_csv(folder / "metrics.csv"), place / "training.png")
    figures.draw_policy_functions(curves.slices, policies, place / "policies.png", curves.exact)
    figures.draw_error_distribution(case.errors, place / "errors.png")
    figures.draw_ergodic_distribution(simulated, [*states, *policies], place / "distribution.png")
    figures.draw_impulse_responses(curves.responses, place / "impulse_responses.png", curves.spreads)
