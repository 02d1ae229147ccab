"""Papers whose constraints bind at times."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from cases.table import OWN, Row, linearize, solve
from matching import Matching


def petrosky_nadeau_zhang() -> Iterator[Row]:
    """Tightness by productivity, and unemployment, whose mean and spread the first-order solution understates."""
    solution = solve("search_frictions")
    own, linear = Matching(**asdict(solution.economy.model)), linearize(solution)
    J, source = own.solve(), f"Petrosky-Nadeau and Zhang (2017), {OWN}"
    for x in (0.93, 0.95, 1.0, 1.05):
        theta = float(own.tightness(J(np.log(x)), x))
        here, first_order = (s.policy({"U": 0.06, "x": x})["theta"].iloc[0] for s in (solution, linear))
        yield Row(source, f"tightness at x = {x:g}", theta, here, 1e-4, first_order)
    truth, here, first_order = (
        describe(U)
        for U in (own.simulate(J), *(by_path(s.simulate(periods=600, paths=2000), "U") for s in (solution, linear)))
    )
    for i, word in enumerate(("mean", "standard deviation")):
        yield Row(source, f"{word} of unemployment, %", truth[0][i], here[0][i], 1e-3, first_order[0][i], here[1][i],
                  truth[1][i])  # fmt: skip


def by_path(table, name: str) -> np.ndarray:
    """A simulated variable [periods, paths]."""
    return table.pivot(index="period", columns="path", values=name).to_numpy()


def describe(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in percent of a series [periods, paths], and their standard errors."""
    mean, paths = series.mean(), series.shape[1]
    squares = ((series - mean) ** 2).mean(0)
    spread = np.sqrt(squares.mean())
    errors = series.mean(0).std(ddof=1), squares.std(ddof=1) / (2 * spread)
    return 100 * np.array([mean, spread]), 100 * np.array(errors) / np.sqrt(paths)
