"""An independent solution of irreversible investment with discount shocks, in numpy and without a root finder.

    y = a k^alpha,  k' = I + (1-delta) k,  c = y - I,  I >= 0 with multiplier mu >= 0,  I mu = 0
    ln a' = rho_a ln a + sigma_a eps1,  ln d' = rho_d ln d + sigma_d eps2
    c^-tau - mu = W(k', a, d) = beta E[d' (c'^-tau (alpha a' k'^(alpha-1) + 1 - delta) - (1-delta) mu')]

It shares no code with the engine. Two smooth functions are iterated, because policies have a kink that no spline should
see: W, and the consumption of an investor who were free today, on tomorrow's capital as endogenous grid (Carroll 2006):
W(k', a, d)^(-1/tau) + k' = cash. The constraint binds where the free would consume more than output, hence
c = min(free, y), and the shadow price of capital is c^-tau - mu = min(free^-tau, W((1-delta) k, a, d)).
The expectation is the trapezoidal rule in both shocks, or Gauss-Hermite where a number of nodes is given.
"""

from dataclasses import dataclass
from itertools import count, islice
from time import perf_counter

import numpy as np
from scipy.interpolate import NdBSpline, make_interp_spline

import autoregression as ar


@dataclass(frozen=True)
class Economy:
    """Parameters; the shocks of the default are large enough for the constraint to bind."""

    alpha: float = 0.3
    beta: float = 0.85
    delta: float = 0.1
    tau: float = 1.0
    rho_a: float = 0.9
    sigma_a: float = 0.08
    rho_d: float = 0.8
    sigma_d: float = 0.06

    @property
    def steady(self):
        """Steady state of capital; investment is delta times it, and the constraint does not bind."""
        return ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))

    def output(self, k, ln_a):
        return np.exp(ln_a) * k**self.alpha


@dataclass(frozen=True)
class Solution:
    """Policies at arrays of equal shape: capital k, log productivity ln_a, log discount shock ln_d."""

    economy: Economy
    ln_free: NdBSpline  # of ln k, ln a, ln d
    ln_W: NdBSpline  # of ln k', ln a, ln d
    iterations: int

    def free(self, k, ln_a, ln_d):
        """Consumption of an investor who were free today; the constraint binds where it exceeds output."""
        return np.exp(self.ln_free(np.stack([np.log(k), ln_a, ln_d], -1)))

    def W(self, k, ln_a, ln_d):
        """Discounted expected value of a unit of tomorrow's capital k."""
        return np.exp(self.ln_W(np.stack([np.log(k), ln_a, ln_d], -1)))

    def binds(self, k, ln_a, ln_d):
        return self.free(k, ln_a, ln_d) > self.economy.output(k, ln_a)

    def consumption(self, k, ln_a, ln_d):
        return np.minimum(self.free(k, ln_a, ln_d), self.economy.output(k, ln_a))

    def investment(self, k, ln_a, ln_d):
        return self.economy.output(k, ln_a) - self.consumption(k, ln_a, ln_d)

    def multiplier(self, k, ln_a, ln_d):
        """mu, in units of marginal utility (delta < 1)."""
        e = self.economy
        return np.maximum(e.output(k, ln_a) ** -e.tau - self.W((1 - e.delta) * k, ln_a, ln_d), 0)


def solve(economy=Economy(), tolerance=1e-9, **settings):  # noqa: B008
    """The limit of `iterate` (settings: see there), once no logarithm of consumption changes by more than that."""
    before = None
    for found in islice(iterate(economy, **settings), 2000):
        change = np.inf if before is None else np.abs(found.ln_free.c - before.ln_free.c).max()
        if change < tolerance:
            return found
        before = found
    raise RuntimeError(f"time iteration did not converge: {change}")


def iterate(economy=Economy(), points=(121, 51, 39), width=(0.15, 6.0), nodes=None, step=0.25, saving=0.1):  # noqa: B008
    """Yields the solution with one date more to come, without end; at the last date a share `saving` is invested.

    On points of ln k, ln a, ln d; width of the grid of capital in units of its steady state.
    """
    e = economy
    k = e.steady * np.exp(np.linspace(*np.log(width), points[0]))
    ln_k, ln_a, ln_d = np.log(k), ar.grid(e.rho_a, e.sigma_a, points[1]), ar.grid(e.rho_d, e.sigma_d, points[2])
    next_a, Ea = ar.expectation(ln_a, e.rho_a, e.sigma_a, nodes, step)
    next_d, Ed = ar.expectation(ln_d, e.rho_d, e.sigma_d, nodes, step)
    Sa, Sd = ar.spline_matrix(ln_a, next_a), ar.spline_matrix(ln_d, next_d)
    left = 1 - e.delta or 1.0  # of capital, at I = 0; with delta = 1 its price does not matter
    depreciated = ar.spline_matrix(ln_k, ln_k + np.log(left))
    next_y = e.output(k[:, None], next_a)[..., None]  # [k, a', 1]
    ln_cash = np.log(e.output(k[:, None], ln_a) + (1 - e.delta) * k[:, None])  # [k, a]
    ln_free = np.log((1 - saving) * e.output(k[:, None], ln_a))[..., None] + 0 * ln_d  # [k, a, d]
    ln_W = -e.tau * ln_free
    for iteration in count(1):
        free = np.exp(Sa @ ln_free @ Sd.T)  # [k, a', d']
        c = np.minimum(free, next_y)
        price = np.minimum(free**-e.tau, np.exp(Sa @ np.tensordot(depreciated, ln_W, 1) @ Sd.T))
        value = c**-e.tau * e.alpha * next_y / k[:, None, None] + (1 - e.delta) * price
        ln_W = np.log(e.beta * (Ea @ (np.exp(next_d) * value) @ Ed.T))  # [k', a, d]
        ln_c = -ln_W / e.tau
        ln_m = np.log(np.exp(ln_c) + k[:, None, None])
        ln_free = np.stack([
            np.stack([ar.spline(ln_m[:, i, j], ln_c[:, i, j], ln_cash[:, i]) for j in range(len(ln_d))], 1)
            for i in range(len(ln_a))
        ], 1)  # fmt: skip
        grids = (ln_k, ln_a, ln_d)
        yield Solution(e, tensor_spline(grids, ln_free), tensor_spline(grids, ln_W), iteration)


