"""Impulse responses as tables: in levels for a file, in percent for the terminal."""

from collections.abc import Sequence

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from deqn.evaluation.analysis import percent_deviations


def tabulate_responses(shocked: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """An impulse response as a table: a row for each period and variable, in levels."""
    paths = {"with_shock": shocked, "without": baseline, "deviation": shocked - baseline}
    long = [path.rename_axis(index="period", columns="variable").stack().rename(name) for name, path in paths.items()]
    return pd.concat(long, axis=1).reset_index()


def print_responses(
    console: Console, label: str, shocked: pd.DataFrame, baseline: pd.DataFrame, horizons: Sequence[int]
) -> None:
    """Percent deviations (x 100 where the path without the shock is zero) by variable at some horizons."""
    columns = [Column(str(h), justify="right") for h in horizons]
    title = f"{label}: deviations in percent, x 100 of what rests at 0"
    table = Table("period", *columns, title=title, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    deviation = percent_deviations(shocked, baseline)
    for name in deviation:
        table.add_row(Text(name), *(f"{deviation[name][h]:.3f}".replace("-0.000", "0.000") for h in horizons))
    console.print(table)
