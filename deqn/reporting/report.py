"""The verdict of a run as rows and sentences, for the terminal, pages and papers. Needs no TensorFlow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deqn.evaluation.summary import path_error
from deqn.reporting.advice import failure_lines, instability, sample_lines, stability_lines
from deqn.system.files import number

STATISTICS = {"mean": "mean", "median": "median", "p99": "p99", "p99.9": "p999", "max": "max"}  # heading: key
COMPARED = {
    "mean": "mean", "max": "max", "mean_relative": "relative mean", "max_relative": "relative max",
    "first_order_mean": "first order mean", "first_order_max": "first order max",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of the verdict: absolute residuals or distances by statistic; muted ones are there for comparison."""

    label: str
    statistics: dict[str, float]
    muted: bool = False

    def cells(self, show: Callable[[float], str]) -> list[str]:
        """A text for each of STATISTICS, empty where it was not measured."""
        return [show(self.statistics[key]) if key in self.statistics else "" for key in STATISTICS.values()]


def error_rows(summary: dict[str, Any]) -> pd.DataFrame:
    """euler_errors.csv: a row for each set, equation (or side of a constraint) and statistic."""
    rows = [(where, name, s) for where, equations in summary["euler_errors"].items() for name, s in equations.items()]
    rows += [(where, f"{name} {kind}", s) for where, name, kind, s in constraint_rows(summary)]
    return pd.DataFrame(
        [
            {"set": where, "equation": name, "statistic": statistic, "value": value}
            for where, name, statistics in rows
            for statistic, value in statistics.items()
        ]
    )


def constraint_rows(summary: dict[str, Any]) -> list[tuple[str, str, str, dict[str, float]]]:
    """Set, multiplier, binding or slack, and the statistics of all equations there."""
    return [
        (where, name, kind, found[kind])
        for where, constraints in summary["constraints"].items()
        for name, found in constraints.items()
        for kind in ("binding", "slack")
        if kind in found
    ]


def shares(found: dict[str, Any], kind: str) -> str:
    """The share of states at which a constraint is binding, or slack; both ends where the policies' errors decide."""
    ends = [
        f"{x if kind == 'binding' else 1 - x:.1%}"
        for x in (found.get(end, found["share"]) for end in ("share_low", "share_high"))
    ]
    if ends[0] == ends[1]:
        return f"{found['share'] if kind == 'binding' else 1 - found['share']:.1%}"
    return "-".join(sorted((end.removesuffix("%") for end in ends), key=float)) + "%"


def verdict_rows(summary: dict[str, Any]) -> Iterator[Row]:
    """The lines of the verdict, the same on the terminal, in HTML and in LaTeX."""
    for where, equations in summary["euler_errors"].items():
        for equation, s in equations.items():
            if equation != "all" or len(equations) > 2:
                yield Row(f"{where}: {equation}", s)
    for where, name, kind, s in constraint_rows(summary):
        yield Row(f"{where}: {name} {kind}, {shares(summary['constraints'][where][name], kind)}", s)
    for where, equations in summary["first_order"].get("euler_errors", {}).items():
        share = summary["first_order"]["defined"][where]
        label = f"first-order solution, {where}" if share == 1 else f"first order, {share:.1%} of {where}"
        yield Row(label, equations["all"], muted=True)
    for kind, policies in summary["policy_errors"].items():
        for policy, s in policies.items():
            yield Row(f"{policy} - {kind.replace('_', ' ')}", s)
    for kind in ("reference", "closed_form"):
        if "mean" in summary.get(kind, {}):
            yield Row(f"residual of the {kind.replace('_', ' ')}", summary[kind], muted=True)


def comparison_table(compared: pd.DataFrame) -> pd.DataFrame:
    """comparison.csv for a reader: a row for each set and policy, errors absolute, relative, and of the first order."""
    labels = compared["set"] + ": " + compared["policy"]
    return compared.set_index(labels).rename(columns=COMPARED)[[c for k, c in COMPARED.items() if k in compared]]


def print_verdict(console: Console, summary: dict[str, Any], folder: Path) -> None:
    """The verdict as a table of at most 80 columns."""
    colour = "green" if verdict(summary) == "PASS" else "red"
    console.print(f"\n[bold {colour}]{verdict(summary)}[/] {summary['model']}: {reason(summary)}", highlight=False)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("absolute residual")
    for name in STATISTICS:
        table.add_column(name, justify="right")
    for row in verdict_rows(summary):
        table.add_row(row.label, *row.cells(number), style="dim" if row.muted else None)
    console.print(table)
    for line in remarks(summary):
        console.print(line, highlight=False)
    console.print(str(folder), highlight=False, markup=False, soft_wrap=True)


def verdict(summary: dict[str, Any]) -> str:
    """The verdict in a word."""
    return "PASS" if summary["status"] == "converged" else "FAIL"


def reason(summary: dict[str, Any]) -> str:
    """Why the run passed or failed, in a few words."""
    worst, several = path_error(summary), len(summary["euler_errors"]["path"]) > 2
    name = f" ({worst['equation']})" if several or "[" in worst["equation"] else ""
    compared = f"mean path error {number(worst['mean'])}{name}, tolerance {summary['tolerance']:g}"
    if summary["status"] in ("diverged", "interrupted"):
        return f"{summary['status']}; {compared}"
    return compared if summary["stable"] else f"{compared}; {instability(summary)}"


def remarks(summary: dict[str, Any]) -> Iterator[str]:
    """The sentences under the verdict: a wrong closed form, stability, seconds, errors of a family by thirds."""
    known = summary.get("closed_form", {})
    if known.get("wrong"):
        yield f"The closed form does not solve {', '.join(known['wrong'])}: see its residual. One of the two is wrong."
    elif "wrong" in known:
        yield "The residual of the closed form is the quadrature's own error: it falls with more nodes."
    if "omitted" in summary.get("reference", {}):
        yield summary["reference"]["omitted"]
    if summary["status"] == "interrupted":
        yield "Training goes on from its last checkpoint with resume=FOLDER."
    if "sample" in summary:  # an earlier release did not record what these need
        yield from stability_lines(summary)
        yield from sample_lines(summary)
        yield from failure_lines(summary)
    seconds = summary["seconds"]
    yield (
        f"{seconds['total']:.0f} s: import {seconds['import']:.0f}, compile {seconds['compile']:.0f}, "
        f"train {seconds['train']:.0f}, evaluate {seconds['evaluate']:.0f}, report {seconds['report']:.0f}."
    )
    for name, thirds in summary["errors_by_thirds"]["path"].items():
        low, high = summary["pseudo_states"][name]
        means = ", ".join(number(third["mean"]) for third in thirds)
        yield f"{name} in [{low:g}, {high:g}]: mean path error by thirds {means}."
