"""Expectations: quadrature rules for normal shocks, exact sums for discrete ones, and their product.

Every rule gives nodes and weights; E(v) is the weighted sum over nodes. Sources: Stroud (1971); Judd, Maliar and Maliar
(2011) for the monomial rules; Genz and Monahan (1998) for rotated rules in directions and radii.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.special
import tensorflow as tf

from deqn.equations.cubature import degree_five
from deqn.model.declaration import Discrete, Markov, Model, Normal, Point
from deqn.model.layout import outcome_count, probabilities, width
from deqn.settings.schema import Quadrature

FEW, CHECKING = 3, 6  # up to so many shocks the product rule, of so many nodes each, checks a monomial rule
RADII = 3  # of the rule that checks it for more shocks
MANY = 20  # shocks above which a rule of degree 5, whose nodes grow with their square, is no check of degree 3


def gauss_hermite(dimension: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [nodes^dimension, dimension] and weights of the product rule, exact to degree 2 nodes - 1 in each."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    grid, weights = (np.array([*itertools.product(values, repeat=dimension)]).reshape(nodes**dimension, dimension)
                     for values in (x, w / w.sum()))  # fmt: skip
    return grid, weights.prod(1)


def monomial(dimension: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """The monomial rule for N(0, I), exact for polynomials of total degree 3 (2 d nodes) or 5 (cubature.py)."""
    if degree == 5:
        return degree_five(dimension)
    axes = np.concatenate([np.eye(dimension), -np.eye(dimension)])  # +-e_i
    return np.sqrt(dimension) * axes, np.full(2 * dimension, 1 / (2 * dimension))


def spherical_radial(dimension: int, degree: int, copies: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for N(0, I) that share no radius and no direction with the monomial rule of this degree.

    The distance from the origin is integrated on its own, by Gauss-Laguerre nodes of |x|^2 / 2, and the directions are
    those of the monomial rule, averaged over random rotations.
    """
    nodes, weights = monomial(dimension, degree)
    lengths = np.linalg.norm(nodes, axis=1)
    outside = lengths > 0
    directions, shares = nodes[outside] / lengths[outside, None], weights[outside] * lengths[outside] ** 4
    shares /= shares.sum()  # on the sphere, where E |x|^4 is no longer to be met
    halves, masses = scipy.special.roots_genlaguerre(RADII, dimension / 2 - 1)
    rng = np.random.default_rng(seed)
    turns = [np.linalg.qr(rng.standard_normal((dimension,) * 2))[0] for _ in range(copies)]
    turned = np.concatenate([directions @ turn for turn in turns])  # [copies * directions, dimension]
    grid = np.sqrt(2 * halves)[:, None, None] * turned
    return grid.reshape(-1, dimension), np.outer(masses / masses.sum(), np.tile(shares / copies, copies)).ravel()


