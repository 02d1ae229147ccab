"""An independent solution of the multi-country model (models/irbc.py) without risk: perfect foresight, in numpy.

    lam_t (1 + kappa g_t) = beta lam_(t+1) (A e^z zeta k^(zeta-1) + 1 - delta + kappa/2 g (g + 2))_(t+1),  g = k'/k - 1
    sum_j (A e^z k^zeta + (1 - delta) k - k' - kappa/2 k g^2 - c) = 0,  c = (lam / tau)^-ies,  z_(t+1) = rho z_t

It shares no code with the engine. At rest k = lam = 1.
"""

from dataclasses import dataclass

import numpy as np

from perfect_foresight import find_path


@dataclass(frozen=True)
class Countries:
    """Parameters as in the model's file."""

    N: int
    zeta: float
    delta: float
    beta: float
    kappa: float
    rho: float

    def choose(self, k: np.ndarray, z: np.ndarray, dates: int = 1500) -> np.ndarray:
        """Investment rates of the countries and lam [N + 1] at capital and log productivity [N] each."""
        A, ies = (1 / self.beta - 1 + self.delta) / self.zeta, np.linspace(0.25, 1, self.N)
        tau = (A - self.delta) ** (1 / ies)
        productivity = A * np.exp(self.rho ** np.arange(dates + 1)[:, None] * z)  # [dates + 1, N]

        def F(before, now, after):
            k, k1, k2 = (x[:, : self.N] for x in (before, now, after))
            lam, lam1, g, g1 = now[:, self.N :], after[:, self.N :], k1 / k - 1, k2 / k1 - 1
            R = self.zeta * productivity[1:] * k1 ** (self.zeta - 1) + 1 - self.delta + self.kappa / 2 * g1 * (g1 + 2)
            y, spent = productivity[:-1] * k**self.zeta, (lam / tau) ** -ies + self.kappa / 2 * k * g**2
            left = (y + (1 - self.delta) * k - k1 - spent).sum(1, keepdims=True)
            return np.concatenate([self.beta * lam1 * R / (lam * (1 + self.kappa * g)) - 1, left], 1)

        first = find_path(F, np.append(k, 1.0), np.ones(self.N + 1), dates)[0]
        return np.append(first[: self.N] / k - 1 + self.delta, first[self.N])
