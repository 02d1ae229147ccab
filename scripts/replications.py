"""Published numbers beside those of this solver: a table, and outputs/gallery/replications.csv.

    python scripts/replications.py [--cases hansen,burnside] [--out outputs/gallery]

Each case solves an economy from its file (models/ or scripts/models/) and asks the solution for what a paper prints.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse
import scipy.sparse.linalg

import deqn

MODELS = Path(__file__).resolve().parent / "models"
QUICK = ["evaluation.reference=false", "evaluation.figures=false"]
STEP = 0.04  # in logarithms, of the differences that stand for derivatives
RISK = 0.05  # standard deviation at which, and at half of which, the effect of risk is measured


@dataclass(frozen=True)
class Row:
    """A published number and ours; `rounding` is half a unit of its last digit, errors are those of simulations."""

    source: str
    quantity: str
    published: float
    found: float
    rounding: float
    error: float = 0.0
    published_error: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether both agree within the rounding and two standard errors of the simulations."""
        return abs(self.found - self.published) <= self.rounding + 2 * np.hypot(self.error, self.published_error)


def solve(model: str, *overrides: str) -> deqn.Solution:
    """A solved economy. Raises RuntimeError for one that does not pass."""
    if str(MODELS) not in sys.path:
        sys.path.append(str(MODELS))
    with tempfile.TemporaryDirectory() as folder:
        found = deqn.solve(model, [*QUICK, *overrides], Path(folder) / "run", str(MODELS / "conf"), quiet=True)
    if found.summary["status"] != "converged":
        raise RuntimeError(f"{found!r} did not pass")
    return found


def detrended(series: np.ndarray, smoothing: float = 1600.0) -> np.ndarray:
    """Deviations of series [periods, n] from their trend t (Hodrick and Prescott 1997).

    The trend minimizes sum (x - t)^2 + smoothing sum (second difference of t)^2.
    """
    periods = len(series)
    second = scipy.sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(periods - 2, periods))
    system = scipy.sparse.eye_array(periods) + smoothing * second.T @ second
    return series - scipy.sparse.linalg.spsolve(system.tocsc(), series)


def hansen() -> Iterator[Row]:
    """Standard deviations of detrended logarithms over 115 quarters, of 100 samples in the paper and 400 here."""
    names = ["y", "c", "i", "k", "h", "productivity"]
    published = [(1.76, 0.21), (0.51, 0.08), (5.71, 0.70), (0.47, 0.10), (1.35, 0.16), (0.50, 0.07)]
    words = ["output", "consumption", "investment", "capital", "hours", "productivity"]
    paths, periods = 400, 115
    simulated = solve("hansen").simulate(periods=periods, paths=paths, seed=1).sort_values(["period", "path"])
    logs = np.log(simulated[names].to_numpy()).reshape(periods, paths * len(names))
    spread = 100 * detrended(logs).std(0, ddof=1).reshape(paths, len(names))
    for i, (word, (number, across)) in enumerate(zip(words, published, strict=True)):
        yield Row("Hansen (1985), table 1", f"standard deviation of {word}, %", number, spread[:, i].mean(), 0.005,
                  spread[:, i].std(ddof=1) / np.sqrt(paths), across / np.sqrt(100))  # fmt: skip


def schmitt_grohe_uribe() -> Iterator[Row]:
    """First and second derivatives of log consumption at rest, in log capital, log productivity and risk."""
    certain, less, more = (solve("schmitt_grohe_uribe", f"model.sigma={sigma}") for sigma in (0.0, RISK / 2, RISK))
    rest = certain.economy.model.steady_state()

    def log_consumption(solution: deqn.Solution, k: float, A: float) -> float:
        """Of log deviations from rest."""
        return float(np.log(solution.policy({"k": rest["k"] * np.exp(k), "A": np.exp(A)})["c"].iloc[0]))

    f, h = lambda k, A: log_consumption(certain, k, A), STEP
    half, full = (
        2 * (log_consumption(solution, 0, 0) - f(0, 0)) / s**2 for solution, s in ((less, RISK / 2), (more, RISK))
    )
    found = {
        "c by k": (0.2525, (f(h, 0) - f(-h, 0)) / (2 * h)),
        "c by A": (0.8417, (f(0, h) - f(0, -h)) / (2 * h)),
        "c by k, k": (-0.0051, (f(h, 0) - 2 * f(0, 0) + f(-h, 0)) / h**2),
        "c by k, A": (-0.0171, (f(h, h) - f(h, -h) - f(-h, h) + f(-h, -h)) / (4 * h**2)),
        "c by A, A": (-0.0569, (f(0, h) - 2 * f(0, 0) + f(0, -h)) / h**2),
        "c by risk, risk": (-0.1921, (4 * half - full) / 3),
    }
    for quantity, (published, number) in found.items():
        yield Row("Schmitt-Grohe and Uribe (2004), 5.1", f"derivative of log {quantity}", published, number, 5e-5)


def burnside() -> Iterator[Row]:
    """The price-dividend ratio at mean dividend growth, by the formula of the paper."""
    found = solve("asset_pricing").policy({"x": 0.0179})["v"].iloc[0]
    yield Row("Burnside (1998), formula", "price-dividend ratio at mean growth", 12.48123658, found, 5e-9)


def krueger_kubler() -> Iterator[Row]:
    """Savings of each generation as a share of its income, at rest under the middle shock."""
    solution = solve("olg_analytic", "model.head=level", "network.hidden=[32,32]", "optimizer.polish=10000")
    k = np.array([0.4167, 0.1816, 0.0749, 0.0278, 0.0078])
    now = solution.policy({"k": k, "eta": 1.0, "delta": 0.7}).iloc[0]
    for h, published in enumerate((0.659999, 0.639393, 0.605211, 0.543379, 0.411765)):
        yield Row("Krueger and Kubler (2004), formula", f"share saved by generation {h + 1}", published,
                  now[f"a[{h}]"] / now[f"income[{h}]"], 1e-5)  # fmt: skip


def brock_mirman() -> Iterator[Row]:
    """Tomorrow's capital as a share of output, which is alpha beta everywhere."""
    solution = solve("growth")
    rest = solution.economy.model.steady_state()["k"]
    for share in (0.5, 1.0, 1.5):
        k = share * rest
        found = solution.policy({"k": k})["k_next"].iloc[0] / k**0.36
        yield Row("Brock and Mirman (1972), formula", f"k' / y at {share:g} times rest", 0.3564, found, 1e-8)


CASES: dict[str, Callable[[], Iterator[Row]]] = {
    f.__name__: f for f in (hansen, schmitt_grohe_uribe, burnside, krueger_kubler, brock_mirman)
}


def replicate(cases: Sequence[str]) -> pd.DataFrame:
    """A row for each published number, with the seconds that its case took."""
    tables = []
    for case in cases:
        began = time.monotonic()
        rows = [vars(row) | {"agrees": row.agrees} for row in CASES[case]()]
        tables.append(pd.DataFrame(rows).assign(case=case, seconds=round(time.monotonic() - began, 1)))
        print(tables[-1][["quantity", "published", "found", "error", "agrees"]].to_string(index=False), flush=True)
    return pd.concat(tables, ignore_index=True)


def main() -> None:
    """Replicate the chosen cases and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help="of " + ", ".join(CASES))
    parser.add_argument("--out", type=Path, default=Path("outputs/gallery"))
    arguments = parser.parse_args()
    chosen = arguments.cases.split(",")
    if unknown := set(chosen) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    table = replicate(chosen)
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "replications.csv", index=False)


if __name__ == "__main__":
    main()