def monte_carlo(dimension: int, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`draws` fixed antithetic normal draws (an even number), equally weighted: odd moments are exact."""
    half = np.random.default_rng(seed).standard_normal((draws // 2, dimension))
    return np.concatenate([half, -half]), np.full(2 * len(half), 1 / (2 * len(half)))


def build_rule(quadrature: Quadrature, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [n, dimension] and weights [n] of the chosen rule; `auto` is product up to FEW shocks, monomial above."""
    name = choose_rule(quadrature, dimension)
    if name == "product":
        return gauss_hermite(dimension, quadrature.nodes)
    if name == "monte_carlo":
        return monte_carlo(dimension, quadrature.draws, quadrature.seed)
    return monomial(dimension, choose_degree(quadrature))


def build_finer_rule(quadrature: Quadrature, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """A more accurate rule with other nodes than `build_rule`, for the evaluation.

    A monomial rule is checked by the product rule up to FEW shocks, and one of degree 3 by one of degree 5 up to MANY.
    Elsewhere the rule has other radii and directions: rotated copies alone would share the error along the radius.
    """
    name = choose_rule(quadrature, dimension)
    if name == "product":
        return gauss_hermite(dimension, quadrature.nodes + 3)
    if name == "monte_carlo":
        return monte_carlo(dimension, 4 * quadrature.draws, quadrature.seed + 1)
    if dimension <= FEW:
        return gauss_hermite(dimension, CHECKING)
    if choose_degree(quadrature) == 3 and dimension <= MANY:
        return monomial(dimension, 5)
    return spherical_radial(dimension, choose_degree(quadrature), copies=2, seed=0)


def choose_rule(quadrature: Quadrature, dimension: int) -> str:
    """The rule's name with `auto` decided."""
    automatic = "product" if dimension <= FEW else "monomial"
    return automatic if quadrature.rule == "auto" else quadrature.rule


def count_normals(model: Model) -> int:
    """The number of normal shocks, entries of vectors included."""
    return sum(width(s) for s in model.shocks if isinstance(s, Normal))


def count_product_nodes(quadrature: Quadrature, model: Model) -> int | None:
    """The nodes for each normal shock, None where another rule, or none, is taken."""
    n = count_normals(model)
    return quadrature.nodes if n and choose_rule(quadrature, n) == "product" else None


def choose_degree(quadrature: Quadrature) -> int:
    """The degree of the monomial rule; `auto` takes the higher one."""
    return 5 if quadrature.rule == "auto" else quadrature.degree


@dataclass(frozen=True)
class Expectation:
    """Nodes and weights over all shocks of a model together: the product of the normal rule and the discrete sums.

    `values`: name -> [nodes] or [n, nodes]; `weights`: [nodes], the normal and i.i.d. part; `chains`: for each Markov
    shock, its declaration and the outcome that it has at each node.
    """

    values: dict[str, np.ndarray]
    weights: np.ndarray
    chains: tuple[tuple[Markov, np.ndarray], ...]

    @property
    def nodes(self) -> int:
        return len(self.weights)

    def shocks(self, dtype) -> Point:
        """The shocks at every node: [nodes, 1], or [n, nodes, 1] for vectors."""
        return Point({name: tf.constant(value[..., None], dtype) for name, value in self.values.items()})

    def weights_given(self, now: Point, dtype) -> tf.Tensor:
        """The weight of every node given today, [nodes, batch], or [nodes, 1] where it is the same for all."""
        weights = tf.constant(self.weights[:, None], dtype)
        for chain, outcome in self.chains:
            weights = weights * tf.gather(probabilities(chain, now, dtype), outcome)
        return weights

    def operator(self, now: Point, dtype):
        """E: contracts the node axis with the weights given today, and keeps it with length one."""
        weights = self.weights_given(now, dtype)
        return lambda v: tf.reduce_sum(weights * v, -2, keepdims=True)


def build_expectation(model: Model, normal_rule: Callable[[int], tuple[np.ndarray, np.ndarray]]) -> Expectation:
    """The expectation over all shocks of a model; a deterministic economy has one node.

    `normal_rule(d)` gives nodes [n, d] and weights [n] for d independent standard normals.
    """
    normals = [s for s in model.shocks if isinstance(s, Normal)]
    discrete = [s for s in model.shocks if not isinstance(s, Normal)]
    points, normal_weights = normal_rule(count_normals(model)) if normals else (np.zeros((1, 0)), np.ones(1))
    counts = [len(points), *(outcome_count(s) for s in discrete)]
    index = np.indices(counts).reshape(len(counts), -1)  # which node or outcome of each part, [parts, nodes]
    values, weights, chains, first = {}, normal_weights[index[0]], [], 0
    for s in normals:
        block = points[index[0], first : first + width(s)].T  # [width, nodes]
        values[s.name] = block[0] if s.size is None else block
        first += width(s)
    for s, outcome in zip(discrete, index[1:], strict=True):
        values.update({name: np.asarray(v, float)[..., outcome] for name, v in s.values.items()})
        if isinstance(s, Discrete):
            weights = weights * np.asarray(s.probabilities, float)[outcome]
        else:
            chains.append((s, outcome))
    return Expectation(values, weights, tuple(chains))
