"""An independent solution of small models: the projection method with complete Chebyshev polynomials.

The same equations, with the finer quadrature of the evaluation, are solved by least squares for a polynomial of high
degree, from the first-order solution on. It shares neither network nor training states with what it judges; its own
residuals tell how far it can be trusted. The region follows the principal components of the visited states: a box
along the axes has corners that the economy never visits and where an explosive solution, or a bound, spoils the fit.
Sources: Judd (1992); Judd, Maliar and Maliar (2011).
"""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from deqn.economy import Economy
from deqn.errors import InputError
from deqn.evaluate import Exact
from deqn.model import coordinates, fixed, free_policies, in_logs, multipliers, width
from deqn.network import PolicyNetwork, chebyshev
from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.variables import point

DEGREES = {1: 24, 2: 16}  # by the number of states; beyond two the polynomial is no better than the network
STATES, ITERATIONS = 1024, 40
FITTED, DOMAIN = 1.2, 1.3  # sides of the region that is fitted, and of the polynomial's domain, against what is inside
MEMORY = 2**30
DAMPING = 1e-8  # small: polynomials are linear in their coefficients


@dataclass(frozen=True)
class Region:
    """A box along the principal components of a cloud of states; logarithms are taken where states declare them."""

    in_logs: np.ndarray
    center: np.ndarray
    axes: np.ndarray  # [n_states, n_states], a component in each column, its half width included

    @classmethod
    def around(cls, states: np.ndarray, logs: np.ndarray) -> "Region":
        """The region that just holds packed states [n, n_states]."""
        x = coordinates(states, logs)
        directions = np.linalg.eigh(np.cov(x.T).reshape(len(logs), -1))[1]
        along = x @ directions
        low, high = along.min(0), along.max(0)
        half = np.maximum((high - low) / 2, 1e-3 * np.max(high - low))
        return cls(logs, directions @ (low + high) / 2, directions * half)

    def states(self, unit: np.ndarray) -> np.ndarray:
        """Packed states at coordinates in [-1, 1], [n, n_states]; beyond it, outside the region."""
        x = self.center + unit @ self.axes.T
        return np.where(self.in_logs, np.exp(np.where(self.in_logs, x, 0)), x)

    def covers(self, states: tf.Tensor) -> np.ndarray:
        """Which of the packed states lie inside, [n]."""
        x = coordinates(np.asarray(states), self.in_logs)
        unit = np.linalg.solve(self.axes, (x - self.center).T)
        return np.abs(unit).max(0) <= 1 + 1e-6


@dataclass(frozen=True)
class Reference:
    """The solved economy, the region in which it holds, and mean and largest residual there."""

    economy: Economy
    region: Region
    residual: dict[str, float]

    def exact(self) -> Exact:
        """The policies to compare with."""

        def values(states: tf.Tensor) -> dict[str, np.ndarray]:
            found = point(self.economy.model, self.economy.policy, tf.cast(states, tf.float64))
            return {p.name: getattr(found, p.name).numpy() for p in self.economy.model.policies}

        return Exact("reference", values, self.region.covers)


def reference(economy: Economy, states: tf.Tensor) -> Reference | None:
    """The solution around the given states [n, n_states]; None for more than two states, or where there is none.

    None also where a constraint may bind: a polynomial of high degree is no reference for a kink. None for a family,
    whose states fill no region around the economy's path.

    `economy` carries the finer expectation of the evaluation; nothing of its policy is used.
    """
    model, n = economy.model, states.shape[1]
    if n not in DEGREES or multipliers(model) or fixed(model.states).any():
        return None
    region = Region.around(states.numpy().astype(float), in_logs(model.states))
    unit = 2 * qmc.Sobol(n, scramble=True, rng=np.random.default_rng(5)).random_base2(STATES.bit_length()) - 1
    edges = FITTED * np.sin(np.pi / 2 * unit)  # denser at the edges, as Chebyshev's nodes are
    fitted, held_out, inside = (
        tf.constant(region.states(x)) for x in (edges[:STATES], edges[STATES : 5 * STATES // 4], unit[STATES:])
    )
    outputs = sum(map(width, free_policies(model.policies)))
    network = chebyshev(n, outputs, DEGREES[n], "float64")
    ends = region.states(FITTED * DOMAIN * np.array(np.meshgrid(*[[-1, 1]] * n)).reshape(n, -1).T)
    try:
        solved = PolicyNetwork(model, economy.steady, network, "float64", "linear", domain=(ends.min(0), ends.max(0)))
    except InputError:
        return None
    solver = LeastSquares(replace(economy, policy=solved), DAMPING, MEMORY)
    for _ in range(ITERATIONS):
        losses = solver.iterate(fitted, held_out)
        if losses is None:
            return None
        if losses[1] > 0.99 * losses[0]:
            break
    size = np.abs(solver.values(inside))
    return Reference(solver.economy, region, {"mean": float(size.mean()), "max": float(size.max())})
