r"""Stochastic growth with a labour choice, and with a cap on hours that binds where work pays most.

Utility is $\ln c - \psi L^{1+\theta} / (1+\theta)$; output and the wage are

$$y = e^z k^\alpha L^{1-\alpha}, \qquad w = (1-\alpha) y / L.$$

At $\delta = 1$ hours do not move and savings are $\alpha \beta y$: a check of the equations, not of the expectation, as
it holds shock by shock, nor of hours that move. Reference: Hansen (1985), King, Plosser and Rebelo (1988).
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class GrowthLabor(Model):
    """Two states (capital, log productivity); policies are the savings share of output and hours."""

    alpha: float = 0.36  # capital share
    beta: float = 0.99  # discount factor
    delta: float = 0.1  # depreciation
    psi: float = 1.0  # weight of the disutility of work
    theta: float = 1.0  # inverse of the Frisch elasticity
    rho: float = 0.9  # persistence of log productivity
    sigma: float = 0.04  # standard deviation of its innovation
    capped: bool = False  # whether hours are at most L_max
    L_max: float = 0.97  # the cap on hours
    k_box: tuple[float, float] = (0.5, 1.6)  # the box of k, in multiples of its steady state
    tfp_box: tuple[float, float] = (0.75, 1.33)  # the box of productivity e^z

    ranges = {
        "alpha": "(0, 1)", "beta": "(0, 1)", "delta": "(0, 1]", "psi": "(0, inf)", "theta": "[0, inf)",
        "rho": "(-1, 1)", "sigma": "[0, inf)", "capped": (False, True), "L_max": "(0, inf)",
        "k_box": "rising in (0, inf)", "tfp_box": "rising in (0, inf)",
    }  # fmt: skip
    shocks = (Normal("eps"),)

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (
            State("k", self.k_box[0] * k, self.k_box[1] * k, log=True),
            State("z", np.log(self.tfp_box[0]), np.log(self.tfp_box[1])),
        )

    @property
    def policies(self):
        share = Policy("s", 0, 1)
        if self.capped:
            return (share, Policy("L", 0, self.L_max), Multiplier("m", "L", "upper"))
        return (share, Policy("L", 0))

    def steady_state(self):
        ratio = (1 / self.beta - 1 + self.delta) / self.alpha  # y / k
        s = self.delta / ratio
        L = ((1 - self.alpha) / (self.psi * (1 - s))) ** (1 / (1 + self.theta))
        m = 0.0
        if self.capped and L > self.L_max:
            m = (L / self.L_max) ** (1 + self.theta) - 1
            L = self.L_max
        return {"k": L * ratio ** (1 / (self.alpha - 1)), "z": 0.0, "s": s, "L": L, "m": m}

    def definitions(self, now):
        y = tf.exp(now.z) * now.k**self.alpha * now.L ** (1 - self.alpha)
        c = (1 - now.s) * y
        w = (1 - self.alpha) * y / now.L
        return {"y": y, "c": c, "w": w, "R": self.alpha * y / now.k + 1 - self.delta}

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.s * now.y, "z": self.rho * now.z + self.sigma * shock.eps}

    def residuals(self, now, nxt, E):
        disutility = self.psi * now.L**self.theta * now.c / now.w
        return {
            "euler": 1 / (self.beta * E(nxt.R / nxt.c)) / now.c - 1,
            "labor": disutility * (1 + now.m) - 1 if self.capped else disutility - 1,
        }

    def closed_form(self, now):
        if self.delta == 1 and not self.capped:
            s = self.alpha * self.beta
            return {"s": s, "L": ((1 - self.alpha) / (self.psi * (1 - s))) ** (1 / (1 + self.theta))}
        return None
