"""The New Keynesian model (Gali 2015, chapter 3), linear, with an interest rate rule.

pi = beta E pi' + kappa gap,  gap = E gap' - (i - E pi' - r_n) / sigma,  i = phi_pi pi + phi_y (gap + psi_ya a) + v,
r_n = -sigma psi_ya (1 - rho_a) a,  a' = rho_a a + sigma_a eps_a,  v' = rho_v v + sigma_v eps_v,
as deviations from rest, of quarters.
"""

from dataclasses import dataclass

from deqn import Model, Normal, Policy, State


@dataclass(frozen=True)
class Gali(Model):
    """Two states (technology, monetary shock), two policies (output gap, inflation)."""

    beta: float = 0.99  # discount factor
    sigma: float = 1.0  # inverse elasticity of intertemporal substitution
    varphi: float = 5.0  # inverse Frisch elasticity
    alpha: float = 0.25  # one minus the labor share
    epsilon: float = 9.0  # elasticity of substitution between goods
    theta: float = 0.75  # share of prices that stay
    phi_pi: float = 1.5  # rule: inflation
    phi_y: float = 0.125  # rule: output
    rho_a: float = 0.9  # persistence of technology
    rho_v: float = 0.5  # persistence of the monetary shock
    sigma_a: float = 0.01  # standard deviation of the innovation to technology
    sigma_v: float = 0.0025  # of that to the monetary shock

    policies = (Policy("gap"), Policy("pi"))
    shocks = (Normal("eps_a"), Normal("eps_v"))

    @property
    def kappa(self):
        """Slope of the Phillips curve."""
        Theta = (1 - self.alpha) / (1 - self.alpha + self.alpha * self.epsilon)
        lam = (1 - self.theta) * (1 - self.beta * self.theta) / self.theta * Theta
        return lam * (self.sigma + (self.varphi + self.alpha) / (1 - self.alpha))

    @property
    def psi_ya(self):
        """Response of natural output to technology."""
        return (1 + self.varphi) / (self.sigma * (1 - self.alpha) + self.varphi + self.alpha)

    @property
    def states(self):
        return (State("a", -0.08, 0.08), State("v", -0.01, 0.01))

    def steady_state(self):
        return {"a": 0.0, "v": 0.0, "gap": 0.0, "pi": 0.0}

    def definitions(self, now):
        y = now.gap + self.psi_ya * now.a
        r_n = -self.sigma * self.psi_ya * (1 - self.rho_a) * now.a
        return {"y": y, "r_n": r_n, "i": self.phi_pi * now.pi + self.phi_y * y + now.v}

    def transition(self, now, shock):
        return {"a": self.rho_a * now.a + self.sigma_a * shock.eps_a,
                "v": self.rho_v * now.v + self.sigma_v * shock.eps_v}  # fmt: skip

    def residuals(self, now, nxt, E):
        return {
            "phillips": self.beta * E(nxt.pi) + self.kappa * now.gap - now.pi,
            "is": E(nxt.gap) - (now.i - E(nxt.pi) - now.r_n) / self.sigma - now.gap,
        }
