"""Time to accuracy: seconds since the start of the process against Euler errors, for models, stages and seeds.

    python scripts/benchmark.py [--cases growth,...] [--stages adam_lm,...] [--seeds 5] [--out outputs/benchmark]

Every run is a `deqn-solve` of its own, import and compilation included. Beside the economies of stochastic growth runs
an independent solution, time iteration on splines in numpy (scripts/time_iteration.py), on grids from coarse to fine.
Writes <out>.csv, a row for each report of training and one `final` row for each run (errors on fresh states with more
quadrature nodes), and <out>.png; prints median and worst of the seeds. `policy_max` is the largest relative distance
from an exact solution: consumption along the run's simulated paths from time iteration on the finest grid, or the
policies of path and box from the closed form. `binds` is the largest share of states on which a constraint binds.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import time_iteration
from solve_process import solve

BUSINESS_CYCLE = {"alpha": 0.36, "beta": 0.99, "gamma": 1.0, "delta": 0.1, "rho": 0.9, "sigma": 0.04}
LITERATURE = BUSINESS_CYCLE | {"gamma": 2.0, "delta": 0.02, "rho": 0.95, "sigma": 0.01}
BOX = ["model.k_box=[0.9,1.1]", "model.tfp_box=[0.9,1.1]"]
LONG_POLISH = ["optimizer.iterations=10", "optimizer.polish=9000"]
BINDING = ["model.irreversible=true", "model.sigma=0.02", "model.k_box=[0.65,1.7]", "sampling=mixture",
           "sampling.shock_scale=1.3", "sampling.box_share=0.25", "network.anchor=linear", "expectation.degree=5",
           "optimizer.iterations=30", "optimizer.states=2000", "optimizer.polish=5000"]  # fmt: skip
FEWER = ["evaluation.periods=20", "evaluation.box=512", "evaluation.figures=false"]
FEWEST = ["evaluation.paths=50", "evaluation.periods=10", "evaluation.box=128", "sampling.paths=16"]
FAMILY = ["pseudo_states.beta=[.94,.99]", "pseudo_states.gamma=[1,5]"]
CASES = {  # overrides, parameters of the independent solution, the set on which errors are judged
    "growth": (["model=growth", "model.delta=0.1"], None, "path"),
    "stochastic_growth": (["model=stochastic_growth"], BUSINESS_CYCLE, "path"),
    "gamma_5": (["model=stochastic_growth", "model.gamma=5"], BUSINESS_CYCLE | {"gamma": 5.0}, "path"),
    "gamma_10": (["model=stochastic_growth", "model.gamma=10"], BUSINESS_CYCLE | {"gamma": 10.0}, "path"),
    "literature": (
        ["model=stochastic_growth", *(f"model.{k}={v}" for k, v in LITERATURE.items()), *BOX, "sampling=box"],
        LITERATURE,
        "box",
    ),
    "olg_share": (["model=olg_analytic"], None, "path"),
    "olg_level": (["model=olg_analytic", "model.head=level"], None, "path"),
    "olg_level_20": (
        ["model=olg_analytic", "model.head=level", "model.cohorts=20", *LONG_POLISH],
        None,
        "path",
    ),
    "growth_labor": (["model=growth_labor"], None, "path"),
    "irreversible": (["model=irreversible"], None, "path"),
    "asset_pricing": (["model=asset_pricing"], None, "path"),
    "olg_lifecycle": (["model=olg_lifecycle"], None, "path"),
    "irbc_2": (["model=irbc"], None, "path"),
    "irbc_2_irreversible": (["model=irbc", *BINDING], None, "path"),
    "irbc_15": (["model=irbc", "model.N=15", "optimizer.iterations=2", "optimizer.polish=0"], None, "path"),
    "irbc_50": (["model=irbc", "model.N=50", "train.steps=0", *FEWER], None, "path"),  # second order: --stages adam
    "irbc_100": (["model=irbc", "model.N=100", "train.steps=0", *FEWEST], None, "path"),  # the same
    "family": (["model=stochastic_growth", *FAMILY], None, "path"),
}
STAGES = {
    "adam": ["optimizer=adam"],
    "adam_lm": ["optimizer=adam_lm"],
    "chebyshev": ["network=chebyshev"],
}
SIZES = ("mean", "p99", "p999", "max")
MEASURED = ["seconds", "memory", *SIZES, "policy_max", "binds"]
GRIDS = [(21, 7), (41, 11), (81, 21), (161, 41)]


def main(arguments: list[str]) -> None:
    """Run everything, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--stages", default="adam,adam_lm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("outputs/benchmark"))
    parser.add_argument("overrides", nargs="*", help="further overrides of every run")
    chosen = parser.parse_args(arguments)
    rows = []
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    for case in chosen.cases.split(","):
        (overrides, parameters, judged), consumption = CASES[case], None
        if parameters is not None:
            found, finest = independent(parameters, judged)
            consumption = finest if judged == "path" else None
            rows += [{"case": case, "method": "time iteration", **row} for row in found]
        for stage in chosen.stages.split(","):
            for seed in range(chosen.seeds):
                words = [*overrides, *STAGES[stage], f"seed={seed}", *chosen.overrides]
                found = run(words, judged, consumption)
                rows += [{"case": case, "method": stage, "seed": seed, **row} for row in found]
                print({k: v for k, v in rows[-1].items() if k != "kind"}, flush=True)
                table = pd.DataFrame(rows)
                table.to_csv(chosen.out.with_suffix(".csv"), index=False)  # at once: it takes an hour
    draw(table, chosen.out.with_suffix(".png"))
    final = table[table["kind"] == "final"].groupby(["case", "method"], sort=False)
    for name in ("median", "max"):
        print(f"{name} of the seeds\n{final[MEASURED].agg(name).to_string(float_format='{:.2g}'.format)}")


