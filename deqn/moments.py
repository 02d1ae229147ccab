"""Simulated moments, as Dynare reports them, over all dates of all paths of a table from `Solution.simulate`.

A variable that does not move has no correlation and no skewness: NaN. Those of a diverged economy are not finite.
"""

import numpy as np
import pandas as pd

ORDER = 5  # of the autocorrelations in moments.csv


def moments(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each variable: mean, std, variance, skewness, min, max and first autocorrelation."""
    names, values = panel(table)
    flat = values.reshape(-1, len(names))
    with np.errstate(all="ignore"):
        scores, std = standardized(values)
        found = {
            "mean": flat.mean(0, dtype=float), "std": std, "variance": std**2, "skewness": (scores**3).mean((0, 1)),
            "min": flat.min(0), "max": flat.max(0),
        }  # fmt: skip
    return pd.DataFrame(found, index=names).assign(autocorrelation=autocorrelations(table, 1)[1])


def autocorrelations(table: pd.DataFrame, order: int) -> pd.DataFrame:
    """A row for each variable, columns 1 to `order`; NaN where a path has no two such dates."""
    names, values = panel(table)
    periods = values.shape[1]
    found = pd.DataFrame(np.nan, index=names, columns=pd.RangeIndex(1, order + 1, name="order"))
    for lag in range(1, min(order, periods - 1) + 1):
        with np.errstate(all="ignore"):
            now, before = standardized(values[:, lag:])[0], standardized(values[:, :-lag])[0]
            found[lag] = (now * before).mean((0, 1))
    return found


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """The matrix of correlations between variables at the same date."""
    names, values = panel(table)
    with np.errstate(all="ignore"):
        scores = standardized(values)[0].reshape(len(table), len(names))
        return pd.DataFrame(scores.T @ scores / len(scores), names, names)


def record(table: pd.DataFrame) -> pd.DataFrame:
    """moments.csv: a row for each variable, the autocorrelations as autocorrelation_1, autocorrelation_2, ..."""
    orders = autocorrelations(table, ORDER).add_prefix("autocorrelation_")
    return moments(table).drop(columns="autocorrelation").join(orders).rename_axis("variable")


def panel(table: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """The variables' names, and their values [paths, periods, variables]."""
    ordered = table.sort_values(["path", "period"])
    values = ordered.drop(columns=["path", "period"])
    return list(values), values.to_numpy().reshape(table["path"].nunique(), table["period"].nunique(), values.shape[1])


def standardized(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviations from the mean in standard deviations, NaN for what moves by round-off alone, and those deviations."""
    noise = np.finfo(values.dtype).eps ** 0.75 * np.abs(values).max((0, 1))  # 2e-12 of the level in double precision
    deviations = values - values.mean((0, 1), dtype=float)
    std = np.sqrt((deviations**2).mean((0, 1)))
    std = np.where(std <= noise, 0.0, std)
    return deviations / np.where(std == 0, np.nan, std), std


def telling(names: list[str], count: int) -> list[str]:
    """At most `count` of the variables in their order: scalars come first, then first entries, second ones."""
    entry = {name: int(name.partition("[")[2].rstrip("]") or -1) for name in names}
    chosen = set(sorted(names, key=entry.get)[:count])
    return [name for name in names if name in chosen]
