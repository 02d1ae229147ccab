"""An independent solution of trend shocks (scripts/models/trend_shocks.py) without risk: perfect foresight, in numpy.

Equations are those of Aguiar and Gopinath (2007), written in quantities relative to last quarter's trend, for the
unknowns k', b', c, l of each date; z and g return to rest as their autoregressions say. It shares no code with the
engine.
"""

from dataclasses import dataclass

import numpy as np

from perfect_foresight import find_path


@dataclass(frozen=True)
class Trend:
    """Parameters as in the model's file, and what rests: capital, debt, consumption, hours, interest rate."""

    beta: float
    gamma: float
    sigma: float
    alpha: float
    delta: float
    phi: float
    psi: float
    mu: float
    rho_z: float
    rho_g: float
    rest: tuple[float, float, float, float]
    r: float

    def choose(self, k: float, b: float, z: float, g: float, dates: int = 2500) -> np.ndarray:
        """Tomorrow's capital and debt, consumption and hours today."""
        t, e, s = np.arange(dates + 1), self.gamma, self.sigma
        Z, G = np.exp(z * self.rho_z**t), np.exp(self.mu + (g - self.mu) * self.rho_g**t)
        price = lambda b1: 1 / (1 + self.r + self.psi * (np.exp(b1 - self.rest[1]) - 1))
        marginal = lambda c, l: e * c ** (e * (1 - s) - 1) * (1 - l) ** ((1 - e) * (1 - s))

        def F(before, now, after):
            (k, b), (k1, b1, c, l), (k2, _, c1, l1) = before.T[:2], now.T, after.T
            product = lambda Z, G, k, l: Z * k ** (1 - self.alpha) * (G * l) ** self.alpha
            y, y1 = product(Z[:-1], G[:-1], k, l), product(Z[1:], G[1:], k1, l1)
            gross, gross1, mean = G[:-1] * k1 / k, G[1:] * k2 / k1, np.exp(self.mu)
            later = self.beta * G[:-1] ** (e * (1 - s) - 1) * marginal(c1, l1) / marginal(c, l)
            moved = self.phi * (gross1 - mean) * gross1 - self.phi / 2 * (gross1 - mean) ** 2
            R = (1 - self.alpha) * y1 / k1 + 1 - self.delta + moved
            cost = self.phi / 2 * (gross - mean) ** 2 * k
            sources = y + (1 - self.delta) * k - b + price(b1) * G[:-1] * b1
            return np.stack([
                (1 - e) / e * c / (1 - l) - self.alpha * y / l,
                sources - cost - c - G[:-1] * k1,
                later * R / (1 + self.phi * (gross - mean)) - 1,
                later / price(b1) - 1,
            ], 1)  # fmt: skip

        return find_path(F, np.array([k, b, *self.rest[2:]]), np.array(self.rest), dates)[0]
