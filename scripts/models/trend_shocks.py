"""Shocks to the trend of a small open economy (Aguiar and Gopinath 2007), relative to last quarter's trend.

max E sum beta^t (c^gamma (1 - l)^(1 - gamma))^(1 - sigma) / (1 - sigma),  y = e^z k^(1 - alpha) (e^g l)^alpha,
c + e^g k' = y + (1 - delta) k - phi/2 (e^g k'/k - e^mu)^2 k - b + q e^g b',  1 / q = 1 + r + psi (e^(b' - b*) - 1),
z' = rho_z z,  g' = (1 - rho_g) mu + rho_g g,  b* is b_share of output at rest: the way back from shocks, without risk.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Policy, State


@dataclass(frozen=True)
class TrendShocks(Model):
    """Four states (capital, debt, both shocks), three policies (the next of both, hours)."""

    beta: float = 1 / 1.02  # discount factor
    gamma: float = 0.36  # weight of consumption
    sigma: float = 2.0  # curvature of utility
    alpha: float = 0.68  # labor share
    delta: float = 0.05  # depreciation
    phi: float = 4.0  # adjustment costs
    psi: float = 0.001  # premium on debt
    b_share: float = 0.1  # debt at rest
    mu: float = 0.0066  # mean growth
    rho_z: float = 0.95  # persistence of the transitory shock
    rho_g: float = 0.01  # of growth

    policies = (Policy("k_next", lower=0), Policy("b_next"), Policy("l", lower=0, upper=1))
    shocks = ()

    @property
    def rest(self):
        """Capital, debt, hours, interest rate."""
        G = np.exp(self.mu)
        r = G ** (1 - self.gamma * (1 - self.sigma)) / self.beta - 1
        per_k = (r + self.delta) / (1 - self.alpha)  # output
        c_y = 1 + (1 - G - self.delta) / per_k - (1 - G / (1 + r)) * self.b_share
        l = self.alpha * self.gamma / (c_y * (1 - self.gamma) + self.alpha * self.gamma)
        k = G * l * per_k ** (-1 / self.alpha)
        return k, self.b_share * per_k * k, l, r

    def steady_state(self):
        k, b, l, _ = self.rest
        return {"k": k, "b": b, "z": 0.0, "g": self.mu, "k_next": k, "b_next": b, "l": l}

    @property
    def states(self):
        k, b, mu = *self.rest[:2], self.mu
        return (State("k", 0.85 * k, 1.15 * k, log=True), State("b", b - 0.3, b + 0.3),
                State("z", -0.04, 0.04), State("g", mu - 0.06, mu + 0.06))  # fmt: skip

    def definitions(self, now):
        G, (_, b, _, r) = tf.exp(now.g), self.rest
        y = tf.exp(now.z) * now.k ** (1 - self.alpha) * (G * now.l) ** self.alpha
        c = self.gamma / (1 - self.gamma) * self.alpha * y / now.l * (1 - now.l)
        q = 1 / (1 + r + self.psi * (tf.exp(now.b_next - b) - 1))
        a = G * now.k_next / now.k - np.exp(self.mu)  # what adjusts
        i = G * now.k_next - (1 - self.delta) * now.k + self.phi / 2 * a**2 * now.k
        u_c = (c**self.gamma * (1 - now.l) ** (1 - self.gamma)) ** (1 - self.sigma) / c
        R = (1 - self.alpha) * y / now.k + 1 - self.delta + self.phi * a * (a + np.exp(self.mu)) - self.phi / 2 * a**2
        return {"G": G, "y": y, "c": c, "q": q, "a": a, "i": i, "u_c": u_c, "R": R, "nx": (y - c - i) / y}

    def transition(self, now, shock):
        z = self.rho_z * now.z
        g = (1 - self.rho_g) * self.mu + self.rho_g * now.g
        return {"k": now.k_next, "b": now.b_next, "z": z, "g": g}

    def residuals(self, now, nxt, E):
        discounted = self.beta * now.G ** (self.gamma * (1 - self.sigma) - 1) / now.u_c
        return {
            "resources": now.nx + (now.q * now.G * now.b_next - now.b) / now.y,
            "capital": discounted * E(nxt.u_c * nxt.R) / (1 + self.phi * now.a) - 1,
            "debt": discounted * E(nxt.u_c) / now.q - 1,
        }
