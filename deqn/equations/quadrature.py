"""Quadrature: nodes and weights for independent standard normals, and which rule an economy takes.

Where constraints come to bind, tomorrow's variables have kinks, at which rules for polynomials converge slowly. There
nodes lie close along one axis, which is turned into the direction in which the constraints come to bind
(economy/alignment.py); integrated along it, what is left is smooth. Sources: Stroud (1971); Judd, Maliar and Maliar
(2011) for the monomial rules; Genz and Monahan (1998) for rotated rules in directions and radii.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.special

from deqn.equations.cubature import degree_five
from deqn.model.declaration import Model, Normal
from deqn.model.layout import multipliers, width
from deqn.settings.schema import Quadrature

FEW, CHECKING = 3, 6  # up to so many shocks the product rule, of so many nodes each, checks a monomial rule
RADII = 3  # of the rule that checks it for more shocks
SMOOTH_NODES, KINKED_NODES = 5, 21  # of each shock; along the axis of kinks
SPAN, ACROSS = 4.5, 3  # standard deviations that nodes along the axis reach; nodes in each other direction
ROUNDING = 1e-9  # below which a node is at zero
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
    elsewhere (Trefethen and Weideman 2014). All is tilted so far that rows of nodes beside each other are staggered: a
    kink across the axis then lies elsewhere between the nodes of each row, and the errors of the rows cancel.
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
    if nodes > 1 and 1 <= dimension - 1 < FEW:
        gap = np.min(others[others > ROUNDING])
        tilt = np.array([1.0, *((x[1] - x[0]) / gap / float(across) ** np.arange(1, dimension))])
        grid = grid @ complete_basis(tilt / np.linalg.norm(tilt)).T
    return grid, np.outer(w, shares).ravel()


def complete_basis(axis: np.ndarray) -> np.ndarray:
    """An orthogonal matrix [d, d] whose first row is a unit vector [d]: a reflection, continuous in it."""
    axis = axis if axis[0] >= 0 else -axis
    mirror = axis + np.eye(len(axis))[0]
    return 2 * np.outer(mirror, mirror) / (mirror @ mirror) - np.eye(len(axis))


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


def choose_quadrature(quadrature: Quadrature, model: Model, kinked: bool = False) -> Quadrature:
    """The rule for a model's normal shocks, with what is left open decided.

    `kinked`: whether the equations have kinks that no multiplier declares.
    """
    return settle(quadrature, count_normals(model), kinked or bool(multipliers(model)))


@dataclass(frozen=True)
class ChosenRule:
    """A `NormalRule` by its settings: the one with which a model is solved, or a finer one that judges it."""

    settled: Quadrature
    build: Callable[[Quadrature, int], tuple[np.ndarray, np.ndarray]]

    def __call__(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        return self.build(self.settled, dimension)

    @property
    def turns(self) -> bool:
        """Whether its first axis is to be turned into a direction."""
        return self.settled.rule == "aligned"


def choose_rule(quadrature: Quadrature, model: Model) -> ChosenRule:
    """The rule with which a model is solved."""
    return ChosenRule(choose_quadrature(quadrature, model), build_rule)


def choose_finer_rule(quadrature: Quadrature, model: Model) -> ChosenRule:
    """The rule by which a solution is judged."""
    return ChosenRule(choose_quadrature(quadrature, model), build_finer_rule)


def count_normals(model: Model) -> int:
    """The number of normal shocks, entries of vectors included."""
    return sum(width(s) for s in model.shocks if isinstance(s, Normal))


def count_axis_nodes(quadrature: Quadrature, model: Model) -> int | None:
    """The nodes for each normal shock, or along the axis of kinks; None where another rule, or none, is taken."""
    chosen = choose_quadrature(quadrature, model)
    return chosen.nodes if count_normals(model) and chosen.rule in ("product", "aligned") else None
