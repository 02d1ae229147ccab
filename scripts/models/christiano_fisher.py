"""Growth with irreversible investment and two outcomes of productivity (Christiano and Fisher 2000).

max E sum beta^t c^(1 - gamma) / (1 - gamma),  c + k' - (1 - delta) k = e^theta k^alpha,  k' >= (1 - delta) k,
c^-gamma - h = beta E[c'^-gamma (alpha e^theta' k'^(alpha-1) + 1 - delta) - (1 - delta) h'],  h >= 0 the multiplier.
theta is s or -s, and stays with probability (1 + rho) / 2.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Markov, Model, Multiplier, Policy, State


@dataclass(frozen=True)
class ChristianoFisher(Model):
    """States are capital and productivity, the policy is investment."""

    alpha: float = 0.3  # capital share
    beta: float = 1.03**-0.25  # discount factor of a quarter
    delta: float = 0.02  # depreciation
    gamma: float = 1.0  # relative risk aversion
    s: float = 0.23  # size of log productivity
    rho: float = 0.0  # its persistence

    policies = (Policy("i", lower=0), Multiplier("m", of="i"))  # m = h c^gamma: in units of marginal utility

    @property
    def states(self):
        k = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        return (State("k", 0.7 * k, 1.5 * k, log=True), State("theta", -self.s, self.s))

    @property
    def shocks(self):
        outcomes = np.array([-self.s, self.s])
        return (Markov({"theta": outcomes}, lambda now: self.chances(now.theta)),)

    def chances(self, theta):
        """Of the low and of the high outcome tomorrow."""
        high = (1 + self.rho * theta / self.s) / 2
        return tf.concat([1 - high, high], 0)

    def definitions(self, now):
        y = tf.exp(now.theta) * now.k**self.alpha
        c = y - now.i
        return {"y": y, "c": c, "h": now.m * c**-self.gamma, "R": self.alpha * y / now.k + 1 - self.delta}

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.i, "theta": shock.theta}

    def residuals(self, now, nxt, E):
        later = self.beta * E(nxt.c**-self.gamma * nxt.R - (1 - self.delta) * nxt.h)
        return {"euler": (later + now.h) ** (-1 / self.gamma) / now.c - 1}
