"""Business cycles and growth, whose papers print moments and derivatives."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

import deqn
from cases.table import OWN, Row, detrended, linearize, solve
from leisure import Leisure

STEP = 0.04  # in logarithms, of the differences that stand for derivatives
FINE = 1e-5  # of those of the first-order solution
RISK = 0.05  # standard deviation at which, and at half of which, the effect of risk is measured


def hansen() -> Iterator[Row]:
    """Standard deviations of detrended logarithms over 115 quarters, of 100 samples in the paper and 400 here."""
    printed = [(1.76, 0.21), (0.51, 0.08), (5.71, 0.70), (0.47, 0.10), (1.35, 0.16), (0.50, 0.07)]
    words = ["output", "consumption", "investment", "capital", "hours", "productivity"]
    solution = solve("hansen")
    here, linear = (spread_of_cycles(s) for s in (solution, linearize(solution)))  # [paths, variables], the same shocks
    for i, (word, (number, across)) in enumerate(zip(words, printed, strict=True)):
        yield Row("Hansen (1985), table 1", f"standard deviation of {word}, %", number, here[:, i].mean(), 0.005,
                  linear[:, i].mean(), here[:, i].std(ddof=1) / np.sqrt(len(here)), across / np.sqrt(100))  # fmt: skip


def spread_of_cycles(solution: deqn.Solution, paths: int = 400, periods: int = 115) -> np.ndarray:
    """Standard deviations [paths, variables] of detrended logarithms, in percent."""
    names = ["y", "c", "i", "k", "h", "productivity"]
    simulated = solution.simulate(periods=periods, paths=paths, seed=1).sort_values(["period", "path"])
    logs = np.log(simulated[names].to_numpy()).reshape(periods, paths * len(names))
    return 100 * detrended(logs).std(0, ddof=1).reshape(paths, len(names))


def schmitt_grohe_uribe() -> Iterator[Row]:
    """First and second derivatives of log consumption at rest, in log capital, log productivity and risk."""
    certain, less, more = (solve("schmitt_grohe_uribe", f"model.sigma={sigma}") for sigma in (0.0, RISK / 2, RISK))
    rest = certain.economy.model.steady_state()

    def log_consumption(solution: deqn.Solution, k: float, A: float) -> float:
        """Of log deviations from rest."""
        return float(np.log(solution.policy({"k": rest["k"] * np.exp(k), "A": np.exp(A)})["c"].iloc[0]))

    linear = linearize(certain)
    slope = lambda k, A: (log_consumption(linear, k, A) - log_consumption(linear, -k, -A)) / (2 * FINE)
    first_order = {"c by k": slope(FINE, 0), "c by A": slope(0, FINE)}
    f, h = lambda k, A: log_consumption(certain, k, A), STEP
    half, full = (
        2 * (log_consumption(solution, 0, 0) - f(0, 0)) / s**2 for solution, s in ((less, RISK / 2), (more, RISK))
    )
    derivatives = {
        "c by k": (0.2525, (f(h, 0) - f(-h, 0)) / (2 * h)),
        "c by A": (0.8417, (f(0, h) - f(0, -h)) / (2 * h)),
        "c by k, k": (-0.0051, (f(h, 0) - 2 * f(0, 0) + f(-h, 0)) / h**2),
        "c by k, A": (-0.0171, (f(h, h) - f(h, -h) - f(-h, h) + f(-h, -h)) / (4 * h**2)),
        "c by A, A": (-0.0569, (f(0, h) - 2 * f(0, 0) + f(0, -h)) / h**2),
        "c by risk, risk": (-0.1921, (4 * half - full) / 3),
    }
    for quantity, (printed, number) in derivatives.items():
        yield Row("Schmitt-Grohe and Uribe (2004), 5.1", f"derivative of log {quantity}", printed, number, 5e-5,
                  first_order.get(quantity, np.nan))  # fmt: skip


def aruoba() -> Iterator[Row]:
    """Hours far from rest, beside a solution by collocation, whose own error is below 1e-8."""
    solution = solve("aruoba")
    own, linear = Leisure(**asdict(solution.economy.model)), linearize(solution)
    (rest, _), hours = own.rest(), own.solve()
    source = f"Aruoba, Fernandez-Villaverde and Rubio-Ramirez (2006), {OWN}"
    for share, z in ((0.8, 0.0), (1.0, 0.0), (1.2, 0.0), (1.0, 0.06)):
        here, first_order = (s.policy({"k": share * rest, "z": z})["l"].iloc[0] for s in (solution, linear))
        yield Row(source, f"hours at {share:g} times rest, z = {z:g}", float(hours(share * rest, z)), here, 1e-6,
                  first_order)  # fmt: skip
