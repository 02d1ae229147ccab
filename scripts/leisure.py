"""An independent solution of growth with leisure (scripts/models/aruoba.py) by Chebyshev collocation, in numpy.

Hours are exp of a tensor product of Chebyshev polynomials in ln k and z. Its coefficients solve the Euler equation at
the roots, the expectation is that of Gauss-Hermite nodes. It shares no code with
the engine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev, hermite_e
from scipy.optimize import root


@dataclass(frozen=True)
class Leisure:
    """Parameters as in the model's file."""

    alpha: float
    beta: float
    theta: float
    tau: float
    delta: float
    rho: float
    sigma: float

    def rest(self):
        """Capital and hours."""
        ratio = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        product = ratio**self.alpha
        worked = self.theta / (1 - self.theta) * (1 - self.alpha) * product
        l = worked / (worked + product - self.delta * ratio)
        return ratio * l, l

    def outcome(self, k, z, l):
        """Consumption, tomorrow's capital, marginal utility, gross return."""
        y = np.exp(z) * k**self.alpha * l ** (1 - self.alpha)
        c = self.theta / (1 - self.theta) * (1 - self.alpha) * y / l * (1 - l)
        value = (c**self.theta * (1 - l) ** (1 - self.theta)) ** (1 - self.tau) / c
        return c, y - c + (1 - self.delta) * k, value, self.alpha * y / k + 1 - self.delta

    def solve(self, degrees=(8, 6), width=0.6, deviations=5.0, nodes=9):
        """Hours as a function of capital and log productivity, arrays of one shape, within `width` of ln k at rest."""
        k_rest, l_rest = self.rest()
        top = deviations * self.sigma / np.sqrt(1 - self.rho**2)
        at = [chebyshev.chebpts1(degree + 1) for degree in degrees]
        x, s = (grid.ravel() for grid in np.meshgrid(*at, indexing="ij"))
        k, z = k_rest * np.exp(width * x), top * s
        eps, weights = hermite_e.hermegauss(nodes)
        shape = tuple(degree + 1 for degree in degrees)

        def hours(flat, k, z):
            return np.exp(chebyshev.chebval2d(np.log(k / k_rest) / width, z / top, flat.reshape(shape)))

        def errors(flat):
            _, k_next, value, _ = self.outcome(k, z, hours(flat, k, z))
            k_next, z_next = k_next[:, None] + 0 * eps, self.rho * z[:, None] + self.sigma * eps
            _, _, later, R = self.outcome(k_next, z_next, hours(flat, k_next, z_next))
            return (self.beta * (later * R) @ weights / weights.sum() / value) ** (-1 / self.tau) - 1

        start = np.zeros(shape)
        start[:2, 0] = np.log(l_rest), -0.1
        found = root(errors, start.ravel(), tol=1e-12)
        if np.abs(errors(found.x)).max() > 1e-9:
            raise RuntimeError(f"collocation did not converge: {found.message}")
        return lambda k, z: hours(found.x, np.asarray(k, float), np.asarray(z, float))
