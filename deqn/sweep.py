"""The end of a sweep: what became of each job, as a table, summary.csv and figure.png in the sweep's folder."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deqn.errors import exit_code
from deqn.files import number, write_text
from deqn.sweep_figure import draw

RESULTS = ("status", "mean", "max", "seconds", "import_seconds", "code", "reason", "folder")


def summarize(folder: Path, jobs: list[list[str]]) -> int:
    """Print and write what became of the jobs of the sweep in `folder`; returns the largest of their exit codes.

    `jobs`: the overrides of each, in the order of the folders' numbers.
    """
    rows = [job_row(folder / str(n), overrides) for n, overrides in enumerate(jobs)]
    names = [name for name in rows[0] if name not in ("job", *RESULTS)]
    varied = [name for name in names if len({row[name] for row in rows}) > 1]
    write_text(folder / "summary.csv", pd.DataFrame(rows).to_csv(index=False))
    console = Console()
    console.print(table(rows, varied))
    for row in rows:
        if row["reason"]:
            console.print(f"job {row['job']}: {row['reason']}", highlight=False, markup=False)
    if any(row["mean"] is not None for row in rows):
        draw(pd.DataFrame(rows), varied, folder / "figure.png")
    console.print(str(folder / "summary.csv"), highlight=False, markup=False, soft_wrap=True)
    return max(row["code"] for row in rows)


def job_row(job: Path, overrides: list[str]) -> dict[str, Any]:
    """One job: its overrides, and what its summary.json says; one that failed says why in failure.json."""
    words = (o.lstrip("+").partition("=") for o in overrides if not o.startswith("hydra"))
    row = {"job": job.name} | {key: value for key, _, value in words} | dict.fromkeys(RESULTS)
    row["folder"] = str(job)
    if (job / "failure.json").exists():
        return row | {"status": "failed"} | json.loads((job / "failure.json").read_text(encoding="utf-8"))
    if not (job / "summary.json").exists():
        why = "it ended without a result" if job.exists() else "it did not run"
        return row | {"status": "failed", "code": 1, "reason": why}
    summary = json.loads((job / "summary.json").read_text(encoding="utf-8"))
    errors, seconds = summary["euler_errors"]["path"]["all"], summary["seconds"]
    return row | {
        "status": summary["status"], "mean": errors["mean"], "max": errors["max"],
        "seconds": seconds["total"], "import_seconds": seconds["import"],
        "code": exit_code(summary["status"], summary.get("signal")), "reason": reason(summary, errors["mean"]),
    }  # fmt: skip


def reason(summary: dict[str, Any], error: float) -> str | None:
    """Why a job that came to its end did not converge; None where it did."""
    if summary["status"] == "converged":
        return None
    if summary["status"] != "not_converged":
        return f"{summary['status']}; its run.log says more"
    if error is not None and error <= summary["tolerance"]:
        return "the closed loop is not stable"
    return f"mean path error {number(error)}, tolerance {summary['tolerance']:g}"


def table(rows: list[dict[str, Any]], varied: list[str], noun: str = "job") -> Table:
    """A row for each job, or trial, with the settings that vary."""
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in (noun, *varied):
        shown.add_column(name, overflow="fold")
    for name in ("status", "mean error", "max error", "seconds"):
        shown.add_column(name, no_wrap=True)
    for row in rows:
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.0f}"
        cells = (row[noun], *(row[k] for k in varied), row["status"], number(row["mean"]), number(row["max"]), seconds)
        shown.add_row(*map(Text, cells))  # as they are: [relu] is no markup
    return shown
