"""Small economies for tests of training, each with one difficulty and a solution that is known by hand."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Markov, Model, Multiplier, Normal, Policy, State, fischer_burmeister


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


@dataclass(frozen=True)
class SmallOpen(Model):
    """A small open economy with a debt-elastic rate (Schmitt-Grohe and Uribe 2003): debt is nearly a random walk.

    x is consumption less the disutility of hours. The first-order solution makes it negative far from the rest point.
    """

    alpha: float = 0.32
    delta: float = 0.1
    r: float = 0.04
    omega: float = 1.455
    phi: float = 0.028
    psi: float = 0.000742
    d_rest: float = 0.7442
    rho: float = 0.42

    states = (State("d", -1.2558, 2.7442), State("k", 2.4, 4.4), State("a", -0.0426, 0.0426))
    policies = (Policy("x", lower=0), Policy("k1", lower=0))
    shocks = (Normal("e"),)

    def definitions(self, now):
        h = ((1 - self.alpha) * tf.exp(now.a) * now.k**self.alpha) ** (1 / (self.omega - 1 + self.alpha))
        y = tf.exp(now.a) * now.k**self.alpha * h ** (1 - self.alpha)
        invested = now.k1 - (1 - self.delta) * now.k + self.phi / 2 * (now.k1 - now.k) ** 2
        rate = self.r + self.psi * (tf.exp(now.d - self.d_rest) - 1)
        later_debt = (1 + rate) * now.d - y + now.x + h**self.omega / self.omega + invested
        return {"lam": now.x**-2, "rate": rate, "d1": later_debt, "mpk": self.alpha * y / now.k}

    def transition(self, now, shock):
        return {"d": now.d1, "k": now.k1, "a": self.rho * now.a + 0.0129 * shock.e}

    def residuals(self, now, nxt, E):
        beta = 1 / (1 + self.r)
        gain = nxt.mpk + 1 - self.delta + self.phi * (nxt.k1 - nxt.k)
        return {
            "bonds": beta * E((1 + nxt.rate) * nxt.lam) / now.lam - 1,
            "capital": beta * E(nxt.lam * gain) / now.lam / (1 + self.phi * (now.k1 - now.k)) - 1,
        }


@dataclass(frozen=True)
class Search(Model):
    """Search and matching with vacancies v >= 0 (Petrosky-Nadeau, Zhang and Kuehn 2018), monthly.

    The limit on vacancies has a declared multiplier, or `by_hand` one that the Fischer-Burmeister function holds.
    """

    by_hand: bool = False
    beta: float = 0.9954
    eta: float = 0.052
    b: float = 0.74
    s: float = 0.045
    iota: float = 1.25
    kappa: float = 0.5

    states = (State("n", 0.6, 0.98), State("a", -0.08, 0.08))
    shocks = (Normal("e"),)

    @property
    def policies(self):
        if self.by_hand:
            return (Policy("v", lower=-0.05), Policy("mu", lower=-0.5))
        return (Policy("v", lower=0), Multiplier("mu", of="v"))

    def definitions(self, now):
        theta = tf.maximum(now.v, 1e-8) / (1 - now.n)
        wage = self.eta * (tf.exp(now.a) + self.kappa * theta) + (1 - self.eta) * self.b
        c = tf.exp(now.a) * now.n - self.kappa * now.v
        return {"q": (1 + theta**self.iota) ** (-1 / self.iota), "wage": wage, "c": c}

    def transition(self, now, shock):
        hired = now.q * tf.maximum(now.v, 0.0)
        return {"n": (1 - self.s) * now.n + hired, "a": 0.95 * now.a + 0.0077 * shock.e}

    def residuals(self, now, nxt, E):
        worth = tf.exp(nxt.a) - nxt.wage + (1 - self.s) * (self.kappa / nxt.q - nxt.mu)
        errors = {"vacancies": (self.kappa / now.q - now.mu - self.beta * E(now.c / nxt.c * worth)) / self.kappa}
        return errors | ({"slack": fischer_burmeister(now.v, now.mu)} if self.by_hand else {})


@dataclass(frozen=True)
class Household(Model):
    """A household with two incomes that cannot borrow: without risk it rests at the limit, and to first order it knows
    nothing of the other side. The multiplier is in units of marginal utility."""

    beta: float = 0.95
    r: float = 0.02
    low: float = 0.8
    high: float = 1.2
    stay: float = 0.9
    guessed: bool = False

    policies = (Policy("s", 0, 1), Multiplier("m", of="s"))

    @property
    def states(self):
        return (State("a", 0, 3), State("y", self.low, self.high))

    @property
    def shocks(self):
        return (Markov({"y1": [self.low, self.high]}, self.chances),)

    def chances(self, now):
        high = 1 - self.stay + (2 * self.stay - 1) * (now.y - self.low) / (self.high - self.low)
        return tf.concat([1 - high, high], 0)

    def definitions(self, now):
        cash = (1 + self.r) * now.a + now.y
        return {"cash": cash, "c": (1 - now.s) * cash}

    def transition(self, now, shock):
        return {"a": now.s * now.cash, "y": shock.y1}

    def residuals(self, now, nxt, E):
        return {"euler": 1 - 1 / (now.c * self.beta * (1 + self.r) * E(1 / nxt.c)) + now.m}

    def guess(self, now):
        return {"s": 0.5 * now.a / (1 + now.a)} if self.guessed else None
