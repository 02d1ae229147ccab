r"""The price of a claim to dividends, whose closed form depends on risk (Burnside 1998).

Dividend growth $x$ and the price-dividend ratio $v$ solve

$$x' = \bar x + \rho (x - \bar x) + \sigma \varepsilon', \qquad
v(x) = \beta E\left[e^{(1-\gamma) x'} (1 + v(x'))\right].$$

The exact $v$ is a sum of exponentials with $\sigma$ in each term, so that this economy, unlike those whose solution
holds shock by shock, sees a wrong expectation. It has no feedback of the policy on the states, so it says nothing of
simulated training states.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class AssetPricing(Model):
    """One state (dividend growth), one policy (the price-dividend ratio), one shock."""

    beta: float = 0.95  # discount factor
    gamma: float = 2.5  # relative risk aversion
    xbar: float = 0.0179  # mean of dividend growth
    rho: float = -0.139  # its persistence
    sigma: float = 0.0348  # standard deviation of its innovation
    x_box: float = 5.0  # half width of the box, in standard deviations of dividend growth

    ranges = {
        "beta": "(0, 1)", "gamma": "(0, inf)", "xbar": "(-inf, inf)", "rho": "(-1, 1)", "sigma": "(0, inf)",
        "x_box": "(0, inf)",
    }  # fmt: skip
    policies = (Policy("v", 0),)
    shocks = (Normal("eps"),)

    @property
    def states(self):
        half = self.x_box * self.sigma / np.sqrt(1 - self.rho**2)
        return (State("x", self.xbar - half, self.xbar + half),)

    def steady_state(self):
        discount = self.beta * np.exp((1 - self.gamma) * self.xbar)
        return {"x": self.xbar, "v": discount / (1 - discount)}

    def definitions(self, now):
        return {"growth": tf.exp((1 - self.gamma) * now.x)}

    def transition(self, now, shock):
        return {"x": self.xbar + self.rho * (now.x - self.xbar) + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"price": self.beta * E(nxt.growth * (1 + nxt.v)) / now.v - 1}

    def expectations(self, now, nxt, E):
        riskless = 1 / (self.beta * E(tf.exp(-self.gamma * nxt.x)))
        return {"riskless": riskless, "premium": E(tf.exp(nxt.x) * (1 + nxt.v)) / now.v - riskless}

    def closed_form(self, now):
        theta, rho = 1 - self.gamma, self.rho
        i = np.arange(1, TERMS + 1)[:, None, None]
        b = theta * rho * (1 - rho**i) / (1 - rho)
        risk = i - 2 * rho * (1 - rho**i) / (1 - rho) + rho**2 * (1 - rho ** (2 * i)) / (1 - rho**2)
        a = theta * self.xbar * i + (theta * self.sigma / (1 - rho)) ** 2 / 2 * risk
        return {"v": tf.reduce_sum(tf.exp(i * np.log(self.beta) + a + b * (now.x - self.xbar)), 0)}


TERMS = 2000  # of the sum: at the defaults each is 7 % smaller than the one before
