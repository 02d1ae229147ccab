"""Expectations: quadrature rules for normal shocks, exact sums for discrete ones, and their product.

Every rule gives nodes and weights; E(v) is the weighted sum over nodes. Where constraints come to bind, tomorrow's
variables have kinks, at which rules for polynomials converge slowly. There nodes lie close along one axis, which is
turned into the direction in which the constraints come to bind (economy/alignment.py); integrated along it, what is
left is smooth. Sources: Stroud (1971); Judd, Maliar and Maliar (2011) for the monomial rules; Genz and Monahan (1998)
for rotated rules in directions and radii.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.special
import tensorflow as tf

from deqn.equations.cubature import degree_five
from deqn.model.declaration import Discrete, Markov, Model, Normal, Point
from deqn.model.layout import multipliers, outcome_count, probabilities, width
from deqn.settings.schema import Quadrature

FEW, CHECKING = 3, 6  # up to so many shocks the product rule, of so many nodes each, checks a monomial rule
RADII = 3  # of the rule that checks it for more shocks
SMOOTH_NODES, KINKED_NODES = 5, 21  # of each shock; along the axis of kinks
SPAN, ACROSS = 4.5, 3  # standard deviations that nodes along the axis reach; nodes in each other direction
MORE = 3, 11  # nodes that the finer rule has beyond those
MANY = 20  # shocks above which a rule of degree 5, whose nodes grow with their square, is no check of degree 3

# Dimension d -> nodes [n, d] and weights [n] for d independent standard normals.
NormalRule = Callable[[int], tuple[np.ndarray, np.ndarray]]


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


def aligned(dimension: int, nodes: int, across: int) -> tuple[np.ndarray, np.ndarray]:
    """Equally spaced nodes along the first axis, with variance one, times a rule for smooth functions of the others.

    The trapezoidal rule's error at a kink falls with the square of the distance between nodes, and exponentially
    elsewhere (Trefethen and Weideman 2014).
    """
    x = np.linspace(-SPAN, SPAN, nodes) if nodes > 1 else np.zeros(1)
    w = np.exp(-(x**2) / 2)
    w /= w.sum()
    x /= np.sqrt(w @ x**2) if nodes > 1 else 1.0
    if dimension - 1 < FEW:
        others, shares = gauss_hermite(dimension - 1, across)
    else:
        others, shares = monomial(dimension - 1, 5)
    grid = np.concatenate([np.repeat(x, len(others))[:, None], np.tile(others, (nodes, 1))], 1)
    return grid, np.outer(w, shares).ravel()


def settle(quadrature: Quadrature, dimension: int, constrained: bool) -> Quadrature:
    """The rule and its nodes, with what is left open decided.

    `auto` is `aligned` for constrained economies with up to FEW shocks, `product` for others with so few, and
    `monomial` above.
    """
    rule = quadrature.rule
    if rule == "auto":
        rule = "monomial" if dimension > FEW else "aligned" if constrained else "product"
    nodes = quadrature.nodes or (KINKED_NODES if rule == "aligned" else SMOOTH_NODES)
    return replace(quadrature, rule=rule, nodes=nodes, degree=quadrature.degree or 5)


def build_rule(settled: Quadrature, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes [n, dimension] and weights [n] of a rule."""
    if settled.rule == "product":
        return gauss_hermite(dimension, settled.nodes)
    if settled.rule == "aligned":
        return aligned(dimension, settled.nodes, ACROSS)
    if settled.rule == "monte_carlo":
        return monte_carlo(dimension, settled.draws, settled.seed)
    return monomial(dimension, settled.degree)


