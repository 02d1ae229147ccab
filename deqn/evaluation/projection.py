"""The projection method: complete Chebyshev polynomials, fitted to the equations of an economy by least squares.

The policies are bound(u* + slope (s - s*) + polynomial(x)), as those of a network (deqn/policies/network.py), with x
the coordinates of a region. Sources: Judd (1992); Judd, Maliar and Maliar (2011).
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from deqn.economy.anchors import build_policy
from deqn.economy.economy import Economy
from deqn.equations.expectation import Expectation
from deqn.equations.residuals import row_weights, stack_rows
from deqn.evaluation.region import Region
from deqn.model.layout import free_policies, unpack, width
from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.policies.approximators import Approximator, ChebyshevBasis
from deqn.policies.expansion import to_coordinates
from deqn.settings.schema import Loss
from deqn.training.objective import Objective

STATES_PER_COEFFICIENT, ITERATIONS = 3, 12  # fitted states for each coefficient of a policy; steps at most
REGION_MARGIN = 1.3  # the sides of the polynomial's domain, against those of the region: tomorrow may lie outside
UNWEIGHTED = Loss("mean_square", {})
DAMPING = 1e-11  # small: polynomials are linear in their coefficients

Policies = dict[str, dict[str, np.ndarray]]  # set of states -> policy -> values, [1, n] or [size, 1, n]


class Continued(ChebyshevBasis):
    """Chebyshev polynomials that go on along their tangents beyond [-1, 1], where they would explode."""

    def univariate(self, x):
        """T_p(x_v), whose slope at the ends is p^2, up to the sign."""
        inside = tf.clip_by_value(x, -1, 1)
        power = tf.range(self.degree + 1, dtype=x.dtype)
        slope = power**2 * tf.sign(x)[..., None] ** (power + 1)
        return super().univariate(inside) + slope * (x - inside)[..., None]


class Projection:
    """An economy under a polynomial policy function that is fitted to its equations on a region."""

    def __init__(self, economy: Economy, region: Region, degree: int):
        """Raises InputError where there is no first-order solution, from which the fit starts."""
        n = len(region.center)
        outputs = sum(map(width, free_policies(economy.model.policies)))
        last = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros", dtype="float64")
        network = keras.Sequential([keras.Input((n,), dtype="float64"), Continued(degree, "float64"), last])
        inverse = np.linalg.inv(REGION_MARGIN * region.axes).T
        scale = lambda states: tf.matmul(to_coordinates(states, region.in_logs) - region.center, inverse)
        approximator = Approximator(network, scale)
        policy = build_policy(economy.members, economy.steady, approximator, "linear", economy.expectation)
        self.economy = replace(economy, policy=policy)
        # A fit takes a few seconds, and XLA would need longer to compile it.
        self._residuals = Objective(self.economy, UNWEIGHTED).residual_function(2**30, jit_compile=False)
        self._solver, self._kernel = LeastSquares(self._residuals, DAMPING), last.kernel
        count = STATES_PER_COEFFICIENT * math.comb(n + degree, degree)
        sobol = qmc.Sobol(n, scramble=True, rng=np.random.default_rng(5)).random_base2((2 * count).bit_length())
        unit = np.sin(np.pi * (sobol - 0.5))  # denser at the edges, as Chebyshev's nodes are
        states = tf.constant(region.to_states(unit))
        self._fitted, self._held_out = states[:count], states[count : count + count // 4]

    def solve(self, judged: tf.Tensor, policies: Mapping[str, np.ndarray], settled: float) -> bool:
        """Fit until steps move policies by less than `settled` of their distance from `policies`; whether they do."""
        values = evaluate_policies(self.economy, judged)
        for _ in range(ITERATIONS):
            losses = self._solver.iterate(self._fitted, self._held_out)
            if losses is None:
                return False
            before, values = values, evaluate_policies(self.economy, judged)
            if not losses[1] < losses[0] or all(
                np.abs(v - before[p]).max() <= settled * np.abs(v - policies[p]).max() for p, v in values.items()
            ):
                return True
        return False

    def estimate_shift(self, finer: Expectation, states: Mapping[str, tf.Tensor]) -> Policies:
        """By how much another quadrature would move the policies, to first order, in absolute value."""
        other, rows = replace(self.economy, expectation=finer), []
        for part in other.slices(self._fitted):
            errors, own = other.residuals(part), self.economy.residuals(part)
            change = stack_rows(errors, len(part)) - stack_rows(own, len(part))
            rows.append(tf.transpose(change * row_weights(errors, UNWEIGHTED.weights)))
        J = self._residuals.jacobian(self._fitted)
        step = np.linalg.lstsq(J, np.concatenate(rows).ravel(), rcond=None)[0]
        start, before = self._kernel.numpy(), evaluate_on_sets(self.economy, states)
        self._kernel.assign(start - step.reshape(start.shape))
        moved = measure_gaps(evaluate_on_sets(self.economy, states), before)
        self._kernel.assign(start)
        return moved


def evaluate_policies(economy: Economy, states: tf.Tensor) -> dict[str, np.ndarray]:
    """The policies by name, [1, n] or [size, 1, n], at packed states [n, n_states]."""
    packed = economy.policy(tf.cast(states, economy.policy.dtype))
    return {name: value.numpy() for name, value in unpack(packed, economy.model.policies, 1).items()}


def evaluate_on_sets(economy: Economy, sets: Mapping[str, tf.Tensor]) -> Policies:
    return {name: evaluate_policies(economy, states) for name, states in sets.items()}


def measure_gaps(values: Policies, others: Policies) -> Policies:
    return {s: {p: np.abs(v - others[s][p]) for p, v in named.items()} for s, named in values.items()}
