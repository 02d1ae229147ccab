"""What every replication needs: rows of the table, solved economies, their first-order solutions, and the filter."""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

import deqn
from deqn.economy.anchors import linear_rule

MODELS = Path(__file__).resolve().parents[1] / "models"
QUICK = ["evaluation.reference=false", "evaluation.figures=false"]
OWN = "own solution"  # in the source of a row whose number is not a paper's


@dataclass(frozen=True)
class Row:
    """A printed number and ours, and that of the first-order solution, NaN where that makes no sense.

    `rounding`: half a unit of the printed number's last digit, or the accuracy of an own solution. `error` and
    `printed_error`: standard errors of simulations.
    """

    source: str
    quantity: str
    printed: float
    here: float
    rounding: float
    first_order: float = np.nan
    error: float = 0.0
    printed_error: float = 0.0
    reason: str = ""  # where it is known why the numbers disagree

    @property
    def agrees(self) -> bool:
        """Whether both agree within the rounding and two standard errors of the simulations."""
        return abs(self.here - self.printed) <= self.rounding + 2 * np.hypot(self.error, self.printed_error)


def solve(model: str, *overrides: str) -> deqn.Solution:
    """A solved economy. Raises RuntimeError for one that does not pass."""
    if str(MODELS) not in sys.path:
        sys.path.append(str(MODELS))
    with tempfile.TemporaryDirectory() as folder:
        solution = deqn.solve(model, [*QUICK, *overrides], Path(folder) / "run", str(MODELS / "conf"), quiet=True)
    if solution.summary["status"] != "converged":
        raise RuntimeError(f"{solution!r} did not pass")
    return solution


def linearize(solution: deqn.Solution) -> deqn.Solution:
    """The same economy under its first-order policies, which are linear in levels."""
    economy = solution.economy
    rule = linear_rule(economy.members, economy.steady, economy.policy.dtype)
    return replace(solution, economy=replace(economy, policy=rule))


def detrended(series: np.ndarray, smoothing: float = 1600.0) -> np.ndarray:
    """Deviations of series [periods, n] from their trend t (Hodrick and Prescott 1997).

    The trend minimizes sum (x - t)^2 + smoothing sum (second difference of t)^2.
    """
    periods = len(series)
    second = scipy.sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(periods - 2, periods))
    system = scipy.sparse.eye_array(periods) + smoothing * second.T @ second
    return series - scipy.sparse.linalg.spsolve(system.tocsc(), series)
