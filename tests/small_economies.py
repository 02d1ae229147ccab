"""Small economies for tests of training, each with one difficulty and a solution that is known by hand."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class Ledgers(Model):
    """Fifty accounts x_i = -a_i z, equation by equation; forty-nine a_i are nearly zero, the last is not."""

    last: float = 2e-4  # a_50

    policies = (Policy("x", size=50),)
    states = (State("z", -1.0, 1.0),)
    shocks = ()

    def steady_state(self):
        return {"z": 0.0, "x": 0.0}

    def definitions(self, now):
        return {}

    def transition(self, now, shock):
        return {"z": 0.5 * now.z}

    def residuals(self, now, nxt, E):
        slopes = np.array([1e-9] * 49 + [self.last])[:, None, None]
        return {"account": now.x + slopes * now.z}


@dataclass(frozen=True)
class Harvest(Model):
    """Brock and Mirman (1972) with consumption in levels, c = (1 - alpha beta) e^z k^alpha.

    Where consumption is what it is at rest, every path that starts with little capital has less than none within a few
    dates, and there the model has no numbers.
    """

    alpha: float = 0.36
    beta: float = 0.96
    rho: float = 0.9
    sigma: float = 0.02

    policies = (Policy("c", lower=0),)
    shocks = (Normal("eps"),)

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("k", 0.6 * k, 1.5 * k), State("z", -0.1, 0.1))

    def steady_state(self):
        k = (self.alpha * self.beta) ** (1 / (1 - self.alpha))
        return {"k": k, "z": 0.0, "c": (1 - self.alpha * self.beta) * k**self.alpha}

    def definitions(self, now):
        return {"y": tf.exp(now.z) * now.k**self.alpha}

    def transition(self, now, shock):
        return {"k": now.y - now.c, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": 1 / (self.beta * E(self.alpha * nxt.y / nxt.k / nxt.c)) / now.c - 1}
