"""The verdict as rows and sentences for terminal, pages and papers, and impulse responses. Needs no TensorFlow."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from deqn.evaluation.moments import select_variables
from deqn.evaluation.records import ConstraintErrors, Statistics
from deqn.evaluation.summary import Summary
from deqn.reporting import advice
from deqn.system.files import format_error, write_text

HEADINGS = {"mean": "mean", "median": "median", "p99": "p99", "p99.9": "p999", "max": "max"}  # heading: statistic
COMPARED = {
    "mean": "mean", "max": "max", "mean_relative": "relative mean", "max_relative": "relative max",
    "first_order_mean": "first order mean", "first_order_max": "first order max",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of the verdict: absolute residuals or distances by statistic; muted ones are there for comparison."""

    label: str
    statistics: Statistics
    muted: bool = False

    def format_cells(self, show: Callable[[float], str]) -> list[str]:
        """A text for each of HEADINGS, empty where it was not measured."""
        return [show(self.statistics[key]) if key in self.statistics else "" for key in HEADINGS.values()]


def tabulate_errors(summary: Summary) -> pd.DataFrame:
    """euler_errors.csv: a row for each set, equation (or side of a constraint) and statistic."""
    rows = [(where, name, s) for where, equations in summary.euler_errors.items() for name, s in equations.items()]
    rows += [(where, f"{name} {side}", s) for where, name, side, _, s in list_sides(summary)]
    long = [(where, name, *entry) for where, name, statistics in rows for entry in statistics.items()]
    return pd.DataFrame(long, columns=["set", "equation", "statistic", "value"])


def list_sides(summary: Summary) -> Iterator[tuple[str, str, str, str, Statistics]]:
    """Set, multiplier, binding or slack, the share of states there, and the statistics of all equations there."""
    for where, constraints in summary.constraints.items():
        for name, errors in constraints.items():
            for side, statistics in (("binding", errors.binding), ("slack", errors.slack)):
                if statistics is not None:
                    yield where, name, side, format_share(errors, side), statistics


def format_share(errors: ConstraintErrors, side: str) -> str:
    """The share of states at which a constraint is binding, or slack; both ends where the policies' errors decide."""
    known = (errors.share if x is None else x for x in (errors.share_low, errors.share_high, errors.share))
    *ends, share = (x if side == "binding" else 1 - x for x in known)
    low, high = (f"{100 * end:.1f}" for end in sorted(ends))
    return f"{share:.1%}" if low == high else f"{low}-{high}%"


def compose_rows(summary: Summary) -> Iterator[Row]:
    """The lines of the verdict, the same on the terminal, in HTML and in LaTeX."""
    for where, equations in summary.euler_errors.items():
        for equation, s in equations.items():
            if equation != "all" or len(equations) > 2:
                yield Row(f"{where}: {equation}", s)
    for where, name, side, share, s in list_sides(summary):
        yield Row(f"{where}: {name} {side}, {share}", s)
    for where, equations in (summary.first_order.euler_errors or {}).items():
        share = summary.first_order.defined[where]
        label = f"first-order solution, {where}" if share == 1 else f"first order, {share:.1%} of {where}"
        yield Row(label, equations["all"], muted=True)
    for kind, policies in summary.policy_errors.items():
        for policy, s in policies.items():
            yield Row(f"{policy} - {kind.replace('_', ' ')}", s)
    for kind, exact in {"closed form": summary.closed_form, "reference": summary.reference}.items():
        if exact is not None and exact.mean is not None:
            yield Row(f"residual of the {kind}", {"mean": exact.mean, "max": exact.max}, muted=True)


def tabulate_comparison(compared: pd.DataFrame) -> pd.DataFrame:
    """comparison.csv for a reader: a row for each set and policy, errors absolute, relative, and of the first order."""
    labels = compared["set"] + ": " + compared["policy"]
    return compared.set_index(labels).rename(columns=COMPARED)[[c for k, c in COMPARED.items() if k in compared]]


