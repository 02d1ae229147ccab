"""Pages in one file each, made from templates/: what a run, or a sweep, shows in a browser. Needs no TensorFlow."""

import base64
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from deqn.evaluation.moments import correlations, select_variables
from deqn.evaluation.summary import Summary, read_summary
from deqn.reporting import report
from deqn.system.files import format_error

VARIABLES, CORRELATED = 30, 12  # at most so many variables in the tables of moments, and in the matrix
PICTURES = {
    "training": ("Training", "Curves of the mean and largest residual on fresh states against seconds of training, by "
                 "equation, on a logarithmic scale"),
    "policies": ("Policy functions", "Curves of each policy along each state of the economy, with the exact solution "
                 "dashed over them where it is known"),
    "errors": ("Errors", "Curves of the share of states, on the path and in the box, whose residual is above each "
               "size, by equation, on logarithmic scales"),
    "distribution": ("Simulated distribution", "Histograms of the states and policies along the simulated paths, with "
                     "their means"),
    "impulse_responses": ("Impulse responses", "Curves of the deviations of the variables over 40 periods after each "
                          "shock"),
}  # fmt: skip


@cache
def load_templates() -> Environment:
    """The package's templates; whatever is filled in is escaped, and a name that is not given is an error."""
    loader = PackageLoader("deqn.reporting")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def render_page(template: str, **content: Any) -> str:
    """The text of a template with its content filled in; pages extend base.html and use macros.html."""
    return load_templates().get_template(template).render(content)


def render_run(folder: Path) -> str:
    """report.html, from the other files of a run's folder."""
    summary, record = read_summary(folder), json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    moments = pd.read_csv(folder / "moments.csv", index_col="variable")
    simulated = pd.read_parquet(folder / "simulation.parquet")
    few = moments.loc[select_variables(list(moments.index), VARIABLES)]
    orders = [c for c in moments if c.startswith("autocorrelation_")]
    moving = [name for name in simulated if name not in ("path", "period") and simulated[name].nunique() > 1]
    chosen = simulated[["path", "period", *select_variables(moving, CORRELATED)]]
    to_word = lambda value: value if isinstance(value, str) else json.dumps(value)  # a setting as YAML has it
    return render_page(
        "run.html", **describe_verdict(summary), folder=folder.name,
        parameters=[[name, to_word(value)] for name, value in summary.parameters.items()],
        changed=[[key, to_word(c["value"]), to_word(c["default"])] for key, c in summary.changed.items()],
        comparison=read_comparison(folder / "comparison.csv"), pictures=list_pictures(folder, summary.model),
        simulation={
            "paths": simulated["path"].nunique(), "periods": simulated["period"].nunique(),
            "burn_in": summary.sample.burn_in, "at_rest": summary.sample.at_rest,
        },
        moments=tabulate("variable", few.drop(columns=orders).rename(columns=label_moment), "{:.4g}".format),
        autocorrelations=tabulate("variable", few[orders].rename(columns=label_moment), "{:.4f}".format),
        correlations=tabulate("variable", correlations(chosen), "{:.4f}".format),
        variables=len(moments), moving=len(moving), family=bool(summary.pseudo_states),
        environment=describe_environment(record, summary),
    )  # fmt: skip


def list_pictures(folder: Path, model: str) -> list[tuple[str, str, str]]:
    """The figures that there are: the picture itself, its caption, and what it shows in words."""
    return [
        (embed_picture(file), caption, f"{words}; model {model}.")
        for name, (caption, words) in PICTURES.items() if (file := folder / "figures" / f"{name}.png").exists()
    ]  # fmt: skip


def label_moment(column: str) -> str:
    """The heading of a column of moments.csv."""
    name = column.removesuffix("_se").replace("autocorrelation_", "order ")
    return f"{name}, s.e." if column.endswith("_se") else name


def describe_verdict(summary: Summary) -> dict[str, Any]:
    """What verdict.html shows: the model, PASS or FAIL and why, the table and the sentences under it."""
    rows = list(report.compose_rows(summary))
    return {
        "model": summary.model, "word": report.grade(summary), "reason": report.explain_status(summary),
        "statistics": list(report.HEADINGS), "errors": [[row.label, *row.format_cells(format_error)] for row in rows],
        "muted": [row.label for row in rows if row.muted], "remarks": list(report.compose_remarks(summary)),
    }  # fmt: skip


def read_comparison(file: Path) -> dict[str, Any] | None:
    """comparison.csv as a table, and what it compares with; None where the run has none."""
    if not file.exists():
        return None
    compared = pd.read_csv(file)
    table = tabulate("policy", report.tabulate_comparison(compared), format_error)
    return {"against": compared["against"][0].replace("_", " "), "table": table}


def describe_environment(record: dict[str, Any], summary: Summary) -> list[list[str]]:
    """Rows of what the run was made with."""
    rows = {
        "command line": " ".join(record["command_line"]), "seed": summary.seed, "numbers": summary.dtype,
        "steps": ", ".join(f"{stage} {n}" for stage, n in summary.steps.items()),
        "states visited": summary.states_visited,
        "versions": ", ".join(f"{package} {v}" for package, v in record["versions"].items()),
        "platform": record["platform"], "devices": ", ".join(record["devices"]),
        "threads": ", ".join(f"{kind} {n}" for kind, n in record["threads"].items()),
        "git revision": record["git_revision"] or "-",
        "model's git revision": record.get("model_git_revision") or "-",
    }  # fmt: skip
    return [[name, str(value)] for name, value in rows.items()]


def tabulate(heading: str, frame: pd.DataFrame, show: Callable[[float], str]) -> dict[str, Any]:
    """A table of numbers for the macro `table`, its index first; a dash for what is not finite."""
    rows = [[str(label), *(show(x) if np.isfinite(x) else "-" for x in values)]
            for label, values in zip(frame.index, frame.to_numpy(float), strict=True)]  # fmt: skip
    return {"columns": [heading, *frame], "rows": rows}


def embed_picture(picture: Path) -> str:
    """A PNG as an address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
