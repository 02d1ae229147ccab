"""The pages of the gallery: one for each stored economy, and an index with pictures and a table, worst rows first."""

import ast
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deqn.evaluation.summary import Summary, read_summary
from deqn.reporting import report
from deqn.system.files import format_error

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "outputs" / "gallery"
UNBROKEN = "e\u2011"  # the hyphen of an exponent, at which no line is broken
REFERENCES = {"closed_form": "closed form", "reference": "projection"}


@dataclass(frozen=True)
class Entry:
    """A stored economy: what it was solved with, and what was measured."""

    name: str
    record: dict[str, Any]  # entry.json
    summary: Summary
    module: str  # the file of the model, models/NAME.py
    parameters: dict[str, Any]

    @property
    def excess(self) -> float:
        """The mean path error of the worst equation, in multiples of the tolerance."""
        return self.summary.path_error.mean / self.summary.tolerance

    @property
    def distance(self) -> str:
        """The largest mean distance of a policy from a reference, and which; an estimate where there is none."""
        for kind, words in REFERENCES.items():
            if found := (self.summary.policy_errors or {}).get(kind):
                return f"{format_error(max(x['mean'] for x in found.values()))} ({words})"
        estimated = self.summary.distance
        if estimated is None:
            return "-"
        return f"{format_error(max(x['mean'] for x in estimated.choices.values()))} (estimated)"


def read_entries() -> list[Entry]:
    """All stored economies, the worst first."""
    found = []
    for file in sorted(GALLERY.glob("*/entry.json")):
        settings = yaml.safe_load((file.parent / "config.yaml").read_text(encoding="utf-8"))["model"]
        module = settings.pop("_target_").split(".")[-2]
        record = json.loads(file.read_text(encoding="utf-8"))
        found.append(Entry(file.parent.name, record, read_summary(file.parent), module, settings))
    return sorted(found, key=lambda entry: -entry.excess)


def write_pages(folder: Path) -> None:
    """Write the index, a page for each entry, and copy the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = read_entries()
    for entry in entries:
        for picture in sorted((GALLERY / entry.name / "figures").glob("*.png")):
            shutil.copyfile(picture, folder / f"{entry.name}_{picture.name}")
        write(folder / f"{entry.name}.md", describe_entry(entry))
    write(folder / "index.md", describe_index(entries))


def write(page: Path, text: str) -> None:
    """Write a page if it changed: Sphinx does not read an unchanged one again."""
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def read_docstring(module: str) -> str:
    """What stands at the head of a model's file."""
    return ast.get_docstring(ast.parse((ROOT / "models" / f"{module}.py").read_text(encoding="utf-8"))) or ""


def describe_index(entries: list[Entry]) -> str:
    """The page with all economies."""
    lines = ["# Gallery", "", "Solved economies that come with the package. Load one by its name, or judge it anew in "
             "seconds:", "", "```python", "import deqn", "", 'sol = deqn.load("gallery:stochastic_growth")', "```", "",
             "```text", "deqn-evaluate run=gallery:stochastic_growth", "```", "",
             "## Status", "", "The worst rows first, by the mean path error of the worst equation over its tolerance. "
             "Errors are those of all equations on simulated paths; s are seconds.", "",
             "| economy | verdict | mean | p99.9 | max | distance of a policy | s | version |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for entry in entries:
        errors = entry.summary.euler_errors["path"]["all"]
        cells = [f"[{entry.name}]({entry.name}.md)", report.grade(entry.summary),
                 *(format_error(errors[key]) for key in ("mean", "p999", "max")), entry.distance,
                 f"{entry.record['seconds']:.0f}", entry.record["versions"]["deqn"]]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |".replace("e-", UNBROKEN))
    lines += ["", "## Economies", "", "::::{grid} 1 2 2 3"]
    for entry in sorted(entries, key=lambda e: e.name):
        first = " ".join(read_docstring(entry.module).split("\n\n")[0].split())
        lines += [f":::{{grid-item-card}} {entry.name}", f":link: {entry.name}", ":link-type: doc",
                  f"![Policy functions of {entry.name}]({entry.name}_policies.png)", "", first, ":::"]  # fmt: skip
    pages = [entry.name for entry in sorted(entries, key=lambda e: e.name)]
    return "\n".join([*lines, "::::", "", "```{toctree}", ":hidden:", "", *pages, "```", ""])


def describe_entry(entry: Entry) -> str:
    """The page of one economy."""
    head, _, rest = read_docstring(entry.module).partition("\n\n")
    lines = [f"# {entry.name}", "", " ".join(head.split()), "", "```text", entry.record["command"], "```", ""]
    if rest:
        lines += ["## Equations", "", rest.strip(), ""]
    lines += [
        "## Verdict",
        "",
        f"**{report.grade(entry.summary)}**: {report.explain_status(entry.summary)}.",
        "",
        "| absolute residual | " + " | ".join(report.HEADINGS) + " |",
        "|---|" + "---|" * len(report.HEADINGS),
    ]
    for row in report.compose_rows(entry.summary):
        cells = " | ".join(row.format_cells(format_error)).replace("e-", UNBROKEN)
        lines.append(f"| {row.label} | {cells} |")
    lines += ["", *(f"{remark}\n" for remark in report.compose_remarks(entry.summary))]
    versions = ", ".join(
        f"{package} {entry.record['versions'][package]}" for package in ("deqn", "tensorflow", "keras")
    )
    lines += [f"Solved on {entry.record['date']}, {entry.record['machine']}, with {versions}.", ""]
    lines += ["## Calibration", "", "| parameter | value |", "|---|---|",
              *(f"| `{name}` | {format_value(value)} |" for name, value in entry.parameters.items()), ""]  # fmt: skip
    lines += ["## Policies", "", f"![Policy functions of {entry.name} along each state]({entry.name}_policies.png)", "",
              "## Distribution", "",
              f"![States and policies of {entry.name} on simulated paths]({entry.name}_distribution.png)",
              "", "## The file", "", f"```{{literalinclude}} ../../../models/{entry.module}.py", ":language: python",
              "```", ""]  # fmt: skip
    return "\n".join(lines)


def format_value(value: Any) -> str:
    """A parameter in a table."""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return str(value)
