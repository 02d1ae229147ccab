"""The second-order solution around the deterministic steady state, for any model: the curvature of its policies.

In the coordinates x and outputs u of the policy function (deqn/policies/network.py) the equations are
F(x, u, x', u') = 0 and x' = T(x, u). With the first-order rule u = P x and dynamics x' = C x, the quadratic terms Q
solve

    A Q[a, b] + B Q[C a, C b] + D[a, b] = 0,   A = F_u + (F_x' + F_u' P) T_u,   B = F_u',

where D collects the second derivatives of F and T along the first-order solution. Doubling solves it. Sources:
Schmitt-Grohe and Uribe (2004), Kim, Kim, Schaumburg and Sims (2008).
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg
import tensorflow as tf

from deqn.equations.residuals import stack_rows, without_risk
from deqn.model.declaration import Model
from deqn.model.layout import in_logs
from deqn.perturbation.derivatives import bilinear, jacobian
from deqn.system.errors import InputError

DOUBLINGS, CONVERGED, CORRECTIONS = 60, 1e-14, 5


def curvature(model: Model, bounds: Callable, rest: np.ndarray, start: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The second derivatives Q [outputs, n_states, n_states] of the outputs in the states' coordinates.

    `bounds` maps outputs to packed policies; `rest` [n_states] and `start` [outputs] are coordinates and outputs of the
    steady state, `slope` [outputs, n_states] the first-order rule. Raises InputError where there is no such solution.
    """
    n, m, logs = len(rest), len(start), in_logs(model.states)
    at = np.concatenate([rest, start, rest, start])

    def equations(z: tf.Tensor) -> tf.Tensor:
        """Tomorrow's coordinates and the residuals, [batch, n + m], at (x, u, x', u') [batch, 2 (n + m)]."""
        x, u, later_x, later_u = tf.split(z, [n, m, n, m], axis=1)
        states, later = (tf.where(logs, tf.exp(tf.where(logs, part, 0)), part) for part in (x, later_x))
        tomorrow, errors = without_risk(model, states, bounds(u), later, bounds(later_u))
        moved = tf.where(logs, tf.math.log(tf.where(logs, tomorrow, 1)), tomorrow)
        return tf.concat([moved, tf.transpose(stack_rows(errors, z.shape[0])[:m])], 1)  # slackness stands last

    T, F = np.split(jacobian(equations, at), [n])
    (T_x, T_u, *_), (_, F_u, F_later_x, F_later_u) = (np.split(J, [n, n + m, 2 * n + m], axis=1) for J in (T, F))
    dynamics = T_x + T_u @ slope
    along_rule = np.hstack([np.eye(n), slope.T, dynamics.T, dynamics.T @ slope.T])  # a direction in each row
    of_T, of_F = np.split(bilinear(equations, at, along_rule), [n])
    ahead = F_later_x + F_later_u @ slope
    D = of_F + np.einsum("ij,jab->iab", ahead, of_T)
    try:
        today = scipy.linalg.lu_factor(F_u + ahead @ T_u)
        constant = -scipy.linalg.lu_solve(today, D.reshape(m, -1)).reshape(m, n, n)
        return sum_by_doubling(constant, -scipy.linalg.lu_solve(today, F_later_u), dynamics)
    except (ValueError, scipy.linalg.LinAlgError) as error:
        raise InputError(f"there is no second-order solution: {error}") from error


def sum_by_doubling(X: np.ndarray, M: np.ndarray, C: np.ndarray) -> np.ndarray:
    """The solution of Q = X + M Q[C, C], [m, n, n]: the sum of M^t X[C^t, C^t]. Raises ValueError if it diverges."""
    for _ in range(DOUBLINGS):
        more = np.einsum("ij,jab->iab", M, C.T @ X @ C)
        X = X + more
        if not np.isfinite(X).all():
            break
        if np.abs(more).max() <= CONVERGED * np.abs(X).max():
            return X
        M, C = M @ M, C @ C
    raise ValueError("the quadratic terms do not settle")


def risk_correction(residuals: Callable[[tf.Tensor], tf.Tensor], outputs: int, floats: int | None = None) -> np.ndarray:
    """The constant [outputs] added to the outputs that makes the residuals at the steady state zero under risk.

    `residuals` maps constants [batch, outputs] to equations [batch, equations] and needs `floats` numbers for each.
    Newton's method; zero where it does not lower them.
    """
    shift = np.zeros(outputs)
    errors = residuals(tf.constant(shift[None])).numpy()[0]
    for _ in range(CORRECTIONS):
        try:
            found = shift - np.linalg.solve(jacobian(residuals, shift, floats), errors)
        except np.linalg.LinAlgError:
            break
        left = residuals(tf.constant(found[None])).numpy()[0]
        if not np.abs(left).max() < np.abs(errors).max():
            break
        shift, errors = found, left
    return shift
