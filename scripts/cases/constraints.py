"""Papers whose constraints bind at times."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from cases.table import OWN, Row, linearize, solve
from debt_limit import DebtLimit
from matching import Matching
from two_outcomes import TwoOutcomes

ZERO = 1e-9  # investment or a multiplier below it is none
NEAR = 1e-5  # to the limit, where lines between points of a grid stand for a solution


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


def bianchi() -> Iterator[Row]:
    """Tradable consumption by bonds and income, mean bonds and how often the limit binds, of the decentralized economy.

    There is no first-order solution: the limit binds at rest. Income is the chain of our file, not that of the paper.
    """
    alone = ("optimizer=time_iteration", "network.hidden=[24,24]", "optimizer.sweeps=30", "tolerance=1e-3")
    solution, source = solve("bianchi", *alone), f"Bianchi (2011), {OWN}"
    y, P = solution.economy.model.chain
    b, c = DebtLimit(y, P).solve(points=2001)
    for bonds, j in ((-0.9, 0), (-0.9, 2), (-0.8, 4), (-0.6, 2)):
        here = solution.policy({"b": bonds, "y": y[j]})["cT"].iloc[0]
        yield Row(source, f"tradable consumption at b = {bonds:g}, income {j + 1} of {len(y)}",
                  np.interp(bonds, b, c[:, j]), here, 4e-4)  # fmt: skip
    table = solution.simulate(400, 1000)
    truth = simulate_debt(DebtLimit(y, P), b, c)
    for name, own, here in zip(
        ("mean bonds, % of tradable output", "share of dates at the limit, %"), truth,
        (by_path(table, "b"), (by_path(table, "mu") > ZERO).astype(float)), strict=True,
    ):  # fmt: skip
        (number, _), (error, _) = describe(here)
        (mean, _), (own_error, _) = describe(own)
        yield Row(source, name, mean, number, 0.1, np.nan, error, own_error)


def simulate_debt(
    economy: DebtLimit, b: np.ndarray, c: np.ndarray, dates: int = 400, paths: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Bonds and whether the limit binds [dates, paths] along simulated paths of the own solution."""
    rng, now, at = np.random.default_rng(0), np.full(paths, -0.85), np.full(paths, len(economy.y) // 2)
    bonds, binding = [], []
    for _ in range(dates + 100):
        spent = np.stack([np.interp(now, b, c[:, j]) for j in range(len(economy.y))])[at, np.arange(paths)]
        income = economy.y[at]
        bonds.append(now)
        now = (1 + economy.r) * now + income - spent
        binding.append((now + economy.kappa * (income + economy.price(spent)) < NEAR).astype(float))
        at = (rng.random(paths)[:, None] > economy.P.cumsum(1)[at]).sum(1)
    return np.stack(bonds[100:]), np.stack(binding[100:])