def run(overrides: list[str], judged: str, consumption: Callable | None) -> list[dict]:
    """One process: its reports, and the verdict on fresh states."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        solved = solve(overrides, folder)
        metrics = pd.read_csv(folder / "metrics.csv")
        simulated = pd.read_parquet(folder / "simulation.parquet")
    summary, wall = solved.summary, solved.seconds
    seconds = summary["seconds"]
    offset = wall - seconds["evaluate"] - seconds["report"] - metrics["seconds"].iloc[-1]
    means, largest = (metrics.filter(regex=f"^{name}_") for name in ("mean", "max"))
    reports = zip(metrics["seconds"] + offset, means.mean(axis=1), largest.max(axis=1), strict=True)
    errors = summary["euler_errors"][judged]["all"]
    binds = [found["share"] for found in summary["constraints"][judged].values()]
    distances = [s["max_relative"] for s in summary["policy_errors"]["closed_form"].values()]
    if consumption is not None:
        distances = [np.abs(simulated["c"] / consumption(simulated["k"], simulated["z"]) - 1).max()]
    return [
        *({"kind": "report", "seconds": s, "mean": m, "max": x} for s, m, x in reports),
        {"kind": "final", "seconds": wall, "memory": solved.memory, **{k: errors[k] for k in SIZES},
         "policy_max": max(distances, default=np.nan), "binds": max(binds, default=np.nan)},
    ]  # fmt: skip


def independent(parameters: dict[str, float], judged: str) -> tuple[list[dict], Callable]:
    """Time iteration on ever finer grids, judged on simulated states or on the box, and the finest solution."""
    rng = np.random.default_rng(0)
    steady = ((1 / parameters["beta"] - 1 + parameters["delta"]) / parameters["alpha"]) ** (
        1 / (parameters["alpha"] - 1)
    )
    rows = []
    for grid in GRIDS:
        began = time.monotonic()
        c = time_iteration.stochastic_growth(**parameters, points=grid)
        seconds = time.monotonic() - began
        if judged == "box":
            k, z = steady * rng.uniform(0.9, 1.1, 10000), np.log(rng.uniform(0.9, 1.1, 10000))
        else:
            k, z = np.full(1000, steady), np.zeros(1000)
            for _ in range(500):
                k = np.exp(z) * k ** parameters["alpha"] + (1 - parameters["delta"]) * k - c(k, z)
                z = parameters["rho"] * z + parameters["sigma"] * rng.standard_normal(len(z))
        errors = time_iteration.euler_errors(c, k, z, **parameters)
        rows.append({"kind": "final", "seconds": seconds, "mean": errors.mean(), "max": errors.max()})
    return rows, c


def draw(table: pd.DataFrame, path: Path) -> None:
    """Mean error against seconds, a panel for each case, a line for each seed; the verdicts as dots."""
    cases = list(table["case"].unique())
    columns = min(3, len(cases))
    rows = -(-len(cases) // columns)
    figure = Figure(figsize=(3.9 * columns, 3.1 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(cases) :]:
        ax.remove()
    colors = {m: f"C{i}" for i, m in enumerate(table["method"].unique())}
    for ax, case in zip(axes, cases, strict=False):
        part = table[table["case"] == case]
        for (method, _), line in part[part["kind"] == "report"].groupby(["method", "seed"]):
            ax.loglog(line["seconds"], line["mean"].clip(lower=1e-16), color=colors[method], lw=1, alpha=0.7)
        for method, dots in part[part["kind"] == "final"].groupby("method"):
            ax.loglog(dots["seconds"], dots["mean"].clip(lower=1e-16), "o", ms=4, color=colors[method], label=method)
        ax.set(title=case, xlabel="seconds since the process started", ylabel="mean Euler error")
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    handles = {h.get_label(): h for ax in axes[: len(cases)] for h in ax.get_legend_handles_labels()[0]}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1:])
