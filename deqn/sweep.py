"""The end of a sweep: one table of all its jobs, on the terminal and as summary.csv in the sweep's folder."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deqn.errors import exit_code
from deqn.files import number, write_text

RESULTS = ("job", "status", "mean", "max", "seconds", "code", "reason", "folder")


def summarize(folder: Path) -> list[dict[str, Any]]:
    """The rows of the sweep in `folder`: what varied, status, errors, seconds. Prints and writes them."""
    rows = [job_row(job) for job in jobs(folder)]
    if not rows:
        return rows
    varied = [k for k in rows[0] if k not in RESULTS and len({str(row.get(k)) for row in rows}) > 1]
    write_text(folder / "summary.csv", pd.DataFrame(rows).to_csv(index=False))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("job", *varied, "status", "mean error", "max error", "seconds"):
        table.add_column(name, overflow="fold")
    for row in rows:
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.0f}"
        settings = (str(row.get(k, "")) for k in varied)
        cells = (row["job"], *settings, row["status"], number(row["mean"]), number(row["max"]), seconds)
        table.add_row(*map(Text, cells))  # as they are: [relu] is no markup
    console = Console()
    console.print(table)
    for row in rows:
        if row["reason"]:
            console.print(f"job {row['job']}: {row['reason']}", highlight=False, markup=False)
    console.print(str(folder / "summary.csv"), highlight=False, markup=False, soft_wrap=True)
    return rows


def jobs(folder: Path) -> list[Path]:
    """The folders of a sweep's jobs, in the order in which they were numbered."""
    return sorted((p for p in folder.iterdir() if (p / ".hydra").is_dir()), key=lambda p: (len(p.name), p.name))


def job_row(job: Path) -> dict[str, Any]:
    """One job: its overrides, and what its summary.json says; one that failed says why in failure.json."""
    overrides = [str(o).lstrip("+").partition("=") for o in OmegaConf.load(job / ".hydra" / "overrides.yaml")]
    settings = {key: value for key, _, value in overrides}
    results = dict.fromkeys(RESULTS[1:-1]) | {"status": "failed", "code": 1}
    if (job / "summary.json").exists():
        summary = json.loads((job / "summary.json").read_text(encoding="utf-8"))
        errors = summary["euler_errors"]["path"]["all"]
        results |= {
            "status": summary["status"], "mean": errors["mean"], "max": errors["max"],
            "seconds": summary["seconds"]["total"], "code": exit_code(summary["status"], summary.get("signal")),
        }  # fmt: skip
    elif (job / "failure.json").exists():
        results |= json.loads((job / "failure.json").read_text(encoding="utf-8"))
    return {"job": job.name, **settings, **results, "folder": str(job)}
