r"""Overlapping generations with a closed form (Krueger and Kubler 2004).

$A$ cohorts have log utility, of whom only the first works; productivity $\eta$ and depreciation $\delta$ are i.i.d.
over four equally likely states. Prices are

$$K = \sum_h k^h, \qquad R = \alpha \eta K^{\alpha-1} + 1 - \delta, \qquad w = (1-\alpha) \eta K^\alpha.$$

Cohort $h$ earns $w$ or $R k^h$ and saves $a^h$, which is its capital $k^{h+1}$ tomorrow. Each saves a constant share of
its income,

$$\beta \frac{1 - \beta^{A-h}}{1 - \beta^{A-h+1}}.$$

The solution holds shock by shock, so it proves the plumbing over many states and equations, not the expectation.
"""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
import tensorflow as tf

from deqn import Discrete, Model, Policy, State


@dataclass(frozen=True)
class OlgAnalytic(Model):
    """States k^2..k^A, eta, delta; policies are savings of cohorts 1..A-1, as shares of income or in levels."""

    cohorts: int = 6  # A
    alpha: float = 0.3  # capital share
    beta: float = 0.7  # discount factor
    eta: tuple[float, float] = (0.95, 1.05)  # productivity, low and high
    delta: tuple[float, float] = (0.5, 0.9)  # depreciation, low and high
    head: str = "share"  # share: the network returns a^h / income^h; level: it returns a^h itself
    k_box: tuple[float, float] = (0.55, 1.6)  # the box of k^h: its steady state times k_box^sqrt(h - 3/2)

    ranges = {
        "cohorts": "[2, 1000]", "alpha": "(0, 1)", "beta": "(0, 1)", "eta": "(0, inf)", "delta": "[0, 1]",
        "head": ("share", "level"), "k_box": "rising in (0, inf)",
    }  # fmt: skip

    @property
    def states(self):
        k = self.steady_state()["k"]
        spread = np.sqrt(np.arange(1, self.cohorts) - 1 / 2)  # returns accumulate with age
        return (
            State("k", k * self.k_box[0] ** spread, k * self.k_box[1] ** spread, size=self.cohorts - 1, log=True),
            State("eta", min(self.eta), max(self.eta)),
            State("delta", min(self.delta), max(self.delta)),
        )

    @property
    def policies(self):
        savers = self.cohorts - 1
        return (Policy("s", 0, 1, size=savers) if self.head == "share" else Policy("a", 0, size=savers),)

    @property
    def shocks(self):
        return (Discrete({"eta": np.repeat(self.eta, 2), "delta": np.tile(self.delta, 2)}, [1 / 4] * 4),)

    @property
    def shares(self):
        """The exact saving shares of cohorts 1..A-1."""
        left = self.cohorts - np.arange(1, self.cohorts)  # periods still to live
        return self.beta * (1 - self.beta**left) / (1 - self.beta ** (left + 1))

    def steady_state(self):
        eta, delta = np.mean(self.eta), np.mean(self.delta)

        def factor_prices(K):
            return self.alpha * eta * K ** (self.alpha - 1) + 1 - delta, (1 - self.alpha) * eta * K**self.alpha

        def capital(K):
            """k^2..k^A of the cohorts that live under aggregate capital K."""
            R, w = factor_prices(K)
            return w * np.cumprod(self.shares) * R ** np.arange(self.cohorts - 1)

        K = scipy.optimize.brentq(lambda K: capital(K).sum() - K, 1e-3, 1e3, xtol=1e-14, rtol=1e-14)
        k = capital(K)
        return {"k": k, "eta": eta, "delta": delta, "s": self.shares, "a": k}

    def definitions(self, now):
        K = tf.reduce_sum(now.k, 0)
        R = self.alpha * now.eta * K ** (self.alpha - 1) + 1 - now.delta
        w = (1 - self.alpha) * now.eta * K**self.alpha
        income = tf.concat([w[None], R * now.k], 0)  # [A, nodes, batch]
        savings = now.s * income[:-1] if self.head == "share" else now.a
        c = tf.concat([income[:-1] - savings, income[-1:]], 0)
        return {"K": K, "R": R, "w": w, "income": income, "savings": savings, "c": c}

    def transition(self, now, shock):
        return {"k": now.savings, "eta": shock.eta, "delta": shock.delta}

    def residuals(self, now, nxt, E):
        mean = self.beta * E(nxt.R * marginal_utility(nxt)[1:])
        euler = marginal_utility(now)[:-1] / mean - 1
        shortfall = tf.maximum(FLOOR - now.c / now.income, 0)[:-1] / FLOOR
        return {"euler": tf.where(shortfall > 0, tf.abs(euler) + shortfall, euler)}

    def closed_form(self, now):
        shares = self.shares[:, None, None]
        return {"s": shares} if self.head == "share" else {"a": shares * now.income[:-1]}


FLOOR = 0.02  # of income; the exact policy consumes a third and more


def marginal_utility(now):
    """1 / c, continued by its tangent where a cohort consumes less than FLOOR of its income.

    Savings in levels may exceed income while a network learns. 1 / c would reward that; the tangent makes it costly,
    and the residual grows by the shortfall, in floors, so that such a policy cannot pass.
    """
    floor = FLOOR * now.income
    return tf.where(now.c > floor, 1 / tf.maximum(now.c, floor), (2 - now.c / floor) / floor)
