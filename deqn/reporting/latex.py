r"""Tables for papers, one tabular in each file of tables/; they need \usepackage{booktabs}."""

import math
from functools import partial
from pathlib import Path

import pandas as pd

from deqn.evaluation.moments import select_variables
from deqn.evaluation.summary import Summary
from deqn.reporting.report import HEADINGS, compose_rows, tabulate_comparison
from deqn.system.files import write_text

TABLE_ROWS = 40  # at most, in a table


def write_tables(folder: Path, summary: Summary, compared: pd.DataFrame | None, moments: pd.DataFrame) -> None:
    """The verdict, comparison.csv where there is one, and moments.csv, into tables/. Raises FileError."""
    place = folder / "tables"
    place.mkdir(exist_ok=True)
    rows = list(compose_rows(summary))
    cells = [row.format_cells(format_scientific) for row in rows]
    errors = pd.DataFrame(cells, [row.label for row in rows], list(HEADINGS))
    write_text(place / "euler_errors.tex", to_tabular("absolute residual", errors))
    if compared is not None:
        comparison = tabulate_comparison(compared).map(format_scientific)
        write_text(place / "comparison.tex", to_tabular("policy", comparison))
    few = moments.loc[select_variables(list(moments.index), TABLE_ROWS)].drop(columns=["min", "max"])
    heading = lambda c: rf"$\rho_{c[-1]}$" if c.startswith("autocorrelation_") else c
    few.columns = ["s.e." if c.endswith("_se") else heading(c) for c in few]
    left_out = f"% {len(few)} of {len(moments)} variables; all are in moments.csv\n" if len(few) < len(moments) else ""
    write_text(place / "moments.tex", left_out + to_tabular("variable", few.map(format_plain)))


def to_tabular(heading: str, frame: pd.DataFrame) -> str:
    """A tabular with three rules, the index first. Its labels are plain text, everything else is LaTeX already."""
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
