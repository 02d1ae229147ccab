"""Overborrowing (Bianchi 2011, decentralized): debt is limited by income, which is valued at today's price.

max E sum beta^t c^(1-sigma) / (1-sigma),  c = (omega cT^-eta + (1-omega) cN^-eta)^(-1/eta),  cN = 1,
b' = (1+r) b + yT - cT >= -kappa (yT + p),  p = (1-omega)/omega cT^(1+eta),  in units of tradable goods.
yT is a chain of Rouwenhorst (1995) for an autoregression of its logarithm.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf
from scipy.stats import binom

from deqn import Markov, Model, Multiplier, Policy, State


@dataclass(frozen=True)
class Bianchi(Model):
    """States are bonds and income, policies are tradable consumption and what is left of the limit."""

    r: float = 0.04  # world's interest rate
    beta: float = 0.91  # discount factor
    sigma: float = 2.0  # risk aversion
    omega: float = 0.31  # weight of tradable goods
    elasticity: float = 0.83  # of substitution between the goods
    kappa: float = 0.32  # share of income up to which may be borrowed
    rho: float = 0.54  # persistence of log income
    spread: float = 0.06  # its standard deviation
    outcomes: int = 5  # of income

    policies = (Policy("cT", lower=0), Policy("room", lower=0), Multiplier("mu", of="room"))

    @property
    def eta(self):
        return 1 / self.elasticity - 1

    @cached_property
    def chain(self):
        """Incomes, and in each row the probabilities of tomorrow's."""
        n = self.outcomes - 1
        incomes = np.exp(self.spread * np.sqrt(n) * np.linspace(-1, 1, n + 1))
        stay, k = (1 + self.rho) / 2, np.arange(n + 1)
        rows = [
            np.convolve(binom.pmf(np.arange(i + 1), i, stay), binom.pmf(np.arange(n - i + 1), n - i, 1 - stay))
            for i in k
        ]
        return incomes, np.stack(rows)

    @property
    def states(self):
        return (State("b", -1.0, -0.4), State("y", self.chain[0][0], self.chain[0][-1]))

    @property
    def shocks(self):
        incomes, rows = self.chain
        return (Markov({"y": incomes}, lambda now: tf.transpose(tf.gather(rows, self.nearest(now.y)))),)

    def nearest(self, y):
        return tf.argmin(tf.abs(y - self.chain[0][:, None]), 0)

    def definitions(self, now):
        c = (self.omega * now.cT**-self.eta + 1 - self.omega) ** (-1 / self.eta)
        income = now.y + (1 - self.omega) / self.omega * now.cT ** (1 + self.eta)
        b_next = (1 + self.r) * now.b + now.y - now.cT
        value = c**-self.sigma * self.omega * (c / now.cT) ** (1 + self.eta)
        return {"c": c, "value": value, "income": income, "b_next": b_next, "debt_share": b_next / income}

    def transition(self, now, shock):
        return {"b": now.b_next, "y": shock.y}

    def residuals(self, now, nxt, E):
        return {
            "euler": self.beta * (1 + self.r) * E(nxt.value) / now.value + now.mu - 1,
            "limit": (now.room - now.b_next - self.kappa * now.income) / now.income,
        }
