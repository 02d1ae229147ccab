"""The figures of a run, and that of a sweep: each function draws one picture and saves it as PNG."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deqn.evaluation.responses import at_zero, percent_deviations
from deqn.system.files import atomic_write

NET, EXACT, MUTED, START = "#1f4e9c", "#d1495b", "#9aa5b1", "#e08e0b"
PANELS, LINES = 9, 6  # at most so many panels in a figure, and lines in a panel
LOGARITHMIC_FROM = 30  # largest over smallest value of a setting from which its axis is logarithmic


def make_canvas(panels: int, height: float = 2.7) -> tuple[Figure, list[Axes]]:
    """A figure with panels in rows of at most three."""
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(5.4 if columns == 1 else 3.7 * columns, height * rows + 0.4), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in axes[panels:]:
        unused.remove()
    for ax in axes[:panels]:
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes[:panels]


def save(figure: Figure, path: Path) -> None:
    """Write a figure. Raises FileError."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130)


def save_labelled(figure: Figure, axes: list[Axes], path: Path, title: str | None = None) -> None:
    """Write a figure under its title, with one legend that has each label of the axes once. Raises FileError."""
    handles = {h.get_label(): h for ax in axes for h in ax.get_legend_handles_labels()[0]}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    if title is not None:
        figure.suptitle(title, fontsize=11)
    save(figure, path)


def mask_undrawable(table: pd.DataFrame) -> pd.DataFrame:
    """The table without what no axis can hold: a diverged economy still gets its picture."""
    return table.where(table.abs() < 1e30)


def find_components(table: pd.DataFrame, name: str) -> list[str]:
    """The columns of a variable: itself, or `name[0]`, `name[1]`, ... of a vector."""
    return [name] if name in table else [c for c in table if c.startswith(f"{name}[")]


def spread_evenly(columns: list[str], count: int) -> list[str]:
    """At most `count` of the columns, evenly spread, first and last among them."""
    chosen = np.unique(np.linspace(0, len(columns) - 1, min(count, len(columns))).round().astype(int))
    return [columns[i] for i in chosen]


