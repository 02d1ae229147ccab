"""The growth model of Schmitt-Grohe and Uribe (2004, section 5.1): gamma = 2, full depreciation, productivity i.i.d.

max E sum beta^t c^(1 - gamma) / (1 - gamma),  c + k' = A k^alpha,  ln A' = rho ln A + sigma eps.
"""

from dataclasses import dataclass

import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class GrowthInLogs(Model):
    """Two states (capital, productivity), one policy (consumption), all in logarithms."""

    alpha: float = 0.3  # capital share
    beta: float = 0.95  # discount factor
    gamma: float = 2.0  # relative risk aversion
    rho: float = 0.0  # persistence of log productivity
    sigma: float = 0.0  # standard deviation of its innovation

    policies = (Policy("c", lower=0),)
    shocks = (Normal("eps"),)

    def steady_state(self):
        k = (self.alpha * self.beta) ** (1 / (1 - self.alpha))
        return {"k": k, "A": 1.0, "c": k**self.alpha - k}

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("k", 0.75 * k, 1.33 * k, log=True), State("A", 0.75, 1.33, log=True))

    def definitions(self, now):
        y = now.A * now.k**self.alpha
        return {"y": y, "R": self.alpha * y / now.k}

    def transition(self, now, shock):
        return {"k": now.y - now.c, "A": now.A**self.rho * tf.exp(self.sigma * shock.eps)}

    def residuals(self, now, nxt, E):
        return {"euler": (self.beta * E(nxt.R * nxt.c**-self.gamma)) ** (-1 / self.gamma) / now.c - 1}
