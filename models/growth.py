"""Deterministic growth: the planner saves a share of output, and log utility with full depreciation has a closed form.

max sum_t beta^t u(c_t),  k' + c = k^alpha + (1 - delta) k,  u'(c) = c^-gamma.
Reference: Brock and Mirman (1972); with gamma = delta = 1 the exact policy is k' = alpha beta k^alpha.
"""

from dataclasses import dataclass

from deqn import Model, Policy, State


@dataclass(frozen=True)
class Growth(Model):
    """One state (capital), one policy (gross investment as a share of output), no shock."""

    alpha: float = 0.36  # capital share
    beta: float = 0.99  # discount factor
    gamma: float = 1.0  # relative risk aversion
    delta: float = 1.0  # depreciation
    k_box: tuple[float, float] = (0.5, 1.5)  # the box of k, in multiples of its steady state

    ranges = {
        "alpha": "(0, 1)", "beta": "(0, 1)", "gamma": "(0, inf)", "delta": "(0, 1]", "k_box": "rising in (0, inf)",
    }  # fmt: skip
    policies = (Policy("s", lower=0, upper=1),)
    shocks = ()

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("k", self.k_box[0] * k, self.k_box[1] * k, log=True),)

    def steady_state(self):
        k = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        return {"k": k, "s": self.delta * k ** (1 - self.alpha)}

    def definitions(self, now):
        y = now.k**self.alpha
        return {"y": y, "c": (1 - now.s) * y, "R": self.alpha * y / now.k + 1 - self.delta}

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.s * now.y}

    def residuals(self, now, nxt, E):
        return {"euler": (self.beta * E(nxt.R * nxt.c**-self.gamma)) ** (-1 / self.gamma) / now.c - 1}

    def closed_form(self, now):
        if self.gamma == 1 and self.delta == 1:
            return {"s": self.alpha * self.beta}
        return None
