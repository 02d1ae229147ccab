"""Rules of degree 5 for N(0, I) whose weights are positive in any dimension: the expectation of a positive function is
positive, and its powers are defined.

Up to four dimensions: the axes and their diagonals (Stroud and Secrest 1963). Up to seven: the vertices of a regular
simplex and the middles of its edges (Mysovskikh 1980), of which some weights are negative from eight dimensions on.
From there on: the axes and corners of a cube (Stroud 1971, E_n^{r^2} 5-2), with those corners alone that an orthogonal
array of strength five keeps.
"""

import itertools

import numpy as np
import scipy.linalg

Rule = tuple[np.ndarray, np.ndarray]  # nodes [n, dimension] and weights [n]


def degree_five(dimension: int) -> Rule:
    """2 d^2 + 1 nodes up to d = 4, about d^2 + 3 d up to seven; above 2 d and a power of two, about 1 to 4 d^2."""
    if dimension <= 4:
        return axes_and_diagonals(dimension)
    return simplex(dimension) if dimension <= 7 else axes_and_corners(dimension)


def axes_and_diagonals(d: int) -> Rule:
    """The origin, +-e_i and +-e_i +-e_j."""
    axes = np.concatenate([np.eye(d), -np.eye(d)])
    signs = [*itertools.product((1, -1), repeat=2)]
    pairs = [a * x + b * y for x, y in itertools.combinations(np.eye(d), 2) for a, b in signs]
    diagonals = np.array(pairs).reshape(-1, d)
    nodes = np.concatenate([np.zeros((1, d)), np.sqrt(d + 2) * axes, np.sqrt((d + 2) / 2) * diagonals])
    shares = [[2 / (d + 2)], np.full(2 * d, (4 - d) / (2 * (d + 2) ** 2)), np.full(len(pairs), 1 / (d + 2) ** 2)]
    return nodes, np.concatenate(shares)


def simplex(d: int) -> Rule:
    """The origin, the d + 1 vertices of a simplex and the middles of its edges, with both signs."""
    vertices = scipy.linalg.helmert(d + 1).T  # rows of one length, apart by equal angles
    middles = np.array([a + b for a, b in itertools.combinations(vertices, 2)])
    parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (vertices, middles)]
    scale = d / (2 * (d + 1) ** 2 * (d + 2) ** 2)
    shares = scale * d * (7 - d), scale * 4 * (d - 1) ** 2 / d
    nodes = [np.sqrt(d + 2) * sign * part for part in parts for sign in (1, -1)]
    weights = [np.full(len(part), share) for part, share in zip(parts, shares, strict=True) for _ in (1, -1)]
    return np.concatenate([np.zeros((1, d)), *nodes]), np.concatenate([[2 / (d + 2)], *weights])


def axes_and_corners(d: int) -> Rule:
    """+-e_i and those corners (+-1, ..., +-1) of the cube in which any five coordinates take all signs equally often.

    With the axes at r and the corners at s, E x^2 = 1, E x^4 = 3, E x^2 y^2 = 1 and a weight of zero at the origin
    give r^2 = (d + 2) / 2, s^2 = (d + 2) / (d - 2). The signs, an orthogonal array of strength five, are the parities
    of d words, no four of which sum to zero modulo two, each with one bit more.
    """
    bits = next(m for m in itertools.count(1) if len(list_sum_free_words(m)) >= d)
    words = np.array(list_sum_free_words(bits)[:d]) + 2**bits
    signs = 1.0 - 2 * (np.bitwise_count(np.arange(2 ** (bits + 1))[:, None] & words) % 2)  # [2^(bits + 1), d]
    axis, corner = (d + 2) / 2, (d + 2) / (d - 2)  # squared distances, of a corner in each coordinate
    nodes = np.concatenate([np.sqrt(axis) * np.eye(d), -np.sqrt(axis) * np.eye(d), np.sqrt(corner) * signs])
    return nodes, np.concatenate([np.full(2 * d, axis**-2), np.full(len(signs), corner**-2 / len(signs))])


def list_sum_free_words(bits: int) -> list[int]:
    """Words of `bits` bits of which no four sum to zero, each the smallest that those before it allow."""
    free, found = np.ones(2**bits, bool), []
    for word in range(2**bits):
        if free[word]:
            found.append(word)
            free[(np.bitwise_xor.outer(found, found) ^ word).ravel()] = False
    return found
