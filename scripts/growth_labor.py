"""An independent solution of growth with a choice of labour, with and without a cap on it, in numpy.

    max E sum beta^t (ln c - psi L^(1+theta) / (1+theta)),  y = e^z k^alpha L^(1-alpha),  k' = y - c + (1-delta) k
    z' = rho z + sigma eps,  L <= cap
    1/c = W(k', z) = beta E[(alpha y'/k' + 1 - delta) / c']
    psi L^theta c = (1-alpha) y / L,  or L = cap where that would exceed it

It shares no code with the engine. Time iteration on tomorrow's capital as endogenous grid (Carroll 2006): with c = 1/W
labour is a power of k, so that today's capital solves A k^p + (1-delta) k = c + k' with known A and p. The cap puts a
kink into policies; two smooth functions are stored instead, consumption of those whose labour is free today and of
those who work at the cap, and the first applies where its labour stays below the cap.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from scipy.interpolate import RectBivariateSpline

import autoregression as ar


@dataclass(frozen=True)
class Economy:
    """Parameters; a cap of infinity is none."""

    alpha: float = 0.36
    beta: float = 0.99
    delta: float = 0.1
    psi: float = 1.0
    theta: float = 1.0
    rho: float = 0.9
    sigma: float = 0.04
    cap: float = np.inf

    def output(self, k, z, L):
        return np.exp(z) * k**self.alpha * L ** (1 - self.alpha)

    def labour(self, c, k, z):
        """What those choose whose labour is free."""
        w1 = (1 - self.alpha) * np.exp(z) * k**self.alpha  # the wage at L = 1
        return (w1 / (self.psi * c)) ** (1 / (self.theta + self.alpha))

    @property
    def steady(self):
        """Capital, labour and savings as a share of output at z = 0."""
        per_labour = ((1 / self.beta - 1 + self.delta) / self.alpha) ** (1 / (self.alpha - 1))
        s = self.delta * per_labour ** (1 - self.alpha)
        L = min(((1 - self.alpha) / (self.psi * (1 - s))) ** (1 / (1 + self.theta)), self.cap)
        return per_labour * L, L, s


@dataclass(frozen=True)
class Solution:
    """Policies at arrays of equal shape: capital k and log productivity z."""

    economy: Economy
    ln_free: RectBivariateSpline  # consumption where labour is free today, of ln k and z
    ln_capped: RectBivariateSpline  # and where it is at the cap
    iterations: int

    def free_labour(self, k, z):
        return self.economy.labour(np.exp(self.ln_free.ev(np.log(k), z)), k, z)

    def binds(self, k, z):
        return self.free_labour(k, z) > self.economy.cap

    def consumption(self, k, z):
        return np.exp(np.where(self.binds(k, z), self.ln_capped.ev(np.log(k), z), self.ln_free.ev(np.log(k), z)))

    def labour(self, k, z):
        return np.minimum(self.free_labour(k, z), self.economy.cap)

    def savings(self, k, z):
        """As a share of output, y - c over y."""
        return 1 - self.consumption(k, z) / self.economy.output(k, z, self.labour(k, z))

    def later(self, k, z):
        """Tomorrow's capital."""
        e = self.economy
        return e.output(k, z, self.labour(k, z)) - self.consumption(k, z) + (1 - e.delta) * k


def solve(economy=Economy(), points=(161, 61), width=(0.15, 5.0), nodes=None, step=0.05, tolerance=1e-10):  # noqa: B008
    """The solution on points of ln k and z; width of the grid of capital in units of its steady state."""
    e = economy
    k = e.steady[0] * np.exp(np.linspace(*np.log(width), points[0]))
    ln_k, z = np.log(k), ar.grid(e.rho, e.sigma, points[1], 6.0)
    next_z, weights = ar.expectation(z, e.rho, e.sigma, nodes, step)
    to_next = ar.spline_matrix(z, next_z).T  # [z, z']
    column = k[:, None]
    ceiling = min(e.cap, 1e3)  # without a cap the second function is computed and never used
    power = e.alpha * (1 + e.theta) / (e.alpha + e.theta)  # of k in output, labour free
    ln_free = np.log(0.7 * e.output(column, z, e.steady[1]))  # [k, z]
    ln_capped = ln_free
    for iteration in range(5000):
        free, capped = np.exp(ln_free @ to_next), np.exp(ln_capped @ to_next)  # [k, z']
        L = e.labour(free, column, next_z)
        c = np.where(L > e.cap, capped, free)
        R = e.alpha * e.output(column, next_z, np.minimum(L, e.cap)) / column + 1 - e.delta
        c = 1 / (e.beta * (R / c) @ weights.T)  # today's, on the grid of tomorrow's capital [k', z]
        scale = np.exp(z) * e.labour(c, 1, z) ** (1 - e.alpha)
        found = on_grid(today(scale, power, e.delta, c + column), np.log(c), ln_k)
        scale = np.exp(z) * ceiling ** (1 - e.alpha) + 0 * c
        ln_capped = on_grid(today(scale, e.alpha, e.delta, c + column), np.log(c), ln_k)
        change, ln_free = np.abs(found - ln_free).max(), found
        if change < tolerance:
            splines = (RectBivariateSpline(ln_k, z, values) for values in (ln_free, ln_capped))
            return Solution(e, *splines, iteration + 1)
    raise RuntimeError(f"time iteration did not converge: {change}")


