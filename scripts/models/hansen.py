"""Indivisible labor (Hansen 1985): households work full time or not at all, and insure each other against the lottery.

max E sum beta^t (ln c - B h),  c + k' - (1 - delta) k = y = e^z k^alpha h^(1 - alpha),  z' = rho z + sigma eps,
with B = -A ln(1 - h0) / h0. Hours follow from B = w / c, and capital from the Euler equation.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class Hansen(Model):
    """Two states (capital, log productivity), one policy (hours); consumption is the wage over B."""

    alpha: float = 0.36  # capital share
    beta: float = 0.99  # discount factor of a quarter
    delta: float = 0.025  # depreciation
    A: float = 2.0  # weight of leisure
    h0: float = 0.53  # hours of those who work
    rho: float = 0.95  # persistence of productivity
    sigma: float = 0.00712  # standard deviation of its innovation

    policies = (Policy("h", lower=0, upper=1),)
    shocks = (Normal("eps"),)

    @property
    def B(self):
        return -self.A * np.log(1 - self.h0) / self.h0

    def steady_state(self):
        r = 1 / self.beta - 1 + self.delta
        ratio = (r / self.alpha) ** (1 / (self.alpha - 1))  # k / h
        h = (1 - self.alpha) * ratio**self.alpha / self.B / (ratio**self.alpha - self.delta * ratio)
        return {"k": ratio * h, "z": 0.0, "h": h}

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("k", 0.8 * k, 1.25 * k, log=True), State("z", -0.08, 0.08))

    def definitions(self, now):
        y = tf.exp(now.z) * now.k**self.alpha * now.h ** (1 - self.alpha)
        w = (1 - self.alpha) * y / now.h
        c = w / self.B
        return {
            "y": y,
            "c": c,
            "i": y - c,
            "w": w,
            "R": self.alpha * y / now.k + 1 - self.delta,
            "productivity": y / now.h,
        }

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.i, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": 1 / (self.beta * E(nxt.R / nxt.c)) / now.c - 1}
