"""Simulated moments, as Dynare reports them, over all dates of all paths of a table from `Solution.simulate`.

A variable that does not move has no correlation and no skewness: NaN. Those of a diverged economy are not finite.
"""

import numpy as np
import pandas as pd

BATCHES = 20  # at least, from whose means standard errors follow


def moments(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each variable: mean, std, variance, skewness, min, max and first autocorrelation.

    `mean_se`, `std_se` and `autocorrelation_se` are their Monte Carlo standard errors: to first order a statistic moves
    with each date by its influence function. Source: Hampel (1974).
    """
    names, values = to_panel(table)
    flat = values.reshape(-1, len(names))
    with np.errstate(all="ignore"):
        scores, std = standardize(values)
        pairs = (values[:, 1:], values[:, :-1]) if values.shape[1] > 1 else (np.full_like(scores, np.nan),) * 2
        now, before = (standardize(part)[0] for part in pairs)
        rho = (now * before).mean((0, 1))
        rho_se = estimate_error_of_mean(now * before - rho * (now**2 + before**2) / 2)
        columns = {
            "mean": flat.mean(0, dtype=float), "mean_se": estimate_error_of_mean(np.where(std == 0, 0.0, scores * std)),
            "std": std, "std_se": estimate_error_of_mean(np.where(std == 0, 0.0, (scores**2 - 1) * std / 2)),
            "variance": std**2, "skewness": (scores**3).mean((0, 1)), "min": flat.min(0), "max": flat.max(0),
            "autocorrelation": rho, "autocorrelation_se": rho_se,
        }  # fmt: skip
    return pd.DataFrame(columns, index=names)


def estimate_error_of_mean(values: np.ndarray) -> np.ndarray:
    """The standard error of the mean over all dates of all paths [paths, periods, variables], [variables].

    By batch means: a path is a batch, fewer than BATCHES are cut into parts. NaN for one. Source: Schmeiser (1982).
    """
    paths, periods = values.shape[:2]
    parts = max(1, min(-(-BATCHES // paths), periods))
    batches = np.concatenate([part.mean(1) for part in np.array_split(values, parts, 1) if part.shape[1]])
    if len(batches) < 2:
        return np.full(values.shape[2], np.nan)
    return batches.std(0, ddof=1) / np.sqrt(len(batches))


def differences(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """By how many standard errors the moments of two independent simulations differ, first less second.

    Both are tables of `moments`. Where two economies are one, about 95 % of the differences are between -2 and 2.
    """
    names = ["mean", "std", "autocorrelation"]
    error = np.hypot(*(x[[f"{name}_se" for name in names]].set_axis(names, axis=1) for x in (first, second)))
    return (first[names] - second[names]) / error.mask(error == 0)


def autocorrelations(table: pd.DataFrame, order: int) -> pd.DataFrame:
    """A row for each variable, columns 1 to `order`; NaN where a path has no two such dates."""
    names, values = to_panel(table)
    by_order = pd.DataFrame(np.nan, index=names, columns=pd.RangeIndex(1, order + 1, name="order"))
    for lag in range(1, min(order, values.shape[1] - 1) + 1):
        with np.errstate(all="ignore"):
            now, before = standardize(values[:, lag:])[0], standardize(values[:, :-lag])[0]
            by_order[lag] = (now * before).mean((0, 1))
    return by_order


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """The matrix of correlations between variables at the same date."""
    names, values = to_panel(table)
    with np.errstate(all="ignore"):
        scores = standardize(values)[0].reshape(len(table), len(names))
        return pd.DataFrame(scores.T @ scores / len(scores), names, names)


def tabulate_moments(table: pd.DataFrame) -> pd.DataFrame:
    """moments.csv: a row for each variable, the autocorrelations as autocorrelation_1, autocorrelation_2, ..."""
    first, orders = moments(table), autocorrelations(table, 5).add_prefix("autocorrelation_")
    orders.insert(1, "autocorrelation_1_se", first["autocorrelation_se"])
    return first.drop(columns=["autocorrelation", "autocorrelation_se"]).join(orders).rename_axis("variable")


def to_panel(table: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """The variables' names, and their values [paths, periods, variables]."""
    ordered = table.sort_values(["path", "period"])
    values = ordered.drop(columns=["path", "period"])
    return list(values), values.to_numpy().reshape(table["path"].nunique(), table["period"].nunique(), values.shape[1])


def standardize(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviations from the mean in standard deviations, NaN for what moves by round-off alone, and those deviations."""
    noise = np.finfo(values.dtype).eps ** 0.75 * np.abs(values).max((0, 1))  # 2e-12 of the level in double precision
    deviations = values - values.mean((0, 1), dtype=float)
    std = np.sqrt((deviations**2).mean((0, 1)))
    std = np.where(std <= noise, 0.0, std)
    return deviations / np.where(std == 0, np.nan, std), std


def select_variables(names: list[str], count: int) -> list[str]:
    """At most `count` of the variables in their order: scalars come first, then first entries, second ones."""
    entry = {name: int(name.partition("[")[2].rstrip("]") or -1) for name in names}
    chosen = set(sorted(names, key=entry.get)[:count])
    return [name for name in names if name in chosen]
