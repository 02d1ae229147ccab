r"""Stochastic growth with irreversible investment and discount shocks.

Output is $y = a k^\alpha$, $k' = I + (1-\delta) k$, $c = y - I$, and $I \ge 0$ has the multiplier $\mu$:

$$c^{-\tau} - \mu = \beta E\left[d' \left({c'}^{-\tau} (\alpha a' {k'}^{\alpha-1} + 1 - \delta)
- (1-\delta) \mu'\right)\right].$$

At $\delta = \tau = 1$ the constraint never binds and $1 / (1 - s)$ is the sum of $(\alpha \beta)^n E[d_1 \cdots d_n]$,
where that converges, which depends on $\sigma_d$: a check of the expectation, not of the constraint. For the constraint
scripts/irreversible_investment.py solves the model on a grid, an independent check of policies and of the share of
dates at which it binds. Reference: Christiano and Fisher (2000).
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class Irreversible(Model):
    """States are capital, productivity, the discount shock; the policy is investment as a share of output."""

    alpha: float = 0.3  # capital share
    beta: float = 0.85  # discount factor
    delta: float = 0.1  # depreciation
    tau: float = 1.0  # curvature of utility
    rho_a: float = 0.9  # persistence of log productivity
    sigma_a: float = 0.08  # standard deviation of its innovation
    rho_d: float = 0.8  # persistence of the log discount shock
    sigma_d: float = 0.06  # standard deviation of its innovation
    k_box: tuple[float, float] = (0.4, 2.5)  # the box of k, in multiples of its steady state
    a_box: float = 3.0  # half width of the box of ln a, in its standard deviations
    d_box: float = 3.0  # half width of the box of ln d, in its standard deviations

    ranges = {
        "alpha": "(0, 1)", "beta": "(0, 1)", "delta": "(0, 1]", "tau": "(0, inf)", "rho_a": "(-1, 1)",
        "sigma_a": "(0, inf)", "rho_d": "(-1, 1)", "sigma_d": "(0, inf)", "k_box": "rising in (0, inf)",
        "a_box": "(0, inf)", "d_box": "(0, inf)",
    }  # fmt: skip
    policies = (Policy("s", 0, 1), Multiplier("m", "s"))  # m = mu c^tau: the multiplier in units of marginal utility
    shocks = (Normal("eps", size=2),)

    @property
    def states(self):
        k = self.steady_state()["k"]
        a = np.exp(self.a_box * self.sigma_a / np.sqrt(1 - self.rho_a**2))
        d = np.exp(self.d_box * self.sigma_d / np.sqrt(1 - self.rho_d**2))
        return (
            State("k", self.k_box[0] * k, self.k_box[1] * k, log=True),
            State("a", 1 / a, a, log=True),
            State("d", 1 / d, d, log=True),
        )

    def steady_state(self):
        k = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        return {"k": k, "a": 1.0, "d": 1.0, "s": self.delta * k ** (1 - self.alpha), "m": 0.0}

    def definitions(self, now):
        y = now.a * now.k**self.alpha
        c = (1 - now.s) * y
        mu = now.m * c**-self.tau
        R = self.alpha * y / now.k + 1 - self.delta
        return {"y": y, "I": now.s * y, "c": c, "mu": mu, "R": R}

    def transition(self, now, shock):
        return {
            "k": now.I + (1 - self.delta) * now.k,
            "a": now.a**self.rho_a * tf.exp(self.sigma_a * shock.eps[0]),
            "d": now.d**self.rho_d * tf.exp(self.sigma_d * shock.eps[1]),
        }

    def residuals(self, now, nxt, E):
        later = self.beta * E(nxt.d * (nxt.c**-self.tau * nxt.R - (1 - self.delta) * nxt.mu))
        return {"euler": (later + now.mu) ** (-1 / self.tau) / now.c - 1}

    def closed_form(self, now):
        growth = self.alpha * self.beta * np.exp(self.sigma_d**2 / 2 / (1 - self.rho_d) ** 2)  # of the sum's last terms
        if self.delta != 1 or self.tau != 1 or growth > 0.6:
            return None
        n = np.arange(1, TERMS + 1)[:, None, None]
        loads = (1 - self.rho_d**n) / (1 - self.rho_d)  # of a shock that has n dates to act
        log_mean = self.rho_d * loads * tf.math.log(now.d) + self.sigma_d**2 / 2 * np.cumsum(loads**2, 0)
        total = 1 + tf.reduce_sum((self.alpha * self.beta) ** n * tf.exp(log_mean), 0)
        return {"s": 1 - 1 / total, "m": tf.zeros_like(total)}


TERMS = 60  # of the sum; at the defaults each is a quarter of the one before, at 0.6 they leave 1e-13
