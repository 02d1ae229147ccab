"""The end of a run: the solution is judged on fresh states, and the files that tell of it are written."""

import logging
from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf
from rich.console import Console

from deqn.economy.economy import Economy
from deqn.economy.exact import Truth
from deqn.evaluation import analysis, moments
from deqn.evaluation.case import Case
from deqn.evaluation.judgements import judge
from deqn.model.layout import shock_names
from deqn.reporting import html_report, latex, report
from deqn.runs import publish
from deqn.runs.solution import Solution
from deqn.system import files
from deqn.system.clock import Clock
from deqn.system.interrupt import Interrupt

log = logging.getLogger("deqn")


def conclude(solution: Solution, console: Console, interrupt: Interrupt, clock: Clock) -> Solution:
    """Evaluate on fresh states, write every table, then every figure and the page of all, and print the verdict."""
    settings, folder = solution.settings, solution.folder
    with clock.phase("evaluate"):
        case = compose_case(solution, solution.judged)
        summary = judge(case)
    with clock.phase("report"):
        publish.write_errors(folder, summary, case.compared)
        simulated = solution.simulate(settings.evaluation.periods, settings.evaluation.paths, settings.seed)
        tabulated = moments.tabulate_moments(simulated)
        publish.write_simulation(folder, simulated, tabulated)
        publish.write_summary(folder, replace(summary, seconds=clock.seconds()))  # before figures, which could fail
        latex.write_tables(folder, summary, case.compared, tabulated)
        if settings.evaluation.figures:
            curves = compute_curves(solution.economy, case.exact, solution.economy.policy.start)
            publish.draw_figures(folder, solution.economy.model, case.errors, simulated, curves)
    status = summary.status if interrupt.signal is None else "interrupted"  # during the evaluation, too
    summary = replace(summary, status=status, seconds=clock.seconds(), signal=interrupt.signal, final=True)
    publish.write_summary(folder, summary)
    files.write_text(folder / "report.html", html_report.render_run(folder))
    log.info("status: %s", status)
    report.print_verdict(console, summary, folder)
    return replace(solution, result=summary)


def compose_case(solution: Solution, finer: Economy) -> Case:
    """What is judged of a solution; `finer` has the expectation that judges."""
    settings = solution.settings
    return Case(
        economy=solution.economy, finer=finer, sets=solution.evaluation_states(settings.seed),
        loop=solution.closed_loop, evaluation=settings.evaluation, quadrature=settings.expectation,
        trained=solution.result,
    )  # fmt: skip


def compute_curves(
    economy: Economy, exact: Truth | None = None, start: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> publish.Curves:
    """Policies along each state, and responses to each shock, or to each state displaced where there is no shock."""
    model = economy.model
    states, shocks = [s.name for s in model.states if not s.fixed], shock_names(model.shocks)
    wanted = {f"{s}, +1 s.d.": (s, 1.0) for s in shocks} or {f"{s}, 10 % above rest": (s, 0.1) for s in states}
    return publish.Curves(
        analysis.policy_slices(economy, start, exact),
        "" if exact is None else exact.kind.replace("_", " "),
        {label: analysis.impulse_response(economy, *what, 40) for label, what in wanted.items()},
    )