def build_finer_rule(settled: Quadrature, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """A more accurate rule with other nodes than `build_rule`, for the evaluation.

    A monomial rule is checked by the product rule up to FEW shocks, and one of degree 3 by one of degree 5 up to MANY.
    Elsewhere the rule has other radii and directions: rotated copies alone would share the error along the radius.
    """
    if settled.rule == "product":
        return gauss_hermite(dimension, settled.nodes + MORE[0])
    if settled.rule == "aligned":
        return aligned(dimension, settled.nodes + MORE[1], ACROSS + 2)
    if settled.rule == "monte_carlo":
        return monte_carlo(dimension, 4 * settled.draws, settled.seed + 1)
    if dimension <= FEW:
        return gauss_hermite(dimension, CHECKING)
    if settled.degree == 3 and dimension <= MANY:
        return monomial(dimension, 5)
    return spherical_radial(dimension, settled.degree, copies=2, seed=0)


def choose_quadrature(quadrature: Quadrature, model: Model) -> Quadrature:
    """The rule for a model's normal shocks, with what is left open decided."""
    return settle(quadrature, count_normals(model), bool(multipliers(model)))


def choose_rule(quadrature: Quadrature, model: Model) -> NormalRule:
    """The rule with which a model is solved."""
    return partial(build_rule, choose_quadrature(quadrature, model))


def choose_finer_rule(quadrature: Quadrature, model: Model) -> NormalRule:
    """The rule by which a solution is judged."""
    return partial(build_finer_rule, choose_quadrature(quadrature, model))


def count_normals(model: Model) -> int:
    """The number of normal shocks, entries of vectors included."""
    return sum(width(s) for s in model.shocks if isinstance(s, Normal))


def count_axis_nodes(quadrature: Quadrature, model: Model) -> int | None:
    """The nodes for each normal shock, or along the axis of kinks; None where another rule, or none, is taken."""
    chosen = choose_quadrature(quadrature, model)
    return chosen.nodes if count_normals(model) and chosen.rule in ("product", "aligned") else None


@dataclass(frozen=True)
class Expectation:
    """Nodes and weights over all shocks of a model together: the product of the normal rule and the discrete sums.

    `normals`: name -> the columns of a normal shock in `points` [nodes, d]; `turn`: an orthogonal matrix [d, d] by
    which the points are turned, None where they stay; `values`: name -> [nodes] or [n, nodes], of discrete shocks;
    `weights`: [nodes], the normal and i.i.d. part; `chains`: for each Markov shock, its declaration and the outcome
    that it has at each node.
    """

    normals: dict[str, int | slice]
    points: np.ndarray
    turn: tf.Variable | None
    values: dict[str, np.ndarray]
    weights: np.ndarray
    chains: tuple[tuple[Markov, np.ndarray], ...]

    @property
    def nodes(self) -> int:
        return len(self.weights)

    def place_normals(self, dtype) -> tf.Tensor:
        """The normal shocks at every node, [nodes, d]."""
        points = tf.constant(self.points, dtype)
        return points if self.turn is None else points @ tf.cast(self.turn, dtype)

    def shocks(self, dtype) -> Point:
        """The shocks at every node: [nodes, 1], or [n, nodes, 1] for vectors."""
        points = tf.transpose(self.place_normals(dtype))
        normals = {name: points[columns][..., None] for name, columns in self.normals.items()}
        discrete = {name: tf.constant(value[..., None], dtype) for name, value in self.values.items()}
        return Point(normals | discrete)

    def turn_as(self, other: "Expectation") -> "Expectation":
        """This expectation, with its points turned as those of another one of the same model."""
        if self.turn is not None:
            self.turn.assign(other.turn)
        return self

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


def build_expectation(model: Model, normal_rule: NormalRule) -> Expectation:
    """The expectation over all shocks of a model; a deterministic economy has one node."""
    normals = [s for s in model.shocks if isinstance(s, Normal)]
    discrete = [s for s in model.shocks if not isinstance(s, Normal)]
    dimension = count_normals(model)
    points, normal_weights = normal_rule(dimension) if normals else (np.zeros((1, 0)), np.ones(1))
    counts = [len(points), *(outcome_count(s) for s in discrete)]
    index = np.indices(counts).reshape(len(counts), -1)  # which node or outcome of each part, [parts, nodes]
    columns: dict[str, int | slice] = {}
    values, weights, chains, first = {}, normal_weights[index[0]], [], 0
    for s in normals:
        columns[s.name] = first if s.size is None else slice(first, first + s.size)
        first += width(s)
    for s, outcome in zip(discrete, index[1:], strict=True):
        values.update({name: np.asarray(v, float)[..., outcome] for name, v in s.values.items()})
        if isinstance(s, Discrete):
            weights = weights * np.asarray(s.probabilities, float)[outcome]
        else:
            chains.append((s, outcome))
    turns = dimension > 1 and multipliers(model)
    turn = tf.Variable(np.eye(dimension), trainable=False, name="turn") if turns else None
    return Expectation(columns, points[index[0]], turn, values, weights, tuple(chains))
