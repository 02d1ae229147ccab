"""Search and matching (Petrosky-Nadeau and Zhang 2017, economy of Hagedorn and Manovskii 2008), in weeks.

kappa / q - lam = beta E[x' - W' + (1 - s) (kappa' / q' - lam')],  W = eta (x + kappa theta) + (1 - eta) b,
kappa = kappa_K x + kappa_W x^xi,  q = (1 + theta^iota)^(-1/iota),  V = theta U >= 0 with multiplier lam,
U' = U + s (1 - U) - q V,  ln x' = rho ln x + sigma eps. The policy is wait = 1 / q - 1, the weeks that a vacancy waits
beyond the first: V = 0 where it is zero, and wait - lam is almost linear in productivity.
"""

from dataclasses import dataclass

import tensorflow as tf

from deqn import Model, Multiplier, Normal, Policy, State


@dataclass(frozen=True)
class SearchFrictions(Model):
    """Two states (unemployment, productivity), one policy (wait, which tells tightness theta)."""

    beta: float = 0.99 ** (1 / 12)  # discount factor
    s: float = 0.0081  # separation rate
    b: float = 0.955  # value of unemployment
    eta: float = 0.052  # workers' bargaining weight
    iota: float = 0.407  # elasticity of the matching function
    kappa_K: float = 0.474  # cost of a vacancy: capital
    kappa_W: float = 0.11  # labor
    xi: float = 0.449  # its elasticity
    rho: float = 0.9895  # persistence of log productivity
    sigma: float = 0.0034  # standard deviation of its innovation

    policies = (Policy("wait", lower=0), Multiplier("lam", of="wait"))  # lam in units of kappa
    shocks = (Normal("eps"),)

    @property
    def states(self):
        return (State("U", 0.02, 0.3, log=True), State("x", 0.91, 1.1, log=True))

    def definitions(self, now):
        kappa = self.kappa_K * now.x + self.kappa_W * now.x**self.xi
        theta = ((1 + now.wait) ** self.iota - 1) ** (1 / self.iota)
        W = self.eta * (now.x + kappa * theta) + (1 - self.eta) * self.b
        return {"kappa": kappa, "theta": theta, "W": W, "V": theta * now.U, "J": kappa * (1 + now.wait - now.lam)}

    def transition(self, now, shock):
        return {
            "U": now.U + self.s * (1 - now.U) - now.V / (1 + now.wait),
            "x": now.x**self.rho * tf.exp(self.sigma * shock.eps),
        }

    def residuals(self, now, nxt, E):
        return {"job creation": self.beta * E(nxt.x - nxt.W + (1 - self.s) * nxt.J) / now.J - 1}
