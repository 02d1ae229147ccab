r"""Stochastic growth with CRRA utility: the workhorse of business cycle theory.

$$\max E \sum_t \beta^t u(c_t), \qquad k' + c = y + (1 - \delta) k, \qquad y = e^z k^\alpha, \qquad
z' = \rho z + \sigma \varepsilon', \qquad u'(c) = c^{-\gamma}.$$

Reference: Brock and Mirman (1972); with $\gamma = \delta = 1$ the exact policy is $k' = \alpha \beta e^z k^\alpha$ for
any $\rho$ and $\sigma$. It holds shock by shock, so it proves the plumbing, not the expectation.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class StochasticGrowth(Model):
    """Two states (capital, log productivity), one policy (gross investment as a share of output), one shock."""

    alpha: float = 0.36  # capital share
    beta: float = 0.99  # discount factor
    gamma: float = 1.0  # relative risk aversion
    delta: float = 0.1  # depreciation
    rho: float = 0.9  # persistence of log productivity
    sigma: float = 0.04  # standard deviation of its innovation
    k_box: tuple[float, float] = (0.5, 1.6)  # the box of k, in multiples of its steady state
    tfp_box: tuple[float, float] = (0.75, 1.33)  # the box of productivity e^z

    ranges = {
        "alpha": "(0, 1)", "beta": "(0, 1)", "gamma": "(0, inf)", "delta": "(0, 1]",
        "rho": "(-1, 1)", "sigma": "[0, inf)", "k_box": "rising in (0, inf)", "tfp_box": "rising in (0, inf)",
    }  # fmt: skip
    policies = (Policy("s", lower=0, upper=1),)
    shocks = (Normal("eps"),)

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (
            State("k", self.k_box[0] * k, self.k_box[1] * k, log=True),
            State("z", np.log(self.tfp_box[0]), np.log(self.tfp_box[1])),
        )

    def steady_state(self):
        k = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        return {"k": k, "z": 0.0, "s": self.delta * k ** (1 - self.alpha)}

    def definitions(self, now):
        y = tf.exp(now.z) * now.k**self.alpha
        return {"y": y, "c": (1 - now.s) * y, "R": self.alpha * y / now.k + 1 - self.delta}

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.s * now.y, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": (self.beta * E(nxt.R * nxt.c**-self.gamma)) ** (-1 / self.gamma) / now.c - 1}

    def closed_form(self, now):
        if self.gamma == 1 and self.delta == 1:
            return {"s": self.alpha * self.beta}
        return None
