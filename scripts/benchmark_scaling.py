"""How seconds, memory and errors grow with the number of countries and of cohorts.

    python scripts/benchmark_scaling.py [--countries 2,5,10,20,50,100] [--cohorts 6,12,24,48] [--out outputs/scaling]

Every run is a `deqn-solve` of its own. Countries (irbc, 2 N states) are solved to second order and judged, and trained
for a fixed number of gradient steps from the linear anchor; so are cohorts (olg_analytic in levels, A + 1 states). The
work of a run is the same for all sizes: as many states, dates and steps. Writes <out>.csv (seconds of the whole process
and of its phases, peak memory in GiB, mean error before and after) and <out>.png.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from solve_process import solve

TRAINED = ["optimizer=adam", "network.anchor=linear", "network.hidden=[32,32]", "train.steps=200", "train.batch=64",
           "train.report_every=200", "sampling=ergodic", "sampling.paths=64"]  # fmt: skip
JUDGED = ["evaluation.paths=50", "evaluation.periods=10", "evaluation.box=128", "evaluation.figures=false"]
SECOND_ORDER = ["optimizer=adam", "train.steps=0", "sampling.paths=16"]


def main(arguments: list[str]) -> None:
    """Run everything, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--countries", default="2,5,10,20,50,100")
    parser.add_argument("--cohorts", default="6,12,24,48")
    parser.add_argument("--out", type=Path, default=Path("outputs/scaling"))
    chosen = parser.parse_args(arguments)
    countries, cohorts = ([int(n) for n in text.split(",") if n] for text in (chosen.countries, chosen.cohorts))
    jobs = [("countries, second order", n, ["model=irbc", f"model.N={n}", *SECOND_ORDER]) for n in countries]
    jobs += [("countries, 200 Adam steps", n, ["model=irbc", f"model.N={n}", *TRAINED]) for n in countries]
    jobs += [
        ("cohorts, 200 Adam steps", a, ["model=olg_analytic", "model.head=level", f"model.cohorts={a}", *TRAINED])
        for a in cohorts
    ]
    rows = []
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    for case, size, overrides in jobs:
        rows.append({"case": case, "size": size, **run([*overrides, *JUDGED])})
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(chosen.out.with_suffix(".csv"), index=False)
    draw(pd.DataFrame(rows), chosen.out.with_suffix(".png"))


def run(overrides: list[str]) -> dict[str, float]:
    """One process: seconds, peak memory, and the mean path error of the solution and of first order alone."""
    with tempfile.TemporaryDirectory() as place:
        solved = solve(overrides, Path(place) / "run")
    summary = solved.summary
    phases = {name: round(summary["seconds"][name], 1) for name in ("compile", "train", "evaluate")}
    linear = summary["first_order"].get("euler_errors", {}).get("path", {}).get("all", {})
    return {
        "seconds": round(solved.seconds, 1), **phases, "memory": round(solved.memory, 2),
        "mean": summary["euler_errors"]["path"]["all"]["mean"], "first_order": linear.get("mean", float("nan")),
    }  # fmt: skip


def draw(table: pd.DataFrame, path: Path) -> None:
    """Seconds of the process and peak memory against size."""
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    for ax, (column, label) in zip(
        figure.subplots(1, 2), {"seconds": "seconds, whole process", "memory": "peak memory, GiB"}.items(), strict=True
    ):
        for i, (case, rows) in enumerate(table.groupby("case", sort=False)):
            ax.loglog(rows["size"], rows[column], marker="o", color=f"C{i}", label=case)
        ax.set(xlabel="countries or cohorts", ylabel=label)
        ax.set_xticks([2, 5, 10, 20, 50, 100])
        low, high = table[column].min(), table[column].max()
        ax.set_yticks([t for t in np.outer([0.1, 1, 10, 100], [1, 2, 5]).ravel() if low / 2 <= t <= 2 * high])
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1:])
