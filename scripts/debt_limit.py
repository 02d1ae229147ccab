"""An independent solution of overborrowing (scripts/models/bianchi.py), in numpy: time iteration on a grid of bonds.

    b' = (1+r) b + y - c >= -kappa (y + p(c)),  p(c) = (1-omega)/omega c^(1+eta),  c: consumption of tradable goods
    value(c) = beta (1+r) E value(c') wherever the limit does not bind

It shares no code with the engine. What is consumed where nothing is limited is found on tomorrow's bonds as endogenous
grid (Carroll 2006) and interpolated by lines between thousands of points, because a chain hands kinks on from date to
date. The limited choice solves c - kappa p(c) = (1+r) b + (1+kappa) y at each point, and the smaller one is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

DATES = 1000  # at most


@dataclass(frozen=True)
class DebtLimit:
    """Parameters as in Bianchi (2011), and a chain of incomes y with probabilities P (row: today)."""

    y: np.ndarray
    P: np.ndarray
    r: float = 0.04
    beta: float = 0.91
    sigma: float = 2.0
    omega: float = 0.31
    elasticity: float = 0.83
    kappa: float = 0.32

    @property
    def eta(self):
        return 1 / self.elasticity - 1

    def price(self, c):
        return (1 - self.omega) / self.omega * c ** (1 + self.eta)

    def value(self, c):
        """Marginal utility of tradable consumption."""
        both = (self.omega * c**-self.eta + 1 - self.omega) ** (-1 / self.eta)
        return both**-self.sigma * self.omega * (both / c) ** (1 + self.eta)

    def limited(self, b, y):
        """Consumption at which the limit holds with equality, by Newton steps from its left; infinite where none does.

        c - kappa p(c) is concave, and its peak is the most that cash can be for the limit to bind.
        """
        cash = (1 + self.r) * b + (1 + self.kappa) * y
        left_of = lambda c: c - self.kappa * self.price(c)
        peak = (self.kappa * (1 + self.eta) * self.price(1)) ** (-1 / self.eta)
        c, binds = np.full(cash.shape, 1e-9), cash < left_of(peak)
        for _ in range(50):
            slope = 1 - self.kappa * (1 + self.eta) * self.price(c) / c
            c = np.where(binds, c + (cash - left_of(c)) / slope, 1e-9)
        return np.where(binds, c, np.inf)

    def iterate(self, points=4001, width=(-1.1, 0.2), spent=0.9) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields bonds [points] and consumption [points, incomes] with one date more to come, without end.

        At the last date c is `spent`, as far as the limit allows.
        """
        b = np.linspace(*width, points)
        limited = self.limited(b[:, None], self.y)
        c = np.minimum(spent, limited)
        wide = np.linspace(0.01, 3, 100_001)  # of consumption, for the inverse of its value
        while True:
            later = self.beta * (1 + self.r) * self.value(c) @ self.P.T
            free = np.interp(-later, -self.value(wide), wide)  # [b', y]
            before = (b[:, None] + free - self.y) / (1 + self.r)  # bonds from which b' is chosen
            free = np.stack([np.interp(b, before[:, j], free[:, j]) for j in range(len(self.y))], 1)
            c = np.minimum(free, limited)
            yield b, c

    def solve(self, tolerance=1e-10, **settings):
        """The limit of `iterate`, once consumption changes by no more than that."""
        before = np.inf
        for date, (b, c) in enumerate(self.iterate(**settings)):
            if np.abs(c - before).max() < tolerance:
                return b, c
            if date == DATES:
                raise RuntimeError("time iteration did not converge")
            before = c
