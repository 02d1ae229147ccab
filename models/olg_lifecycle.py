r"""Overlapping generations over a life cycle, with borrowing constraints: six cohorts of ten years each.

Cohort $h$ supplies labour $l^h$ and brings capital $k^h$ (the first none). With log utility and savings shares $s^h$,

$$y = e^z K^\alpha L^{1-\alpha}, \qquad r = \alpha y / K, \qquad w = (1-\alpha) y / L,$$

$$m^h = l^h w + (1 + r - \delta) k^h, \qquad {k'}^{h+1} = s^h m^h \ge 0,$$

$m^h$ the cash on hand. Young cohorts, whose income rises, would borrow. No closed form; the steady state is found by
the engine and checked against an independent one. Reference: the life-cycle example of the public deep equilibrium
nets course material.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Multiplier, Normal, Policy, State

LABOR = np.array([1, 1.8, 2.3, 2.5, 1.6, 1.25])  # efficiency units by age


@dataclass(frozen=True)
class OlgLifecycle(Model):
    """States z and capital of cohorts 1..5; policies are savings of cohorts 0..4 as shares of cash on hand."""

    alpha: float = 0.36  # capital share
    beta: float = 0.99**10  # discount factor of a decade
    delta: float = 0.8  # depreciation
    rho: float = 0.9**10  # persistence of log productivity
    sigma: float = 0.1  # standard deviation of its innovation
    k_max: tuple[float, float, float, float, float] = (0.1, 0.4, 0.9, 1.4, 1.2)  # upper end of the box, by age
    z_box: float = 3.0  # half width of the box of z, in its standard deviations

    ranges = {
        "alpha": "(0, 1)", "beta": "(0, 1)", "delta": "(0, 1]", "rho": "(-1, 1)", "sigma": "(0, inf)",
        "k_max": "(0, inf)", "z_box": "(0, inf)",
    }  # fmt: skip
    policies = (Policy("s", 0, 1, size=5), Multiplier("m", "s", size=5))
    shocks = (Normal("eps"),)

    @property
    def states(self):
        z = self.z_box * self.sigma / np.sqrt(1 - self.rho**2)
        return (State("k", 0, self.k_max, size=5), State("z", -z, z))

    def definitions(self, now):
        K, L = tf.reduce_sum(now.k, 0), LABOR.sum()
        y = tf.exp(now.z) * K**self.alpha * L ** (1 - self.alpha)
        r, w = self.alpha * y / K, (1 - self.alpha) * y / L
        wealth = tf.concat([tf.zeros_like(now.k[:1]), now.k], 0)  # [6, nodes, batch]
        cash = LABOR[:, None, None] * w + (1 + r - self.delta) * wealth
        savings = now.s * cash[:-1]
        c = tf.concat([cash[:-1] - savings, cash[-1:]], 0)
        return {"K": K, "y": y, "r": r, "w": w, "savings": savings, "c": c}

    def transition(self, now, shock):
        return {"k": now.savings, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        return {"euler": 1 / (now.c[:-1] * self.beta * E((1 + nxt.r - self.delta) / nxt.c[1:])) - 1 - now.m}
