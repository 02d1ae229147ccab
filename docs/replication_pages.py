"""The page of other people's numbers, from outputs/gallery/replications.csv, which scripts/replications.py writes."""

from pathlib import Path

import pandas as pd

TABLE = Path(__file__).parents[1] / "outputs" / "gallery" / "replications.csv"


def describe_replications() -> str:
    """A table for each source: the quantity, the number there, here, and under the first-order solution."""
    table = pd.read_csv(TABLE)
    papers = table.loc[~table["source"].str.endswith("own solution"), "case"].nunique()
    lines = ["# Numbers of other people", "", f"`python scripts/replications.py` solves {table['case'].nunique()} "
             f"economies and compares {len(table)} numbers, of {papers} papers those that are printed. Where a paper's "
             "numbers are not at hand, an independent solution of the same economy takes their place, and the source "
             "ends with *own solution*. A number agrees within its rounding and two standard errors of the "
             "simulations.", ""]  # fmt: skip
    for source, rows in table.groupby("source", sort=False):
        first = rows.iloc[0]
        lines += [f"## {source}", "", f"`{first['file']}`, case `{first['case']}`, {first['seconds']:.0f} s.", "",
                  "| quantity | there | here | first order | agrees |", "|---|---|---|---|---|"]  # fmt: skip
        for _, row in rows.iterrows():
            why = f"no: {row['reason']}" if isinstance(row.get("reason"), str) and row["reason"] else "no"
            error = f" (s.e. {row['error']:.1g})" if row["error"] > 0 else ""
            first_order = "-" if pd.isna(row["first_order"]) else f"{row['first_order']:.6g}"
            cells = [row["quantity"].replace("|", "\\|"), f"{row['printed']:.10g}", f"{row['here']:.8g}{error}",
                     first_order, "yes" if row["agrees"] else why]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)
