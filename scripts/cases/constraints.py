"""Papers whose constraints bind at times."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from cases.table import OWN, Row, linearize, solve
from matching import Matching
from two_outcomes import TwoOutcomes

ZERO = 1e-9  # investment below it is none


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


def christiano_fisher() -> Iterator[Row]:
    """Investment by capital and outcome, and how often it is zero. The parameters are ours."""
    solution = solve("christiano_fisher")
    own, linear = TwoOutcomes(**asdict(solution.economy.model)), linearize(solution)
    k, i = own.solve()
    rest, source = solution.economy.steady.states[0], f"Christiano and Fisher (2000), {OWN}"
    for share, outcome in ((0.9, 0), (1.0, 0), (1.1, 0), (1.0, 1)):
        at = {"k": share * rest, "theta": own.outcomes[outcome]}
        here, first_order = (s.policy(at)["i"].iloc[0] for s in (solution, linear))
        yield Row(source, f"investment at {share:g} times rest, {('low', 'high')[outcome]} outcome",
                  np.interp(at["k"], k, i[:, outcome]), here, 1e-4, first_order)  # fmt: skip
    truth, here, first_order = (
        describe((invested < ZERO).astype(float))
        for invested in (own.simulate(k, i), *(by_path(s.simulate(400, 1000), "i") for s in (solution, linear)))
    )
    yield Row(source, "share of dates without investment, %", truth[0][0], here[0][0], 0.05, first_order[0][0],
              here[1][0], truth[1][0])  # fmt: skip
