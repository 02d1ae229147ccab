r"""Deterministic growth: the planner chooses tomorrow's capital; log utility with full depreciation has a closed form.

$$\max \sum_t \beta^t u(c_t), \qquad k' + c = k^\alpha + (1 - \delta) k, \qquad u'(c) = c^{-\gamma}.$$

Reference: Brock and Mirman (1972); with $\gamma = \delta = 1$ the exact policy is $k' = \alpha \beta k^\alpha$.
"""

from dataclasses import dataclass

import tensorflow as tf

from deqn import Model, Policy, State


@dataclass(frozen=True)
class Growth(Model):
    """One state (capital), one policy (tomorrow's capital or investment as a share of output), no shock."""

    alpha: float = 0.36  # capital share
    beta: float = 0.99  # discount factor
    gamma: float = 1.0  # relative risk aversion
    delta: float = 1.0  # depreciation
    head: str = "level"  # level: the network returns k' itself; share: it returns gross investment / output
    k_box: tuple[float, float] = (0.5, 1.5)  # the box of k, in multiples of its steady state

    ranges = {
        "alpha": "(0, 1)", "beta": "(0, 1)", "gamma": "(0, inf)", "delta": "(0, 1]", "head": ("level", "share"),
        "k_box": "rising in (0, inf)",
    }  # fmt: skip
    shocks = ()

    @property
    def policies(self):
        return (Policy("s", 0, 1) if self.head == "share" else Policy("k_next"),)

    @property
    def states(self):
        k = self.steady_state()["k"]
        return (State("k", self.k_box[0] * k, self.k_box[1] * k, log=self.head == "share"),)

    def steady_state(self):
        k = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        return {"k": k, "s": self.delta * k ** (1 - self.alpha), "k_next": k}

    def definitions(self, now):
        y = now.k**self.alpha
        c = (1 - now.s) * y if self.head == "share" else y + (1 - self.delta) * now.k - now.k_next
        return {"y": y, "c": c, "R": self.alpha * y / now.k + 1 - self.delta}

    def transition(self, now, shock):
        return {"k": (1 - self.delta) * now.k + now.s * now.y if self.head == "share" else now.k_next}

    def residuals(self, now, nxt, E):
        wanted = (self.beta * E(nxt.R * self.marginal_utility(nxt))) ** (-1 / self.gamma)
        euler = wanted / self.marginal_utility(now) ** (-1 / self.gamma) - 1
        shortfall = tf.maximum(1 - now.c / (FLOOR * now.y), 0)
        return {"euler": tf.where(shortfall > 0, tf.abs(euler) + shortfall, euler)}

    def marginal_utility(self, now):
        """c^-gamma, continued by its tangent where less than FLOOR of output is consumed.

        k' may exceed what there is while a network learns, and a power of negative consumption is no number. The
        residual grows by the shortfall, in floors, so that such a policy cannot pass.
        """
        floor = FLOOR * now.y
        tangent = 1 + self.gamma * (1 - now.c / floor)
        return tf.where(now.c > floor, tf.maximum(now.c, floor) ** -self.gamma, tangent * floor**-self.gamma)

    def closed_form(self, now):
        if self.gamma == 1 and self.delta == 1:
            share = self.alpha * self.beta
            return {"s": share} if self.head == "share" else {"k_next": share * now.y}
        return None


FLOOR = 0.02  # of output; at rest 1 - alpha of it and more is consumed
