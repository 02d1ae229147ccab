"""Numbers of other people beside those of this solver: a table, and outputs/gallery/replications.csv.

    python scripts/replications.py [--cases hansen,burnside] [--out outputs/gallery]

Each case (scripts/cases/) solves an economy from its file and asks the solution for what a paper prints, or for what an
independent solution of the same economy says; the source of such a row ends with "own solution". The column
`first_order` is the same quantity under the first-order solution, empty where that makes no sense. Rows that disagree
stay, with the reason.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cases import closed_forms, constraints, growth, open_economy
from cases.table import Row

COLUMNS = ["source", "quantity", "printed", "here", "first_order", "seconds", "file"]  # come first


class Case(NamedTuple):
    """Rows, and the file of their economy."""

    rows: Callable[[], Iterator[Row]]
    file: str


CASES = {
    "brock_mirman": Case(closed_forms.brock_mirman, "models/growth.py"),
    "burnside": Case(closed_forms.burnside, "models/asset_pricing.py"),
    "krueger_kubler": Case(closed_forms.krueger_kubler, "models/olg_analytic.py"),
    "long_plosser": Case(closed_forms.long_plosser, "scripts/models/long_plosser.py"),
    "gali": Case(closed_forms.gali, "scripts/models/gali.py"),
    "hansen": Case(growth.hansen, "scripts/models/hansen.py"),
    "aruoba": Case(growth.aruoba, "scripts/models/aruoba.py"),
    "schmitt_grohe_uribe": Case(growth.schmitt_grohe_uribe, "scripts/models/schmitt_grohe_uribe.py"),
    "schmitt_grohe_uribe_2003": Case(open_economy.schmitt_grohe_uribe_2003, "scripts/models/small_open_economy.py"),
    "den_haan_judd_juillard": Case(open_economy.den_haan_judd_juillard, "models/irbc.py"),
    "aguiar_gopinath": Case(open_economy.aguiar_gopinath, "scripts/models/trend_shocks.py"),
    "petrosky_nadeau_zhang": Case(constraints.petrosky_nadeau_zhang, "scripts/models/search_frictions.py"),
    "christiano_fisher": Case(constraints.christiano_fisher, "scripts/models/christiano_fisher.py"),
    "bianchi": Case(constraints.bianchi, "scripts/models/bianchi.py"),
}


def replicate(name: str) -> pd.DataFrame:
    """A row for each number of a case, with the seconds that it took."""
    case, began = CASES[name], time.monotonic()
    rows = [vars(row) | {"agrees": row.agrees} for row in case.rows()]
    seconds = round(time.monotonic() - began, 1)
    return pd.DataFrame(rows).assign(case=name, seconds=seconds, file=case.file)


def store(rows: pd.DataFrame, file: Path) -> None:
    """Put the rows of a case into the table, in the place of those that it has there."""
    stored = pd.read_csv(file) if file.exists() else rows
    others = stored[stored["case"] != rows["case"].iloc[0]]
    table = pd.concat([others, rows], ignore_index=True) if len(others) else rows
    table = table.sort_values("case", key=lambda column: column.map(list(CASES).index), kind="stable")
    table[COLUMNS + [column for column in table if column not in COLUMNS]].to_csv(file, index=False)


def main() -> None:
    """Replicate the chosen cases, one after the other, each stored once it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help="of " + ", ".join(CASES))
    parser.add_argument("--out", type=Path, default=Path("outputs/gallery"))
    arguments = parser.parse_args()
    chosen = arguments.cases.split(",")
    if unknown := set(chosen) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        rows = replicate(name)
        print(
            rows[["quantity", "printed", "here", "first_order", "error", "agrees"]].to_string(index=False), flush=True
        )
        store(rows, arguments.out / "replications.csv")


if __name__ == "__main__":
    main()
