r"""International real business cycles: N countries, complete markets, capital adjustment costs.

Each country $j$ has

$$y_j = A e^{z_j} k_j^\zeta, \qquad g_j = k_j' / k_j - 1, \qquad
z_j' = \rho z_j + \sigma (\varepsilon_j' + \varepsilon_0'),$$

and adjustment costs $\frac{\kappa}{2} k_j g_j^2$. With the planner's multiplier $\lambda$, consumption is
$c_j = (\lambda / \tau_j)^{-\eta_j}$, $\eta_j$ the elasticity `ies`, and for each country

$$\lambda (1 + \kappa g_j) = \beta E\left[\lambda' \left(A e^{z_j'} \zeta {k_j'}^{\zeta-1} + 1 - \delta
+ \frac{\kappa}{2} g_j' (g_j' + 2)\right)\right],$$

plus $\mu_j$, and $-(1-\delta) \mu_j'$ in the expectation, where investment cannot be negative. $A$ scales output so
that $k = \lambda = 1$ at rest. No closed form: countries that start apart must return to one steady state, and small
errors in the resource constraint alone would not show a wrong one. Reference: Kollmann, Maliar, Malin and Pichler
(2011), Brumm and Scheidegger (2017).
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class Irbc(Model):
    """States are capital and log productivity of each country; policies are its investment rate, and lambda."""

    N: int = 2  # countries
    zeta: float = 0.36  # capital share
    delta: float = 0.01  # depreciation
    beta: float = 0.99  # discount factor
    kappa: float = 0.5  # adjustment costs
    rho: float = 0.95  # persistence of log productivity
    sigma: float = 0.01  # standard deviation of its innovations, a country's own and the common one
    irreversible: bool = False  # whether investment cannot be negative
    k_box: tuple[float, float] = (0.8, 1.2)  # the box of each country's k; its steady state is 1
    z_box: float = 2.0  # half width of the box of z, in its standard deviations

    ranges = {
        "N": "[1, 10000]", "zeta": "(0, 1)", "delta": "(0, 1]", "beta": "(0, 1)", "kappa": "[0, inf)",
        "rho": "(-1, 1)", "sigma": "(0, inf)", "irreversible": (False, True),
        "k_box": "rising in (0, inf)", "z_box": "(0, inf)",
    }  # fmt: skip

    @property
    def states(self):
        z = self.z_box * self.sigma * np.sqrt(2 / (1 - self.rho**2))
        return (State("k", *self.k_box, size=self.N, log=True), State("z", -z, z, size=self.N))

    @property
    def policies(self):
        if self.irreversible:
            rate = (Policy("i", 0, size=self.N), Multiplier("m", "i", size=self.N))
        else:
            rate = (Policy("i", size=self.N),)
        return (*rate, Policy("lam", 0))  # m: the multiplier in units of lambda

    @property
    def shocks(self):
        return (Normal("eps", size=self.N + 1),)

    @property
    def A(self):
        """The scale of output at which k = 1 at rest."""
        return (1 / self.beta - 1 + self.delta) / self.zeta

    def steady_state(self):
        return {"k": 1.0, "z": 0.0, "i": self.delta, "m": 0.0, "lam": 1.0}

    def definitions(self, now):
        ies = np.linspace(0.25, 1, self.N)[:, None, None]  # intertemporal elasticities of substitution
        tau = (self.A - self.delta) ** (1 / ies)
        y = self.A * tf.exp(now.z) * now.k**self.zeta
        g = now.i - self.delta
        R = self.zeta * y / now.k + 1 - self.delta + self.kappa / 2 * g * (g + 2)
        return {"y": y, "c": (now.lam / tau) ** -ies, "g": g, "cost": self.kappa / 2 * now.k * g**2, "R": R}

    def transition(self, now, shock):
        eps = shock.eps[:-1] + shock.eps[-1]
        return {"k": now.k * (1 + now.g), "z": self.rho * now.z + self.sigma * eps}

    def residuals(self, now, nxt, E):
        today, later = now.lam * (1 + self.kappa * now.g), nxt.R
        if self.irreversible:
            today, later = today - now.lam * now.m, later - (1 - self.delta) * nxt.m
        spent = now.c + now.i * now.k + now.cost
        return {
            "euler": self.beta * E(nxt.lam * later) / today - 1,
            "resources": tf.reduce_sum(now.y - spent, 0) / tf.reduce_sum(now.y, 0),
        }
