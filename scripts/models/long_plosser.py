"""Real business cycles in several sectors (Long and Plosser 1983): all goods are consumed or used up within a year.

max E sum beta^t (theta_0 ln Z + sum_i theta_i ln C_i),  Z + sum_i L_i = 1,  C_j + sum_i X_ij = Y_j,
Y_i' = lambda_i' L_i^b_i prod_j X_ij^a_ij,  ln lambda_i' = sigma eps_i,  b_i + sum_j a_ij = 1.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class LongPlosser(Model):
    """States are outputs; policies are labor by sector and inputs, X[n i + j] of good j in sector i."""

    theta_0: float = 1.0  # weight of leisure
    theta: tuple[float, ...] = (0.6, 0.4)  # of goods
    b: tuple[float, ...] = (0.4, 0.5)  # labor's share
    a: tuple[tuple[float, ...], ...] = ((0.4, 0.2), (0.3, 0.2))  # inputs' shares
    beta: float = 0.95  # discount factor
    sigma: float = 0.05  # standard deviation of log productivity

    @property
    def n(self):
        return len(self.theta)

    @property
    def policies(self):
        return (Policy("L", lower=0, size=self.n), Policy("X", lower=0, size=self.n**2))

    @property
    def shocks(self):
        return (Normal("eps", size=self.n),)

    @property
    def states(self):
        Y = self.steady_state()["Y"]
        return (State("Y", 0.8 * Y, 1.25 * Y, size=self.n, log=True),)

    def steady_state(self):
        """From the marginal value gamma_i / Y_i of output, gamma = theta + beta a' gamma."""
        a, b = np.array(self.a), np.array(self.b)
        gamma = np.linalg.solve(np.eye(self.n) - self.beta * a.T, self.theta)
        L = self.beta * gamma * b / (self.theta_0 + self.beta * gamma @ b)
        shares = self.beta * gamma[:, None] * a / gamma  # of good j in sector i
        Y = np.exp(np.linalg.solve(np.eye(self.n) - a, b * np.log(L) + (a * np.log(shares)).sum(1)))
        return {"Y": Y, "L": L, "X": (shares * Y).ravel()}

    def split(self, X):
        """[n * n, ...] -> [sector, good, ...]."""
        return tf.reshape(X, tf.concat([[self.n, self.n], tf.shape(X)[1:]], 0))

    def definitions(self, now):
        a, b = np.array(self.a)[:, :, None, None], np.array(self.b)[:, None, None]
        X = self.split(now.X)
        product = tf.exp(b * tf.math.log(now.L) + tf.reduce_sum(a * tf.math.log(X), 1))
        C = now.Y - tf.reduce_sum(X, 0)
        return {"C": C, "Z": 1 - tf.reduce_sum(now.L, 0), "product": product, "price": self.column(self.theta) / C}

    def column(self, weights):
        return np.array(weights)[:, None, None]

    def transition(self, now, shock):
        return {"Y": tf.exp(self.sigma * shock.eps) * now.product}

    def residuals(self, now, nxt, E):
        worth = self.beta * E(nxt.price * nxt.Y)  # of tomorrow's output, [n, 1, batch]
        X, n = self.split(now.X), self.n
        used = worth[:, None] * np.array(self.a)[:, :, None, None] / (now.price[None] * X) - 1
        return {
            "labor": worth * self.column(self.b) * now.Z[None] / (self.theta_0 * now.L) - 1,
            "inputs": tf.reshape(used, tf.concat([[n * n], tf.shape(used)[2:]], 0)),
        }
