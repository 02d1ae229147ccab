"""The figures of a run: each function draws one picture and saves it as PNG."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.use("Agg")

NET, EXACT, MUTED = "#1f4e9c", "#d1495b", "#9aa5b1"
PANELS = 6  # at most so many variables in one figure


def canvas(panels: int, height: float = 2.9) -> tuple[Figure, list[Axes]]:
    """A figure with panels in rows of at most three."""
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(max(4.2 * columns, 5.4), height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[panels:]:
        unused.remove()
    for ax in axes[:panels]:
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes[:panels]


def training_curve(metrics: pd.DataFrame, path: Path) -> None:
    """Mean and largest validation residual along training, by equation."""
    figure, (ax,) = canvas(1, 3.4)
    equations = [c.removeprefix("mean_") for c in metrics if c.startswith("mean_")]
    for i, name in enumerate(equations[:PANELS]):
        ax.semilogy(metrics["step"], metrics[f"mean_{name}"], color=f"C{i}", label=f"{name}, mean")
        ax.semilogy(metrics["step"], metrics[f"max_{name}"], color=f"C{i}", alpha=0.45, ls="--", label=f"{name}, max")
    ax.set(xlabel="gradient step", ylabel="absolute residual (share)", title="Errors on fresh validation states")
    ax.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def policy_functions(slices: dict[str, pd.DataFrame], policies: list[str], path: Path) -> None:
    """Each policy along each state, the others at their steady state; `exact` columns are drawn over it.

    `slices`: state -> table with the state's column, policies, and `exact <policy>` where there is a closed form.
    """
    pairs = [(state, policy) for policy in policies for state in slices][: 2 * PANELS]
    figure, axes = canvas(len(pairs))
    for ax, (state, policy) in zip(axes, pairs, strict=True):
        table = slices[state]
        ax.plot(table[state], table[policy], color=NET, lw=2.4, label="network")
        if f"exact {policy}" in table:
            ax.plot(table[state], table[f"exact {policy}"], color=EXACT, lw=1.4, ls="--", label="closed form")
        widen(ax)
        ax.set(xlabel=f"state {state} (level)", ylabel=f"policy {policy} (level)")
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle("Policy functions, other states at the steady state", fontsize=11)
    figure.savefig(path, dpi=130)


def widen(ax: Axes) -> None:
    """Leave room around a curve that is flat to round-off, which would fill the panel with noise."""
    low, high = ax.get_ylim()
    middle, least = (low + high) / 2, 0.02 * max(abs(low), abs(high), 1e-12)
    if high - low < least:
        ax.set_ylim(middle - least, middle + least)
    ax.ticklabel_format(axis="y", useOffset=False)


def error_distribution(errors: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """The share of states with an error above each size, by set and equation.

    `errors`: set -> equation -> absolute residuals of any shape.
    """
    figure, (ax,) = canvas(1, 3.4)
    for style, (where, equations) in zip(("-", "--"), errors.items(), strict=True):
        for i, (name, sizes) in enumerate(list(equations.items())[:PANELS]):
            ordered = np.sort(np.maximum(sizes.ravel(), 1e-17))
            share = 1 - np.arange(len(ordered)) / len(ordered)
            ax.loglog(ordered, share, style, color=f"C{i}", label=f"{name}, {where}")
    ax.set(xlabel="absolute residual (share)", ylabel="share of states above", title="Distribution of errors")
    ax.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def ergodic_distribution(table: pd.DataFrame, names: list[str], path: Path) -> None:
    """Histograms of states and policies along the simulated paths."""
    names = names[: 2 * PANELS]
    figure, axes = canvas(len(names), 2.5)
    for ax, name in zip(axes, names, strict=True):
        values = table[name].to_numpy()
        spread = max(np.ptp(values), 0.02 * abs(values.mean()), 1e-9)
        center = (values.max() + values.min()) / 2
        ax.hist(values, bins=50, range=(center - spread / 2, center + spread / 2), density=True, color=NET, alpha=0.75)
        ax.axvline(values.mean(), color=EXACT, lw=1.2, label="mean")
        ax.ticklabel_format(axis="x", useOffset=False)
        ax.set(xlabel=f"{name} (level)", ylabel="density")
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle("Simulated distribution", fontsize=11)
    figure.savefig(path, dpi=130)


def impulse_responses(responses: dict[str, tuple[pd.DataFrame, pd.DataFrame]], names: list[str], path: Path) -> None:
    """Percent deviations from the path without the shock; in levels (x 100) where that path is zero.

    `responses`: label -> (path with the shock, path without), periods as rows.
    """
    names = names[: 2 * PANELS]
    figure, axes = canvas(len(names), 2.5)
    for ax, name in zip(axes, names, strict=True):
        for i, (label, (hit, calm)) in enumerate(responses.items()):
            zero = np.abs(calm[name]).max() < 1e-8
            deviation = 100 * (hit[name] - calm[name]) / (1.0 if zero else calm[name])
            ax.plot(deviation.index, deviation, color=f"C{i}", lw=1.8, label=label)
        ax.axhline(0, color=MUTED, lw=0.8)
        ax.set(xlabel="period", ylabel="deviation x 100" if zero else "deviation (%)", title=name)
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