def draw_training_curve(metrics: pd.DataFrame, path: Path) -> None:
    """Mean and largest validation residual along training, by equation."""
    stages, metrics = metrics["stage"], metrics.select_dtypes("number").pipe(mask_undrawable)
    figure, (ax,) = make_canvas(1, 3.4)
    equations = [c.removeprefix("mean_") for c in metrics if c.startswith("mean_")]
    for i, name in enumerate(equations[:LINES]):
        for of, alpha, style in (("mean", None, "-"), ("max", 0.45, "--")):
            label, values = f"{name}, {of}", metrics[f"{of}_{name}"]
            ax.semilogy(metrics["seconds"], values, "." + style, ms=4, color=f"C{i}", alpha=alpha, label=label)
    for next_stage in metrics["seconds"][(stages != stages.shift()) & (stages.index > 0)]:
        ax.axvline(next_stage, color=MUTED, lw=1)
    ax.set(xlabel="seconds of training, compilation included", ylabel="absolute residual (share)")
    ax.set_title(f"Errors on fresh states: {' | '.join(dict.fromkeys(stages))}".replace("_", "-"), fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    save(figure, path)


def draw_policy_functions(slices: dict[str, pd.DataFrame], policies: list[str], path: Path, exact: str) -> None:
    """Each policy along each state, the others at their steady state; a line for each component of a vector.

    `slices`: state -> table with the state's column, policies, `start <policy>` where training started, and
    `exact <policy>` where it is known, as `exact` says. In an ensemble `spread <policy>` makes a band of two spreads.
    """
    states = spread_evenly(list(slices), PANELS // len(policies) or 1)
    pairs = [(state, policy) for policy in policies for state in states][:PANELS]
    figure, axes = make_canvas(len(pairs))
    for ax, (state, policy) in zip(axes, pairs, strict=True):
        table = mask_undrawable(slices[state])
        shown = spread_evenly(find_components(table, policy), LINES)
        for i, column in enumerate(shown):
            name = "network" if shown == [policy] else column
            if f"start {column}" in table:
                ax.plot(table[state], table[f"start {column}"], color=START, lw=1.6, ls=":", label="start of training")
            ax.plot(table[state], table[column], color=f"C{i}", lw=2.4, alpha=0.75, label=name)
            if f"spread {column}" in table:
                draw_band(ax, table.set_index(state)[column], table[f"spread {column}"], f"C{i}")
            if f"exact {column}" in table:
                ax.plot(table[state], table[f"exact {column}"], color="black", lw=1, ls="--", label=exact)
        widen(ax)
        ax.set(xlabel=f"state {state} (level)", ylabel=f"policy {policy} (level)")
    save_labelled(figure, axes, path, "Policy functions, other states at the steady state")


def draw_band(ax: Axes, mean: pd.Series, spread: pd.Series, color: str) -> None:
    """Two spreads across the solutions of an ensemble, on either side of their mean."""
    low, high = (mean.to_numpy() + sign * 2 * spread.to_numpy() for sign in (-1, 1))
    ax.fill_between(mean.index, low, high, color=color, alpha=0.25, lw=0, label="2 spreads across solutions")


def widen(ax: Axes) -> None:
    """Leave room around a curve that is flat to round-off, which would fill the panel with noise."""
    low, high = ax.get_ylim()
    middle, least = (low + high) / 2, 0.02 * max(abs(low), abs(high), 1e-12)
    if high - low < least:
        ax.set_ylim(middle - least, middle + least)
    ax.ticklabel_format(axis="y", useOffset=False)


def draw_error_distribution(errors: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """The share of states above each error, by set and equation; `errors` are absolute residuals of any shape."""
    figure, (ax,) = make_canvas(1, 3.2)
    smallest = []
    for style, (where, equations) in zip(("-", "--"), errors.items(), strict=True):
        for i, (name, sizes) in enumerate(list(equations.items())[:LINES]):
            ordered = np.sort(np.maximum(sizes[sizes < 1e30], 1e-17))
            if len(ordered):
                share = 1 - np.arange(len(ordered)) / len(ordered)
                ax.loglog(ordered, share, style, color=f"C{i}", label=f"{name}, {where}")
                smallest.append(np.quantile(ordered, 0.05))
    ax.set_xlim(left=min(smallest, default=None))
    ax.set(xlabel="absolute residual (share)", ylabel="share of states above", title="Distribution of errors")
    save_labelled(figure, [ax], path)


def draw_ergodic_distribution(table: pd.DataFrame, names: list[str], path: Path) -> None:
    """States and policies along the simulated paths: a histogram of a scalar, quantiles by component of a vector."""
    names, table = names[:PANELS], mask_undrawable(table)
    figure, axes = make_canvas(len(names))
    for ax, name in zip(axes, names, strict=True):
        columns = find_components(table, name)
        if len(columns) > 1:
            low, mean, high = table[columns].quantile(0.01), table[columns].mean(), table[columns].quantile(0.99)
            index = np.arange(len(columns))
            ax.fill_between(index, low, high, color=NET, alpha=0.25, label="1 to 99 %")
            ax.plot(index, mean, color=EXACT, lw=1.6, label="mean")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.set(xlabel=f"component of {name}", ylabel=f"{name} (level)")
        else:
            values = table[columns[0]].dropna().to_numpy()
            if not len(values):
                continue
            half = max(np.ptp(values) / 2, 0.01 * abs(values.mean()), 1e-9) * 1.02
            center = (values.max() + values.min()) / 2
            ax.hist(
                values, 50, range=(center - half, center + half), density=True, color=NET, alpha=0.75, label="density"
            )
            ax.axvline(values.mean(), color=EXACT, lw=1.6, label="mean")
            ax.ticklabel_format(axis="x", useOffset=False)
            ax.set(xlabel=f"{name} (level)", ylabel="density")
    save_labelled(figure, axes, path, "Simulated distribution")


def draw_impulse_responses(
    responses: dict[str, tuple[pd.DataFrame, pd.DataFrame]], path: Path, spreads: dict[str, pd.DataFrame] | None = None
) -> None:
    """Percent deviations from the path without the shock (x 100 where that path is zero), scalar variables first.

    `responses`: label -> (path with the shock, path without), periods as rows. `spreads`: label -> the spread of the
    deviations across the solutions of an ensemble.
    """
    names = sorted(next(iter(responses.values()))[0], key=lambda c: "[" in c)[:PANELS]
    figure, axes = make_canvas(len(names), 2.3)
    for ax, name in zip(axes, names, strict=True):
        for i, (label, paths) in enumerate(responses.items()):
            shocked, baseline = map(mask_undrawable, paths)
            zero, deviation = at_zero(baseline)[name], percent_deviations(shocked, baseline)[name]
            ax.plot(deviation.index, deviation, color=f"C{i}", lw=1.8, label=label)
            if spreads is not None:
                draw_band(ax, deviation, spreads[label][name], f"C{i}")
        ax.axhline(0, color=MUTED, lw=0.8)
        if np.abs(ax.get_ylim()).max() < 1e-2:
            ax.set_ylim(-1e-2, 1e-2)
        ax.set(xlabel="period", ylabel="deviation x 100" if zero else "deviation (%)", title=name)
    save_labelled(figure, axes[:1], path)


def draw_sweep(rows: pd.DataFrame, varied: list[str], title: str, path: Path) -> None:
    """Error of jobs against time and each varied setting; seeds are pooled, and jobs without an error are left out.

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
        ax.set(xticks=range(len(order)), xticklabels=order, xlim=(-0.5, len(order) - 0.5))
    ax.plot(places, rows["mean"], "o", color=NET, alpha=0.5, label="each")
    if places.duplicated().any():
        medians = np.exp(np.log(rows["mean"]).groupby(places).median())  # the axis is logarithmic
        ax.plot(medians.index, medians, "_", color=EXACT, ms=22, mew=2, label="median")
        if numbers.notna().all():
            ax.plot(medians.index, medians, color=MUTED, lw=1, zorder=1)
    ax.set_xlabel(name)
