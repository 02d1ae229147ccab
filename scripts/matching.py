"""An independent solution of search and matching (scripts/models/search_frictions.py), in numpy: one function of x.

    J(x) = beta E[x' - W' + (1 - s) J(x')],  W = eta (x + kappa theta) + (1 - eta) b,  kappa = kappa_K x + kappa_W x^xi
    (1 + theta^iota)^(1/iota) = max(J / kappa, 1)

Free entry ties tightness to productivity alone, so that employment is no state of J. It shares no code with the engine:
J is a cubic spline in ln x, and its equation is iterated, a contraction with the factor beta (1 - s) or less.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

WIDTH = 6.0  # of the grid on each side, in standard deviations of ln x
DATES = 20_000  # at most


@dataclass(frozen=True)
class Matching:
    """Parameters as in Hagedorn and Manovskii (2008)."""

    beta: float
    s: float
    b: float
    eta: float
    iota: float
    kappa_K: float
    kappa_W: float
    xi: float
    rho: float
    sigma: float

    def cost(self, x):
        """Of a vacancy."""
        return self.kappa_K * x + self.kappa_W * x**self.xi

    def tightness(self, J, x):
        return (np.maximum(J / self.cost(x), 1) ** self.iota - 1) ** (1 / self.iota)

    def profit(self, J, x):
        """Output less the wage."""
        return (1 - self.eta) * (x - self.b) - self.eta * self.cost(x) * self.tightness(J, x)

    def solve(self, points=401, nodes=15, tolerance=1e-12) -> CubicSpline:
        """J as a function of ln x."""
        width = WIDTH * self.sigma / np.sqrt(1 - self.rho**2)
        ln_x = np.linspace(-width, width, points)
        eps, weights = np.polynomial.hermite_e.hermegauss(nodes)
        later = np.clip(self.rho * ln_x[:, None] + self.sigma * eps, -width, width)
        J = np.ones(points)
        for _ in range(DATES):
            J_later = CubicSpline(ln_x, J)(later)
            values = self.beta * (self.profit(J_later, np.exp(later)) + (1 - self.s) * J_later)
            before, J = J, values @ weights / weights.sum()
            if np.abs(J - before).max() < tolerance:
                return CubicSpline(ln_x, J)
        raise RuntimeError("the value of a worker did not converge")

    def simulate(self, J: CubicSpline, weeks=600, paths=4000, seed=0, discarded=1500):
        """Unemployment [weeks, paths]."""
        rng, ln_x, N, unemployment = np.random.default_rng(seed), np.zeros(paths), np.full(paths, 0.94), []
        for week in range(discarded + weeks):
            theta = self.tightness(J(ln_x), np.exp(ln_x))
            if week >= discarded:
                unemployment.append(1 - N)
            hired = theta * (1 + theta**self.iota) ** (-1 / self.iota) * (1 - N)
            N = (1 - self.s) * N + hired
            ln_x = self.rho * ln_x + self.sigma * rng.standard_normal(paths)
        return np.stack(unemployment)
