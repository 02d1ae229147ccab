r"""Tables for papers, one tabular in each file of tables/; they need \usepackage{booktabs}."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deqn.evaluation.moments import telling
from deqn.reporting.report import STATISTICS, comparison_table, verdict_rows
from deqn.system.files import write_text

ESCAPES = str.maketrans({c: rf"\{c}" for c in "_%&#${}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
})  # fmt: skip
VARIABLES = 40  # at most, in a table


def write_tables(folder: Path, summary: dict[str, Any], compared: pd.DataFrame | None, moments: pd.DataFrame) -> None:
    """The verdict, comparison.csv where there is one, and moments.csv, into tables/. Raises FileError."""
    place = folder / "tables"
    place.mkdir(exist_ok=True)
    rows = [[row.label, *row.cells(scientific)] for row in verdict_rows(summary)]
    write_text(place / "euler_errors.tex", tabular(["absolute residual", *STATISTICS], rows))
    if compared is not None:
        write_text(place / "comparison.tex", framed("policy", comparison_table(compared), scientific))
    few = moments.loc[telling(list(moments.index), VARIABLES)].drop(columns=["min", "max"])
    heading = lambda c: rf"$\rho_{c[-1]}$" if c.startswith("autocorrelation_") else c
    few.columns = ["s.e." if c.endswith("_se") else heading(c) for c in few]
    left_out = f"% {len(few)} of {len(moments)} variables; all are in moments.csv\n" if len(few) < len(moments) else ""
    write_text(place / "moments.tex", left_out + framed("variable", few, plain))


def framed(heading: str, frame: pd.DataFrame, show: Callable[[float], str]) -> str:
    """A table of numbers, its index first."""
    rows = [[str(label), *map(show, values)] for label, values in zip(frame.index, frame.to_numpy(), strict=True)]
    return tabular([heading, *frame], rows)


def tabular(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A tabular with three rules. Labels are plain text, everything else is LaTeX already."""
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\toprule",
        " & ".join(columns) + r" \\", r"\midrule",
        *(" & ".join([label.translate(ESCAPES), *cells]) + r" \\" for label, *cells in rows),
        r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def scientific(x: float | None) -> str:
    r"""Two digits, `$1.2\times10^{-5}$`; a dash for what is not finite."""
    return power_of_ten(x, f"{x:.1e}") if is_finite(x) else "--"


def plain(x: float | None) -> str:
    """Four digits, with a power of ten only where they would not show; a dash for what is not finite."""
    return power_of_ten(x, f"{x:.4g}") if is_finite(x) else "--"


def power_of_ten(x: float, text: str) -> str:
    """A printed number in mathematical type."""
    mantissa, _, exponent = text.partition("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$" if exponent and x else f"${mantissa}$"


def is_finite(x: float | None) -> bool:
    """Whether there is a number to print."""
    return x is not None and math.isfinite(x)
