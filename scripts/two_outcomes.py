"""An independent solution of irreversible investment with two outcomes (scripts/models/christiano_fisher.py), in numpy.

    W(k', theta) = beta E[c'^-gamma alpha y' / k' + (1 - delta) q'],  q = c^-gamma - h: the price of installed capital
    c = min(free, y),  q = min(free^-gamma, W((1 - delta) k, theta))

`free` is what an investor consumes who may sell capital: W(k', theta)^(-1/gamma) + k' = cash, on tomorrow's capital as
endogenous grid (Carroll 2006), with lines between thousands of points, because a chain hands kinks on from date to
date. It shares no code with the engine.
"""

from dataclasses import dataclass

import numpy as np

DATES = 20_000  # at most


@dataclass(frozen=True)
class TwoOutcomes:
    """Parameters as in the model's file."""

    alpha: float
    beta: float
    delta: float
    gamma: float
    s: float
    rho: float

    @property
    def outcomes(self):
        return np.array([-self.s, self.s])

    def output(self, k):
        """[k, outcomes]."""
        return np.exp(self.outcomes) * k[:, None] ** self.alpha

    def solve(self, points=8001, width=(0.4, 2.5), tolerance=1e-11):
        """Capital [points] and investment [points, outcomes]."""
        P = np.array([[1 + self.rho, 1 - self.rho], [1 - self.rho, 1 + self.rho]]) / 2
        rest = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        k = rest * np.linspace(*width, points)
        y, kept = self.output(k), (1 - self.delta) * k
        free = 0.8 * y
        W = free**-self.gamma
        for _ in range(DATES):
            sold = np.stack([np.interp(kept, k, W[:, j]) for j in range(2)], 1)
            q, c = np.minimum(free**-self.gamma, sold), np.minimum(free, y)
            before, W = W, self.beta * (c**-self.gamma * self.alpha * y / k[:, None] + (1 - self.delta) * q) @ P.T
            spent = W ** (-1 / self.gamma)
            cash = spent + k[:, None]
            free = np.stack([np.interp(y[:, j] + kept, cash[:, j], spent[:, j]) for j in range(2)], 1)
            if np.abs(W / before - 1).max() < tolerance:
                return k, y - np.minimum(free, y)
        raise RuntimeError("time iteration did not converge")

    def simulate(self, k, i, dates=400, paths=2000, seed=0, discarded=600):
        """Investment [dates, paths] along simulated paths."""
        rng = np.random.default_rng(seed)
        now, high, chosen = np.full(paths, np.median(k)), rng.random(paths) < 0.5, []
        for date in range(discarded + dates):
            invested = np.where(high, np.interp(now, k, i[:, 1]), np.interp(now, k, i[:, 0]))
            if date >= discarded:
                chosen.append(invested)
            now = (1 - self.delta) * now + invested
            high = rng.random(paths) < np.where(high, 1 + self.rho, 1 - self.rho) / 2
        return np.stack(chosen)
