"""The linear equations of a Levenberg-Marquardt step, (J'J + damping) d = -J'r, solved in one of three forms.

Which one, size and memory decide: normal equations where residuals exceed weights; the kernel form
d = -J'(JJ' + damping)^-1 r where weights exceed residuals; conjugate gradients on Jacobian products, preconditioned by
the Jacobian of a subset of the data, where no matrix fits. LAPACK factorizes.

A step follows a curved valley of the loss by half of its acceleration a: (J'J + damping) a = -J'r'', with r'' the
second derivative of the residuals along d.

Sources: Nocedal and Wright (2006, chapters 5 and 10); Transtrum and Sethna (2012) for the acceleration.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import tensorflow as tf

from deqn.optimizers.residual_function import ResidualFunction
from deqn.optimizers.weights import assign_flat, flatten_weights

PRODUCTS = 60  # conjugate gradient iterations of a step
PROBE = 0.1  # share of a step over which the second derivative is taken
BENT = 0.75  # twice the length of an acceleration, as a share of its step, above which the step stays straight

# Residuals [rows] -> the straight step that they ask for, [weights].
Respond = Callable[[np.ndarray], np.ndarray]
# A relative damping -> the step [weights], None where it is singular, and the reduction that the linear model predicts.
DampedStep = Callable[[float], tuple[np.ndarray | None, float]]


def choose_form(parameters: int, rows: int, memory: float) -> str:
    """How a step with so many weights and residuals is solved: primal, dual or matrix_free."""
    primal = 8 * 2 * parameters**2 <= memory
    dual = 8 * (rows * parameters + 2 * rows**2) <= memory
    if primal and (parameters <= rows or not dual):
        return "primal"
    return "dual" if dual else "matrix_free"


def linearize(residuals: ResidualFunction, data: tf.Tensor, values: np.ndarray) -> DampedStep | None:
    """The damped step from the present weights, at which the residuals are `values`; None where the Jacobian is zero.

    The damping is relative to the largest curvature. Steps are accelerated where the Jacobian is kept. Raises
    FloatingPointError where it is not finite.
    """
    forms = {"primal": linearize_primal, "dual": linearize_dual, "matrix_free": linearize_matrix_free}
    return forms[choose_form(residuals.parameters, len(values), residuals.memory)](residuals, data, values)


def linearize_primal(residuals: ResidualFunction, data: tf.Tensor, values: np.ndarray) -> DampedStep | None:
    """By normal equations, [weights, weights]. The Jacobian is kept where it takes half of the memory at most."""
    matrix, gradient = np.zeros((residuals.parameters,) * 2), np.zeros(residuals.parameters)
    keeps, kept = 8 * len(values) * residuals.parameters <= residuals.memory / 2, []
    for part, r in residuals.slices(data, values):
        J = residuals.jacobian(part)
        matrix += J.T @ J
        gradient += J.T @ r
        if keeps:
            kept.append(J)

    def solve(shift: float) -> tuple[np.ndarray, Respond]:
        inverse = factorize(matrix, shift)
        pull_back = lambda rows: sum(J.T @ r for J, r in zip(kept, np.split(rows, ends), strict=True))
        return -inverse(gradient), lambda rows: -inverse(pull_back(rows))

    ends = np.cumsum([len(J) for J in kept])[:-1]
    bend = partial(differentiate_twice, residuals, data, values) if keeps else None
    return damp(gradient, matrix.diagonal().max(), solve, bend)


def linearize_dual(residuals: ResidualFunction, data: tf.Tensor, values: np.ndarray) -> DampedStep | None:
    """By the kernel JJ', [batch * equations, batch * equations]."""
    J, row = np.empty((len(values), residuals.parameters)), 0
    for part, r in residuals.slices(data, values):
        J[row : row + len(r)] = residuals.jacobian(part)
        row += len(r)
    matrix, gradient = J @ J.T, J.T @ values
    scale = np.einsum("ij,ij->j", J, J).max()

    def solve(shift: float) -> tuple[np.ndarray, Respond]:
        inverse = factorize(matrix, shift)
        respond = lambda rows: -J.T @ inverse(rows)
        return respond(values), respond

    return damp(gradient, scale, solve, partial(differentiate_twice, residuals, data, values))


