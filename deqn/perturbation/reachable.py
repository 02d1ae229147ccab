"""States that policies reach sooner or later, and those that move by themselves (Popov, Belevitch and Hautus)."""

import numpy as np

RANK = 1e-9  # share of the slopes below which a policy does not move a state


def split_reachable(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal bases of the states that policies reach sooner or later, [n, r], and of their complement."""
    n, new, found = len(A), B, np.zeros((len(A), 0))
    floor = RANK * max(np.abs(A).max(initial=0.0), np.abs(B).max(initial=0.0))
    while new.shape[1] and found.shape[1] < n:
        new = new - found @ (found.T @ new)
        directions, sizes, _ = np.linalg.svd(new - found @ (found.T @ new), full_matrices=False)
        directions = directions[:, sizes > floor][:, : n - found.shape[1]]
        found, new = np.hstack([found, directions]), A @ directions
    whole = np.linalg.qr(np.hstack([found, np.eye(n)]))[0]
    return found, whole[:, found.shape[1] :]


def find_exogenous_moduli(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """The moduli of the eigenvalues of s' = A s + B u that no policy u moves."""
    alone = split_reachable(A, B)[1]
    return np.abs(np.linalg.eigvals(alone.T @ A @ alone))