def print_verdict(console: Console, summary: Summary, folder: Path) -> None:
    """The verdict as a table of at most 80 columns."""
    word = grade(summary)
    colour = {"PASS": "green", "FAIL": "red"}.get(word, "yellow")
    console.print(f"\n[bold {colour}]{word}[/] {summary.model}: {explain_status(summary)}", highlight=False)
    columns = [Column(heading, justify="right") for heading in HEADINGS]
    table = Table("absolute residual", *columns, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for row in compose_rows(summary):
        table.add_row(row.label, *row.format_cells(format_error), style="dim" if row.muted else None)
    console.print(table)
    for line in compose_remarks(summary):
        console.print(line, highlight=False)
    console.print(str(folder), highlight=False, markup=False, soft_wrap=True)


def grade(summary: Summary) -> str:
    """PASS or FAIL; a run that was cut off is neither."""
    return {"converged": "PASS", "interrupted": "INTERRUPTED"}.get(summary.status, "FAIL")


def explain_status(summary: Summary) -> str:
    """Why the run passed or failed, in a few words."""
    worst, several = summary.path_error, len(summary.euler_errors["path"]) > 2
    name = f" ({worst.equation})" if several or "[" in worst.equation else ""
    compared = f"mean path error {format_error(worst.mean)}{name}, tolerance {summary.tolerance:g}"
    if summary.status == "diverged":
        return f"diverged; {compared}"
    if summary.stable is False:
        return f"{compared}; {advice.explain_instability(summary.stability)}"
    return "; ".join([compared, *advice.explain_distance(summary)])


def compose_remarks(summary: Summary) -> Iterator[str]:
    """The sentences under the verdict: a wrong closed form, stability, seconds, errors of a family by thirds."""
    wrong = None if summary.closed_form is None else summary.closed_form.wrong
    if wrong:
        yield f"The closed form does not solve {', '.join(wrong)}: see its residual. One of the two is wrong."
    elif wrong is not None:
        yield "The residual of the closed form is the quadrature's own error: it falls with more nodes."
    if summary.reference is not None and summary.reference.omitted is not None:
        yield summary.reference.omitted
    if summary.status == "interrupted":
        yield "Training goes on from its last checkpoint with resume=FOLDER."
    if summary.sample is not None:  # an earlier release did not record what these need
        yield from advice.describe_distance(summary)
        yield from advice.describe_start(summary)
        yield from advice.describe_stability(summary.stability)
        yield from advice.describe_left_box(summary)
        yield from advice.describe_sample(summary.sample)
        yield from advice.describe_failure(summary)
    phases = ", ".join(f"{phase} {x:.0f}" for phase, x in summary.seconds.items() if phase != "total")
    yield f"{summary.seconds['total']:.0f} s: {phases}."
    for name, terciles in summary.errors_by_thirds["path"].items():
        low, high = summary.pseudo_states[name]
        means = ", ".join(format_error(tercile["mean"]) for tercile in terciles)
        yield f"{name} in [{low:g}, {high:g}]: mean path error by thirds {means}."


def tabulate_responses(shocked: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """An impulse response as a table: a row for each period and variable, in levels."""
    paths = {"with_shock": shocked, "without": baseline, "deviation": shocked - baseline}
    long = [path.rename_axis(index="period", columns="variable").stack().rename(name) for name, path in paths.items()]
    return pd.concat(long, axis=1).reset_index()


def print_responses(console: Console, label: str, deviation: pd.DataFrame, horizons: Sequence[int]) -> None:
    """An impulse response at some horizons, `deviation` that of `responses.percent_deviations`."""
    columns = [Column(str(h), justify="right") for h in horizons]
    title = f"{label}: deviations in percent, x 100 of what rests at 0"
    table = Table("period", *columns, title=title, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in deviation:
        table.add_row(Text(name), *(f"{deviation[name][h]:.3f}".replace("-0.000", "0.000") for h in horizons))
    console.print(table)


def write_tables(folder: Path, summary: Summary, compared: pd.DataFrame | None, moments: pd.DataFrame) -> None:
    """The verdict, comparison.csv where there is one, and moments.csv, into tables/. Raises FileError."""
    place = folder / "tables"
    place.mkdir(exist_ok=True)
    rows = list(compose_rows(summary))
    errors = pd.DataFrame([r.format_cells(format_scientific) for r in rows], [r.label for r in rows], list(HEADINGS))
    write_text(place / "euler_errors.tex", to_tabular("absolute residual", errors))
    if compared is not None:
        comparison = tabulate_comparison(compared).map(format_scientific)
        write_text(place / "comparison.tex", to_tabular("policy", comparison))
    few = moments.loc[select_variables(list(moments.index), count=40)].drop(columns=["min", "max"])
    heading = lambda c: rf"$\rho_{c[-1]}$" if c.startswith("autocorrelation_") else c
    few.columns = ["s.e." if c.endswith("_se") else heading(c) for c in few]
    left_out = f"% {len(few)} of {len(moments)} variables; all are in moments.csv\n" if len(few) < len(moments) else ""
    write_text(place / "moments.tex", left_out + to_tabular("variable", few.map(format_plain)))


def to_tabular(heading: str, frame: pd.DataFrame) -> str:
    r"""A tabular with the rules of \usepackage{booktabs}, the index first; only its labels are not LaTeX already."""
    table = frame.rename_axis(index=None, columns=heading).style.format_index(escape="latex")
    return table.to_latex(hrules=True, column_format="l" + "r" * frame.shape[1])


def typeset(x: float | None, digits: str) -> str:
    """A number in mathematical type; a dash for what is not finite."""
    if x is None or not math.isfinite(x):
        return "--"
    mantissa, _, exponent = f"{x:{digits}}".partition("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$" if exponent and x else f"${mantissa}$"


format_scientific = partial(typeset, digits=".1e")  # two digits, `$1.2\times10^{-5}$`
format_plain = partial(typeset, digits=".4g")  # four digits, with a power of ten only where they would not show