def tensor_spline(grids, values):
    """Cubic in each direction."""
    knots = []
    for axis, grid in enumerate(grids):
        fitted = make_interp_spline(grid, values, k=3, axis=axis)
        knots.append(fitted.t)
        values = np.moveaxis(fitted.c, 0, axis)  # coefficients come with their axis first
    return NdBSpline(tuple(knots), values, k=3)


def euler_errors(solution, k, ln_a, ln_d, nodes=None, step=0.1):
    """Unit-free residuals ((mu + W)^(-1/tau) / c - 1) at arrays [states], the expectation taken anew."""
    e = solution.economy
    x, w = ar.quadrature(nodes, step)
    c = solution.consumption(k, ln_a, ln_d)
    shape = (len(k), len(x), len(x))
    k2 = np.broadcast_to((e.output(k, ln_a) - c + (1 - e.delta) * k)[:, None, None], shape)
    a2 = np.broadcast_to((e.rho_a * ln_a[:, None] + e.sigma_a * x)[:, :, None], shape)
    d2 = np.broadcast_to((e.rho_d * ln_d[:, None] + e.sigma_d * x)[:, None, :], shape)
    c2, mu2 = solution.consumption(k2, a2, d2), solution.multiplier(k2, a2, d2)
    R2 = e.alpha * e.output(k2, a2) / k2 + 1 - e.delta
    W = e.beta * (np.exp(d2) * (c2**-e.tau * R2 - (1 - e.delta) * mu2)) @ w @ w
    return (solution.multiplier(k, ln_a, ln_d) + W) ** (-1 / e.tau) / c - 1


def simulate(solution, dates=200, paths=1000, seed=0, discarded=150):
    """States k, ln a, ln d [dates, paths] along paths that start at the steady state, without the first dates."""
    e, rng = solution.economy, np.random.default_rng(seed)
    k, ln_a, ln_d = np.full(paths, e.steady), np.zeros(paths), np.zeros(paths)
    states = []
    for date in range(discarded + dates):
        if date >= discarded:
            states.append((k, ln_a, ln_d))
        k = solution.investment(k, ln_a, ln_d) + (1 - e.delta) * k
        ln_a = e.rho_a * ln_a + e.sigma_a * rng.standard_normal(paths)
        ln_d = e.rho_d * ln_d + e.sigma_d * rng.standard_normal(paths)
    return tuple(np.stack(states, 1))


def main():
    start = perf_counter()
    found = solve()
    seconds = perf_counter() - start
    print(f"{found.economy}, steady state of capital {found.economy.steady:.6f}")
    print(f"solved in {seconds:.0f} s, {found.iterations} iterations")
    for seed in range(3):
        states = simulate(found, paths=20_000, seed=seed)
        shares = found.binds(*states).mean(0)  # [paths]
        error = shares.std() / np.sqrt(len(shares))
        print(f"seed {seed}: binds on {100 * shares.mean():.2f} % of dates (standard error {100 * error:.2f})")
    for name, values in zip(("k", "ln a", "ln d"), states, strict=True):
        print(
            f"{name}: 0.1 % to 99.9 %",
            np.quantile(values, [0.001, 0.999]).round(3),
            "extremes",
            values.min(),
            values.max(),
        )
    coarse, fine = solve(points=(61, 25, 19)), solve(step=0.125)
    print("binds on a coarser and a finer grid", *(100 * s.binds(*states).mean() for s in (coarse, fine)))
    some = np.random.default_rng(0).integers(0, states[0].size, 1000)
    states = [values.reshape(-1)[some] for values in states]
    c, mu = fine.consumption(*states), fine.multiplier(*states)
    others = {"coarser": coarse, "found": found, **{f"{n} nodes": solve(points=(91, 37, 27), nodes=n) for n in (5, 9)}}
    for name, other in others.items():
        off = np.abs(other.consumption(*states) / c - 1)
        off_mu = np.abs(other.multiplier(*states) - mu) * c
        print(f"{name}: consumption off by mean {off.mean():.1e} max {off.max():.1e}, mu c by {off_mu.max():.1e}")
    for nodes in (None, 3, 5, 7, 9, 15, 31):
        errors = np.abs(euler_errors(fine, *states, nodes))
        print(f"Euler errors of the finest, {nodes} nodes: mean {errors.mean():.1e} max {errors.max():.1e}")


if __name__ == "__main__":
    main()
