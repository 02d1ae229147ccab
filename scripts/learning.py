"""A network learns growth: the policy and its distance from the closed form after more and more steps, in one figure.

    python scripts/learning.py [--out outputs/gallery] [key=value ...]     other words as for deqn-solve

One run for each number of steps, all from the same start and on the same states.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import deqn

STEPS = ((0, 0), (5, 0), (40, 0), (40, 150), (40, 1300))  # of Levenberg-Marquardt, and of BFGS after them


def main() -> None:
    """Solve once for each number of steps, print mean distances, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/gallery"))
    chosen, words = parser.parse_known_args()
    tables = {}
    for iterations, polish in STEPS:
        name = f"{iterations} + {polish} steps" if iterations else "first-order solution"
        tables[name] = learnt(iterations, polish, words)
        print(f"{name:24} mean distance from the closed form {distance(tables[name]).mean():.1e}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    draw(tables, chosen.out / "learning.png")


def learnt(iterations: int, polish: int, words: list[str]) -> pd.DataFrame:
    """Capital, tomorrow's capital by the policy after so many steps, and the closed form's."""
    steps = [f"optimizer.iterations={iterations}", f"optimizer.polish={polish}"]
    if not iterations:
        steps = ["optimizer=adam", "train.steps=0"]
    with tempfile.TemporaryDirectory() as folder:
        solution = deqn.solve("growth", [*words, *steps, "evaluation.figures=false"], folder=folder, quiet=True)
    (k,) = solution.economy.model.states
    capital = np.linspace(k.lower, k.upper, 401)
    model = solution.economy.model
    exact = model.alpha * model.beta * capital**model.alpha
    return pd.DataFrame({"k": capital, "k_next": solution.policy({"k": capital})["k_next"], "exact": exact})


def distance(table: pd.DataFrame) -> pd.Series:
    """Distance of the policy from the closed form, a share of it."""
    return (table["k_next"] / table["exact"] - 1).abs()


def draw(tables: dict[str, pd.DataFrame], path: Path) -> None:
    """Policies on the left, distances on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    shades = plt.colormaps["viridis"](np.linspace(0, 0.9, len(tables)))
    for (name, table), shade in zip(tables.items(), shades, strict=True):
        left.plot(table["k"], table["k_next"], color=shade, lw=1.8)
        right.semilogy(table["k"], distance(table), color=shade, label=name)
    left.plot(table["k"], table["exact"], "k--", lw=1, label="closed form")
    left.set(xlabel="capital k", title="tomorrow's capital")
    left.legend(frameon=False)
    right.set(xlabel="capital k", title="distance from the closed form (share)")
    figure.legend(*right.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(tables))
    right.set_ylim(bottom=1e-13)  # a zero of the distance is no zero of the error
    for ax in (left, right):
        ax.locator_params("x", nbins=5)
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
