"""Expectations over a first-order autoregression, and splines, as matrices.

Where x' = rho x + sigma eps, E[f(x') | x = grid] = weights @ f(points): the points are shared by all of the grid, so
that an expectation of a function on a tensor grid is one matrix product for each shock.
"""

import numpy as np
from scipy.interpolate import CubicSpline


def grid(rho, sigma, points, deviations=5.0):
    """Equal steps within so many standard deviations of the stationary distribution, and at least [-0.01, 0.01]."""
    width = max(deviations * sigma / np.sqrt(1 - rho**2), 1e-2)
    return np.linspace(-width, width, points)


def quadrature(nodes=None, step=0.2, width=6.0):
    """Nodes and weights for a standard normal: the trapezoidal rule, or Gauss-Hermite where a number of nodes is given.

    Functions with kinks need the former: its error is that of small steps, not that of a polynomial.
    """
    if nodes is not None:
        x, w = np.polynomial.hermite_e.hermegauss(nodes)
    else:
        x = np.arange(-width, width + step / 2, step)
        w = np.exp(-(x**2) / 2)
    return x, w / w.sum()


def expectation(x, rho, sigma, nodes=None, step=0.25, width=6.0):
    """Points of tomorrow [points] and their weights [x, points], by the rules of `quadrature`."""
    if nodes is not None or sigma == 0:
        eps, w = quadrature(nodes if sigma else 1)
        points = (rho * x[:, None] + sigma * eps).reshape(-1)
        return points, np.kron(np.eye(len(x)), w)
    reach = np.abs(rho * x).max() + width * sigma
    points = np.linspace(-reach, reach, 1 + int(np.ceil(2 * reach / (step * sigma))))
    weights = np.exp(-(((points - rho * x[:, None]) / sigma) ** 2) / 2)
    return points, weights / weights.sum(1, keepdims=True)


def spline(x, y, at):
    """A cubic spline through y [x, ...], evaluated at [at, ...] and continued linearly beyond its ends."""
    curve = CubicSpline(x, y)
    inside = np.clip(at, x[0], x[-1])
    beyond = (at - inside).reshape(-1, *[1] * (y.ndim - 1))
    return curve(inside) + curve(inside, 1) * beyond if beyond.any() else curve(inside)


def spline_matrix(x, at):
    """[at, x]: the matrix that takes values on x to those of their spline."""
    return spline(x, np.eye(len(x)), at)
