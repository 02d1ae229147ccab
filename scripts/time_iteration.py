"""An independent solution of stochastic growth, in numpy: time iteration by endogenous grid points on cubic splines.

It shares no code with the engine. Consumption is stored on a grid of log capital and productivity; tomorrow's capital
is the endogenous grid, so that no equation is solved inside the iteration (Carroll 2006).
"""

import numpy as np
from scipy.interpolate import CubicSpline, RectBivariateSpline


def stochastic_growth(alpha, beta, gamma, delta, rho, sigma, points=(161, 41), nodes=11, tolerance=1e-9):
    """Consumption as a function of arrays k and z of equal shape."""
    steady = ((1 / beta - 1 + delta) / alpha) ** (1 / (alpha - 1))
    spread = max(8 * sigma / np.sqrt(1 - rho**2), 1e-2)
    k = steady * np.exp(np.linspace(np.log(0.12), np.log(6), points[0]))
    z = np.linspace(-spread, spread, points[1])
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    later_z = np.clip(rho * z[:, None] + sigma * x, z[0], z[-1])  # [z, nodes]
    later_k = np.broadcast_to(k[:, None, None], (len(k), *later_z.shape))
    later_z = np.broadcast_to(later_z, later_k.shape)
    R = alpha * np.exp(later_z) * later_k ** (alpha - 1) + 1 - delta
    cash = np.exp(z) * k[:, None] ** alpha + (1 - delta) * k[:, None]  # [k, z]
    log_c = np.log(0.5 * np.exp(z) * k[:, None] ** alpha + 0.5 * (1 / beta - 1) * k[:, None])
    for _ in range(5000):
        policy = RectBivariateSpline(np.log(k), z, log_c)
        later_c = np.exp(policy.ev(np.log(later_k), later_z))
        c = (beta * (R * later_c**-gamma) @ w) ** (-1 / gamma)  # today's, on the grid of tomorrow's capital
        found = np.stack([
            CubicSpline(np.log(c[:, j] + k), np.log(c[:, j]))(np.log(cash[:, j])) for j in range(len(z))
        ], 1)  # fmt: skip
        change, log_c = np.abs(found - log_c).max(), found
        if change < tolerance:
            policy = RectBivariateSpline(np.log(k), z, log_c)
            return lambda k, z: np.exp(policy.ev(np.log(k), z))
    raise RuntimeError(f"time iteration did not converge: {change}")


def euler_errors(c, k, z, alpha, beta, gamma, delta, rho, sigma, nodes=14):
    """Absolute unit-free Euler residuals of a consumption function at arrays k and z of equal shape."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    now = c(k, z)
    later_k = (np.exp(z) * k**alpha + (1 - delta) * k - now)[:, None] + 0 * x
    later_z = rho * z[:, None] + sigma * x
    R = alpha * np.exp(later_z) * later_k ** (alpha - 1) + 1 - delta
    return np.abs((beta * (R * c(later_k, later_z) ** -gamma) @ w) ** (-1 / gamma) / now - 1)
