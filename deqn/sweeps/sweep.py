"""The end of a sweep: what became of each job, as a table, summary.csv, figure.png and report.html in its folder."""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deqn.evaluation.summary import read_summary
from deqn.reporting import report
from deqn.reporting.figures import draw_sweep
from deqn.reporting.html_report import describe_verdict, embed_picture, list_pictures, render_page
from deqn.runs.engine import start_engine
from deqn.system.errors import DeqnError, choose_exit_code
from deqn.system.files import format_error, write_text
from deqn.system.processes import run_in_fork

RESULTS = ("status", "mean", "max", "seconds", "import_seconds", "code", "reason", "folder")
SHOWN = ("status", "mean error", "max error", "seconds")


def summarize(folder: Path, jobs: list[list[str]]) -> int:
    """Print and write what became of the jobs, by the overrides of each, in `folder`; returns the largest exit code."""
    rows = [job_row(folder / str(n), overrides) for n, overrides in enumerate(jobs)]
    varied = [key for key in rows[0] if key not in ("job", *RESULTS) and len({row[key] for row in rows}) > 1]
    write_text(folder / "summary.csv", pd.DataFrame(rows).to_csv(index=False))
    console = Console()
    show(console, rows, varied)
    solved = [Path(row["folder"]) for row in rows if row["status"] == "converged"]
    if varied == ["seed"] and len(solved) > 1:
        average(solved, folder / "ensemble", console)
    publish(folder, rows, varied)
    console.print(str(folder / "report.html"), highlight=False, markup=False, soft_wrap=True)
    return max(row["code"] for row in rows)


def average(solved: list[Path], folder: Path, console: Console) -> None:
    """Judge the mean of solutions that differ in their seed alone, in a process of its own."""

    def work() -> int:
        start_engine(quiet=True)
        from deqn.runs.ensemble import load, publish_ensemble

        try:
            publish_ensemble(load(solved), folder)
        except DeqnError as error:
            print(f"deqn-solve: no mean of the solutions: {error}", file=sys.stderr)
            return error.exit_code
        return 0

    with run_in_fork(work):
        pass
    if (folder / "summary.json").exists():
        summary = read_summary(folder)
        line = f"mean of {len(solved)} solutions: {report.grade(summary)}, {report.explain_status(summary)}"
        console.print(line, highlight=False, markup=False)


def job_row(job: Path, overrides: list[str]) -> dict[str, Any]:
    """One job: its overrides, and what its summary.json says; one that failed says why in failure.json."""
    words = (o.lstrip("+").partition("=") for o in overrides if not o.startswith("hydra"))
    row = {"job": job.name} | {key: value for key, _, value in words} | dict.fromkeys(RESULTS) | {"folder": str(job)}
    if (job / "failure.json").exists():
        return row | {"status": "failed"} | json.loads((job / "failure.json").read_text(encoding="utf-8"))
    if not (job / "summary.json").exists():
        status, why = ("failed", "it has no result") if job.exists() else ("not_run", "it did not run")
        return row | {"status": status, "code": 1, "reason": why}
    summary = read_summary(job)
    errors, seconds = summary.euler_errors["path"]["all"], summary.seconds
    return row | {
        "status": summary.status, "mean": summary.path_error.mean, "max": errors["max"],
        "seconds": seconds["total"], "import_seconds": seconds["import"],
        "code": choose_exit_code(summary.status, summary.signal),
        "reason": None if summary.status == "converged" else report.explain_status(summary),
    }  # fmt: skip


def show(console: Console, rows: list[dict[str, Any]], varied: list[str], noun: str = "job") -> None:
    """Print a row for each job, or trial, with the settings that vary, and why some did not converge."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    last = [key.rpartition(".")[2] for key in varied]  # the last word of a key, where it is that of no other
    for name in (noun, *(w if last.count(w) == 1 else key for key, w in zip(varied, last, strict=True))):
        table.add_column(name, overflow="fold")
    for name in SHOWN:
        table.add_column(name, no_wrap=True, justify="left" if name == "status" else "right")
    for row in rows:
        table.add_row(row[noun], *map(Text, cells(row, varied)))  # as they are: [relu] is no markup
    console.print(table)
    for row in rows:
        if row["reason"]:
            console.print(f"{noun} {row[noun]}: {row['reason']}", highlight=False, markup=False)


def cells(row: dict[str, Any], varied: list[str]) -> list[str]:
    """What stands beside the number of a job: what varies, and SHOWN."""
    seconds = "-" if row["seconds"] is None else f"{row['seconds']:.0f}"
    return [*(row[n] for n in varied), row["status"], format_error(row["mean"]), format_error(row["max"]), seconds]


def publish(
    folder: Path, rows: list[dict[str, Any]], varied: list[str], noun: str = "job", remarks: tuple[str, ...] = ()
) -> None:
    """Write figure.png, where there is something to draw, and report.html, with `remarks` above its table."""
    counts = Counter(row["status"].replace("_", " ") for row in rows)
    headline = f"{len(rows)} {noun}s: {', '.join(f'{n} {status}' for status, n in counts.items())}"
    figure = folder / "figure.png"
    if any(row["mean"] is not None for row in rows):
        draw_sweep(pd.DataFrame(rows), varied, headline, figure)
    mean, shown = folder / "ensemble", None  # of the solutions
    if (mean / "summary.json").exists():
        summary = read_summary(mean)
        shown = describe_verdict(summary) | {"pictures": list_pictures(mean, summary.model)}
    content = render_page(
        "sweep.html", counts=headline, folder=folder.name, noun=noun, remarks=remarks,
        columns=[noun, *varied, *SHOWN],
        rows=[[linked(row, folder, noun), *cells(row, varied)] for row in rows],
        reasons=[[row[noun], row["reason"]] for row in rows if row["reason"]],
        figure=embed_picture(figure) if figure.exists() else None, ensemble=shown,
    )  # fmt: skip
    write_text(folder / "report.html", content)


def linked(row: dict[str, Any], folder: Path, noun: str) -> str:
    """The number of a job, with a link to its own report where it has one."""
    if row["folder"] is None or not (Path(row["folder"]) / "report.html").exists():
        return row[noun]
    return Markup('<a href="{}/report.html">{}</a>').format(os.path.relpath(row["folder"], folder), row[noun])
