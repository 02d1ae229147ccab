"""A small open economy whose interest rate rises with its debt (Schmitt-Grohe and Uribe 2003, model 2).

max E sum beta^t (c - h^omega / omega)^(1 - gamma) / (1 - gamma),  y = e^a k^alpha h^(1 - alpha),  a' = rho a + sigma e,
d' = (1 + r) d - y + c + i + phi/2 (k' - k)^2,  k' = i + (1 - delta) k,  r = rbar + psi (e^(d - dbar) - 1).
Hours follow from h^(omega - 1) = (1 - alpha) y / h. Debt is nearly a random walk.
"""

from dataclasses import dataclass

import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class SmallOpenEconomy(Model):
    """Three states (debt, capital, log productivity), two policies (consumption, investment)."""

    gamma: float = 2.0  # relative risk aversion
    omega: float = 1.455  # one plus the inverse elasticity of labor supply
    psi: float = 0.000742  # premium on debt
    alpha: float = 0.32  # capital share
    phi: float = 0.028  # adjustment costs
    rbar: float = 0.04  # world's interest rate
    delta: float = 0.1  # depreciation
    rho: float = 0.42  # persistence of log productivity
    sigma: float = 0.0129  # standard deviation of its innovation
    dbar: float = 0.7442  # debt at rest

    policies = (Policy("c", lower=0), Policy("i", lower=0))
    shocks = (Normal("eps"),)

    @property
    def beta(self):
        return 1 / (1 + self.rbar)

    def steady_state(self):
        ratio = ((self.rbar + self.delta) / self.alpha) ** (1 / (self.alpha - 1))  # k / h
        h = ((1 - self.alpha) * ratio**self.alpha) ** (1 / (self.omega - 1))
        k = ratio * h
        c = ratio**self.alpha * h - self.delta * k - self.rbar * self.dbar
        return {"d": self.dbar, "k": k, "a": 0.0, "c": c, "i": self.delta * k}

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("d", 0.0, 1.5), State("k", 0.85 * k, 1.15 * k, log=True), State("a", -0.05, 0.05))

    def definitions(self, now):
        product = (1 - self.alpha) * tf.exp(now.a) * now.k**self.alpha
        h = product ** (1 / (self.alpha + self.omega - 1))
        y = product * h ** (1 - self.alpha) / (1 - self.alpha)
        growth = now.i - self.delta * now.k
        spent = now.c + now.i + self.phi / 2 * growth**2
        return {
            "h": h, "y": y, "growth": growth, "tb_y": 1 - spent / y,
            "r": self.rbar + self.psi * (tf.exp(now.d - self.dbar) - 1),
            "lam": (now.c - h**self.omega / self.omega) ** -self.gamma,
            "R": self.alpha * y / now.k + 1 - self.delta + self.phi * growth,
            "spent": spent,
        }  # fmt: skip

    def transition(self, now, shock):
        return {
            "d": (1 + now.r) * now.d - now.y + now.spent,
            "k": now.k + now.growth,
            "a": self.rho * now.a + self.sigma * shock.eps,
        }

    def residuals(self, now, nxt, E):
        return {
            "debt": self.beta * E((1 + nxt.r) * nxt.lam) / now.lam - 1,
            "capital": self.beta * E(nxt.lam * nxt.R) / (now.lam * (1 + self.phi * now.growth)) - 1,
        }