def linearize_matrix_free(residuals: ResidualFunction, data: tf.Tensor, values: np.ndarray) -> DampedStep | None:
    """By preconditioned conjugate gradients."""
    n, memory = residuals.parameters, residuals.memory
    gradient = residuals.transposed_product(data, values)
    fitting = int(memory / (8 * (n + 2 * math.sqrt(memory / 8)))) * len(data) // len(values)
    chosen = max(1, min(len(data), fitting))
    subset = tf.gather(data, np.linspace(0, len(data) - 1, chosen).astype(int))
    J = residuals.jacobian(subset) * math.sqrt(len(data) / chosen)
    kernel, scale = J @ J.T, np.einsum("ij,ij->j", J, J).max()
    product = lambda v, shift: residuals.transposed_product(data, residuals.product(data, v)) + shift * v

    def solve(shift: float) -> tuple[np.ndarray, None]:
        inner = factorize(kernel, shift)
        approximate = lambda v: (v - J.T @ inner(J @ v)) / shift
        functions = (lambda v: product(v, shift)), approximate
        operators = [scipy.sparse.linalg.LinearOperator((n, n), f, dtype=float) for f in functions]
        return scipy.sparse.linalg.cg(operators[0], -gradient, rtol=1e-6, maxiter=PRODUCTS, M=operators[1])[0], None

    return damp(gradient, scale, solve, product=product)


def damp(
    gradient: np.ndarray, scale: float, solve: Callable[[float], tuple[np.ndarray, Respond | None]],
    bend: Callable[[np.ndarray], np.ndarray] | None = None, product: Callable | None = None,
) -> DampedStep | None:  # fmt: skip
    """The damped step where `solve` gives the straight one, and how it responds to the residuals, for an absolute
    damping; `scale` is the largest curvature.

    `bend`: d -> r'' [rows], for steps that are to be accelerated. `product`: d, damping -> (J'J + damping) d, needed
    where the step solves the equations only nearly.
    """
    if not (math.isfinite(scale) and np.isfinite(gradient).all()):
        raise FloatingPointError
    if scale <= 0:
        return None

    def damped(damping: float) -> tuple[np.ndarray | None, float]:
        shift = damping * scale
        try:
            step, respond = solve(shift)
        except np.linalg.LinAlgError:  # singular to working precision: more damping
            return None, 0.0
        curvature = -gradient @ step if product is None else step @ product(step, shift)
        predicted = -2 * gradient @ step - curvature + shift * step @ step
        return (step if bend is None else accelerate(step, respond(bend(step)))), predicted

    return damped


def differentiate_twice(
    residuals: ResidualFunction, data: tf.Tensor, values: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """The second derivative [rows] of the residuals, which are `values`, along a direction [weights]."""
    start = flatten_weights(residuals.variables).numpy().astype(np.float64)
    ends = []
    for sign in (1, -1):
        assign_flat(residuals.variables, start + sign * PROBE * direction)
        ends.append(residuals.values(data))
    assign_flat(residuals.variables, start)
    return (ends[0] - 2 * values + ends[1]) / PROBE**2


def accelerate(step: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
    """A step with its acceleration, unless that is too long to be trusted."""
    length = np.linalg.norm(acceleration)
    return step + acceleration / 2 if 2 * length <= BENT * np.linalg.norm(step) else step


def factorize(matrix: np.ndarray, shift: float) -> Callable[[np.ndarray], np.ndarray]:
    """The solver of (matrix + shift) x = b by Cholesky. Raises LinAlgError where it is singular."""
    shifted = matrix.T.copy(order="F")  # symmetric, in the order that LAPACK works on in place
    shifted[np.diag_indices_from(shifted)] += shift
    factor = scipy.linalg.cho_factor(shifted, overwrite_a=True, check_finite=False)
    return lambda b: scipy.linalg.cho_solve(factor, b, check_finite=False)
