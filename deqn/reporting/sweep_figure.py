"""The picture of a sweep: accuracy against time, and the error against each setting that was varied."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from deqn.reporting.figures import EXACT, LINES, MUTED, NET, PANELS, make_canvas, save_labelled

LOGARITHMIC_FROM = 30  # largest over smallest value from which an axis is logarithmic


def draw_sweep(rows: pd.DataFrame, varied: list[str], title: str, path: Path) -> None:
    """Save the picture; a dot is a job, seeds are pooled, and jobs without an error are left out.

    `rows`: `mean` (path error, share), `seconds`, `import_seconds`, and a column of words for each setting in `varied`.
    """
    done = rows[pd.to_numeric(rows["mean"]).between(0, 1e30)]
    errors = np.maximum(done["mean"].astype(float), 1e-17)  # as a logarithmic axis can hold them
    done = done.assign(mean=errors, seeds=f"{len(done)} seeds")
    settings = [name for name in varied if name != "seed"][: PANELS - 1]
    figure, axes = make_canvas(1 + max(len(settings), 1), 3.2)
    draw_against_time(axes[0], done, settings[:1])
    for ax, name in zip(axes[1:], settings or ["seeds"], strict=True):
        draw_against_setting(ax, done, name)
    for ax in axes:
        ax.set(yscale="log", ylabel="mean path error")
    save_labelled(figure, axes, path, title)


def draw_against_time(ax: Axes, rows: pd.DataFrame, setting: list[str]) -> None:
    """The error of each job against its seconds, coloured by the values of one setting where they are few."""
    seconds = rows["seconds"].astype(float) - rows["import_seconds"].astype(float)
    values = list(dict.fromkeys(rows[setting[0]])) if setting else []
    if not 0 < len(values) <= LINES:
        ax.plot(seconds, rows["mean"], "o", color=NET, alpha=0.7)
        values = []
    for i, value in enumerate(values):
        chosen, label = rows[setting[0]] == value, f"{setting[0]}={value}"
        ax.plot(seconds[chosen], rows["mean"][chosen], "o", color=f"C{i}", alpha=0.7, label=label)
    ax.set(xlabel="seconds, without import", xlim=(0, 1.1 * seconds.max()))


def draw_against_setting(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    """The error of each job against one setting: numbers on a numeric axis, words in order of appearance."""
    numbers = pd.to_numeric(rows[name], errors="coerce")
    ax.margins(x=0.15)
    if numbers.notna().all():
        places, order = numbers, sorted(set(numbers))
        if order[0] > 0 and order[-1] >= LOGARITHMIC_FROM * order[0]:
            ax.set_xscale("log")
    else:
        order = list(dict.fromkeys(rows[name]))
        places = rows[name].map(order.index)
        ax.set_xticks(range(len(order)), order)
        ax.set_xlim(-0.5, len(order) - 0.5)
    ax.plot(places, rows["mean"], "o", color=NET, alpha=0.5, label="each")
    if places.duplicated().any():
        medians = np.exp(np.log(rows["mean"]).groupby(places).median())  # the axis is logarithmic
        ax.plot(medians.index, medians, "_", color=EXACT, ms=22, mew=2, label="median")
        if numbers.notna().all():
            ax.plot(medians.index, medians, color=MUTED, lw=1, zorder=1)
    ax.set_xlabel(name)