def today(scale, power, delta, uses):
    """ln k where scale k^power + (1-delta) k = uses: Newton's method on the logarithm of both sides."""
    x = np.log(uses / scale) / power if delta == 1 else np.log(uses)
    for _ in range(100):
        y, rest = scale * np.exp(power * x), (1 - delta) * np.exp(x)
        step = np.log((y + rest) / uses) * (y + rest) / (power * y + rest)
        x = x - step
        if np.abs(step).max() < 1e-13:
            return x
    raise RuntimeError("today's capital was not found")


def on_grid(ln_k, values, grid):
    """Values on endogenous points [k', z], brought to the grid of capital [k, z]."""
    return np.stack([ar.spline(ln_k[:, j], values[:, j], grid) for j in range(values.shape[1])], 1)


def euler_errors(solution, k, z, nodes=None, step=0.02):
    """Unit-free residuals of consumption, (1/W) / c - 1, at arrays [states], the expectation taken anew."""
    e = solution.economy
    x, w = ar.quadrature(nodes, step)
    k2 = solution.later(k, z)[:, None] + 0 * x
    z2 = e.rho * z[:, None] + e.sigma * x
    R2 = e.alpha * e.output(k2, z2, solution.labour(k2, z2)) / k2 + 1 - e.delta
    return 1 / (e.beta * (R2 / solution.consumption(k2, z2)) @ w) / solution.consumption(k, z) - 1


def labour_errors(solution, k, z):
    """psi L^theta c / w - 1 at arrays of states: zero where labour is free, negative where the cap binds."""
    e, c, L = solution.economy, solution.consumption(k, z), solution.labour(k, z)
    return e.psi * L**e.theta * c / ((1 - e.alpha) * e.output(k, z, L) / L) - 1


def simulate(solution, dates=200, paths=1000, seed=0, discarded=200):
    """States k, z [dates, paths] along paths that start at the steady state, without the first dates."""
    e, rng = solution.economy, np.random.default_rng(seed)
    k, z = np.full(paths, e.steady[0]), np.zeros(paths)
    states = []
    for date in range(discarded + dates):
        if date >= discarded:
            states.append((k, z))
        k, z = solution.later(k, z), e.rho * z + e.sigma * rng.standard_normal(paths)
    return tuple(np.stack(states, 1))


def main():
    closed = solve(Economy(delta=1.0))
    k, z = simulate(closed, paths=100)
    exact = closed.economy.alpha * closed.economy.beta, closed.economy.steady[1]
    distance = np.abs(closed.savings(k, z) - exact[0]).max(), np.abs(closed.labour(k, z) - exact[1]).max()
    print("delta 1: distance from the closed form, savings {:.1e}, labour {:.1e}".format(*distance))
    for cap in (np.inf, 0.95, 0.96, 0.97, 0.975):
        start = perf_counter()
        found = solve(Economy(cap=cap))
        seconds = perf_counter() - start
        k, z = simulate(found, paths=20_000)
        shares = found.binds(k, z).mean(0)  # [paths]
        some = np.random.default_rng(0).integers(0, k.size, 2000)
        fine = solve(found.economy, (321, 121), step=0.025)
        k, z = k.reshape(-1)[some], z.reshape(-1)[some]
        moved = (
            np.abs(fine.savings(k, z) - found.savings(k, z)).max(),
            np.abs(fine.labour(k, z) - found.labour(k, z)).max(),
        )
        errors = np.abs(euler_errors(found, k, z))
        print(
            f"cap {cap}: {seconds:.1f} s, binds on {100 * shares.mean():.2f} % of dates "
            f"(standard error {100 * shares.std() / np.sqrt(len(shares)):.2f}), Euler errors mean {errors.mean():.1e} "
            f"max {errors.max():.1e}; finer grids move savings by {moved[0]:.1e}, labour by {moved[1]:.1e}"
        )


if __name__ == "__main__":
    main()
