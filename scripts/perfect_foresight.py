"""Perfect foresight paths by Newton's method on the equations of all dates at once, in numpy (Laffargue 1990).

    F(x_(t-1), x_t, x_(t+1), t) = 0,  t = 0, ..., T - 1,  x_(-1) given,  x_T at rest

Where a model has no risk, the first date of such a path is the exact policy at the states with which it begins. It
shares no code with the engine: derivatives are complex steps, the linear system is sparse.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

STEP = 1e-30  # imaginary
STEPS = 50  # of Newton's method, at most

Equations = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def find_path(F: Equations, before: np.ndarray, rest: np.ndarray, dates: int, tolerance: float = 1e-11) -> np.ndarray:
    """The path x [dates, n]. `F` takes x of the date before, of the date and of the one after, [dates, n] each.

    Raises RuntimeError where Newton's method does not converge.
    """
    x = np.tile(rest, (dates, 1))
    for _ in range(STEPS):
        around = [np.concatenate([before[None], x[:-1]]), x, np.concatenate([x[1:], rest[None]])]
        residual = F(*around)
        if np.abs(residual).max() < tolerance:
            return x
        system = assemble([differentiate(F, around, i) for i in range(3)])
        x = x - scipy.sparse.linalg.spsolve(system, residual.ravel()).reshape(x.shape)
    raise RuntimeError(f"Newton's method did not converge: residual {np.abs(residual).max():.1e}")


def differentiate(F: Equations, around: list[np.ndarray], which: int) -> np.ndarray:
    """Derivatives [dates, equations, n] with respect to one of the three dates."""
    columns = []
    for j in range(around[which].shape[1]):
        moved = [x.astype(complex) for x in around]
        moved[which][:, j] += 1j * STEP
        columns.append(F(*moved).imag / STEP)
    return np.stack(columns, -1)


def assemble(blocks: list[np.ndarray]) -> scipy.sparse.csc_array:
    """The block tridiagonal Jacobian of all dates; x before the first and after the last is given."""
    dates, n, _ = blocks[0].shape
    t, row, column = np.meshgrid(np.arange(dates), np.arange(n), np.arange(n), indexing="ij")
    parts = []
    for shift, block in zip((-1, 0, 1), blocks, strict=True):
        inside = (t + shift >= 0) & (t + shift < dates)
        parts.append((block[inside], (n * t + row)[inside], (n * (t + shift) + column)[inside]))
    values, rows, columns = (np.concatenate(x) for x in zip(*parts, strict=True))
    return scipy.sparse.csc_array((values, (rows, columns)), shape=(dates * n, dates * n))
