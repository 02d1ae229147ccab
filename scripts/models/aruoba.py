"""Growth with leisure (Aruoba, Fernandez-Villaverde and Rubio-Ramirez 2006).

max E sum beta^t (c^theta (1 - l)^(1 - theta))^(1 - tau) / (1 - tau),  y = e^z k^alpha l^(1 - alpha),
k' = y - c + (1 - delta) k,  (1 - theta) / theta c / (1 - l) = (1 - alpha) y / l,  z' = rho z + sigma eps.
"""

from dataclasses import dataclass

import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class Aruoba(Model):
    """Two states (capital, log productivity), one policy (hours), which tells consumption."""

    alpha: float = 0.4  # capital share
    beta: float = 0.9896  # discount factor
    theta: float = 0.357  # weight of consumption
    tau: float = 2.0  # curvature of utility
    delta: float = 0.0196  # depreciation
    rho: float = 0.95  # persistence of log productivity
    sigma: float = 0.007  # standard deviation of its innovation

    policies = (Policy("l", lower=0, upper=1),)
    shocks = (Normal("eps"),)

    def steady_state(self):
        ratio = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))  # k / l
        worked = self.theta / (1 - self.theta) * (1 - self.alpha) * ratio**self.alpha  # c / (1 - l)
        l = worked / (worked + ratio**self.alpha - self.delta * ratio)
        return {"k": ratio * l, "z": 0.0, "l": l}

    @property
    def states(self):
        k, z = self.steady_state()["k"], 4 * self.sigma / (1 - self.rho**2) ** 0.5
        return (State("k", 0.7 * k, 1.4 * k, log=True), State("z", -z, z))

    def definitions(self, now):
        y = tf.exp(now.z) * now.k**self.alpha * now.l ** (1 - self.alpha)
        c = self.theta / (1 - self.theta) * (1 - self.alpha) * y / now.l * (1 - now.l)
        value = (c**self.theta * (1 - now.l) ** (1 - self.theta)) ** (1 - self.tau) / c
        return {"y": y, "c": c, "value": value, "R": self.alpha * y / now.k + 1 - self.delta}

    def transition(self, now, shock):
        return {
            "k": (1 - self.delta) * now.k + now.y - now.c,
            "z": self.rho * now.z + self.sigma * shock.eps,
        }

    def residuals(self, now, nxt, E):
        return {"euler": self.beta * E(nxt.value * nxt.R) / now.value - 1}
