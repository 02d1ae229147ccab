"""What a run leaves behind: metrics.csv row by row, the tables, summary.json, and the verdict on the terminal."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deqn.files import number, write_text
from deqn.train import Report


class Metrics:
    """metrics.csv: a row per report, written at once. On resume those of the checkpoint, `rows`, are kept."""

    def __init__(self, folder: Path, rows: int):
        self._path = folder / "metrics.csv"
        if self._path.exists():
            lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self._path, "".join(lines[: rows + 1]) if rows else "")

    def add(self, report: Report) -> None:
        """Append a report."""
        row = {
            "step": report.step, "stage": report.stage, "seconds": round(report.seconds, 3), "loss": report.loss,
            **dict.fromkeys(("learning_rate", "damping"), ""), **report.rates,
            **{f"mean_{name}": x for name, x in report.mean.items()},
            **{f"max_{name}": x for name, x in report.max.items()},
        }  # fmt: skip
        empty = not self._path.exists() or self._path.stat().st_size == 0
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if empty:
                writer.writeheader()
            writer.writerow(row)


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


def print_verdict(console: Console, summary: dict[str, Any], folder: Path) -> None:
    """The verdict as a table of at most 80 columns."""
    passed = summary["status"] == "converged"
    word = "[bold green]PASS[/]" if passed else "[bold red]FAIL[/]"
    console.print(f"\n{word} {summary['model']}: {reason(summary)}", highlight=False)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("absolute residual")
    for name in ("mean", "median", "p99", "p99.9", "max"):
        table.add_column(name, justify="right")
    for where, equations in summary["euler_errors"].items():
        for equation, s in equations.items():
            if equation != "all" or len(equations) > 2:
                cells = [number(s[key]) for key in ("mean", "median", "p99", "p999", "max")]
                table.add_row(f"{where}: {equation}", *cells)
    for where, name, kind, s in constraint_rows(summary):
        share = summary["constraints"][where][name]["share"]
        label = f"{where}: {name} {kind}, {share if kind == 'binding' else 1 - share:.1%}"
        table.add_row(label, *(number(s[key]) for key in ("mean", "median", "p99", "p999", "max")))
    for where, equations in summary["first_order"].get("euler_errors", {}).items():
        s = equations["all"]
        cells = [number(s[key]) for key in ("mean", "median", "p99", "p999", "max")]
        share = summary["first_order"]["defined"][where]
        label = f"first-order solution, {where}" if share == 1 else f"first order, {share:.1%} of {where}"
        table.add_row(label, *cells, style="dim")
    for kind, policies in summary["policy_errors"].items():
        for policy, s in policies.items():
            table.add_row(f"{policy} - {kind.replace('_', ' ')}", number(s["mean"]), "", "", "", number(s["max"]))
    if "reference" in summary:
        s = summary["reference"]
        table.add_row("residual of the reference", number(s["mean"]), "", "", "", number(s["max"]), style="dim")
    console.print(table)
    stable, seconds = summary["stability"], summary["seconds"]
    console.print(
        f"Spectral radius {stable['spectral_radius']:.4f}; dispersed starts end "
        f"{stable['return_spread']:.0e} of the box apart.\n"
        f"{seconds['total']:.0f} s: import {seconds['import']:.0f}, compile {seconds['compile']:.0f}, "
        f"train {seconds['train']:.0f}, evaluate {seconds['evaluate']:.0f}, report {seconds['report']:.0f}.",
        highlight=False,
    )
    for name, thirds in summary["errors_by_thirds"]["path"].items():
        low, high = summary["pseudo_states"][name]
        means = ", ".join(number(third["mean"]) for third in thirds)
        console.print(f"{name} in [{low:g}, {high:g}]: mean path error by thirds {means}.", highlight=False)
    console.print(str(folder), highlight=False, markup=False, soft_wrap=True)


def reason(summary: dict[str, Any]) -> str:
    """Why the run passed or failed, in a few words."""
    error, tolerance = summary["euler_errors"]["path"]["all"]["mean"], summary["tolerance"]
    compared = f"mean path error {number(error)}, tolerance {tolerance:g}"
    if summary["status"] in ("diverged", "interrupted"):
        return f"{summary['status']}; {compared}"
    return compared if summary["stable"] else f"{compared}; the closed loop is not stable"
