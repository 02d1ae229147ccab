"""Rules integrate polynomials exactly: every monomial up to the degree, against the moments of the normal."""

import itertools
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import norm

from conftest import settings
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import (
    aligned,
    build_finer_rule,
    build_rule,
    gauss_hermite,
    monomial,
    monte_carlo,
    settle,
    spherical_radial,
)
from deqn.model.declaration import Discrete, Markov, Normal, Point


def chosen(words, dimension, constrained=False):
    """The rule that some words choose for so many shocks."""
    return settle(settings(*words.split()).expectation, dimension, constrained)


def normal_moment(power: int) -> float:
    """E x^power for a standard normal: (power - 1)!! or zero."""
    return 0.0 if power % 2 else float(np.prod(np.arange(power - 1, 0, -2)))


def monomials(dimension: int, degree: int):
    """Exponents of all monomials of total degree at most `degree`."""
    for total in range(degree + 1):
        for picks in itertools.combinations_with_replacement(range(dimension), total):
            yield np.bincount(picks, minlength=dimension) if picks else np.zeros(dimension, int)


def worst_moment_error(nodes, weights, degree) -> float:
    powers = list(monomials(nodes.shape[1], degree))
    exact = np.array([np.prod([normal_moment(p) for p in exponents]) for exponents in powers])
    found = np.array([weights @ np.prod(nodes**exponents, 1) for exponents in powers])
    return np.abs(found - exact).max()


@pytest.mark.parametrize("dimension", range(1, 11))
@pytest.mark.parametrize("degree", [3, 5])
def test_monomial_rules_are_exact_to_their_degree(dimension, degree):
    nodes, weights = monomial(dimension, degree)
    assert len(nodes) == len(weights) and worst_moment_error(nodes, weights, degree) < 1e-12
    if degree == 3:
        assert len(nodes) == 2 * dimension


@pytest.mark.parametrize("dimension", [*range(1, 22), 30])
def test_rules_of_degree_five_have_positive_weights(dimension):
    """Every monomial of degree 5 at most: its moments by their kinds, all positions of each kind at once."""
    nodes, weights = monomial(dimension, 5)
    assert (weights >= 0).all() and np.abs(weights).sum() == pytest.approx(1, abs=1e-13)
    assert len(nodes) <= max(1.6 if dimension < 23 else 2.7, 1) * (2 * dimension**2 + 1)
    products = [nodes]
    for _ in range(2):  # of two, then of three coordinates
        products.append((products[-1][:, :, None] * nodes[:, None]).reshape(len(nodes), -1))
    exact = [np.zeros(dimension), np.eye(dimension).ravel()]
    pairs = np.multiply.outer(exact[1], exact[1]).reshape((dimension,) * 4)
    fourth = pairs + pairs.transpose(0, 2, 1, 3) + pairs.transpose(0, 2, 3, 1)  # Isserlis
    for power, moments in ((0, exact[0]), (1, exact[1]), (2, np.zeros(dimension**3))):
        np.testing.assert_allclose(weights @ products[power], moments, atol=1e-12)
    np.testing.assert_allclose((products[1].T * weights) @ products[1], fourth.reshape((dimension**2,) * 2), atol=1e-11)
    odd = (products[1].T * weights) @ products[2] if dimension < 9 else (products[0].T ** 3 * weights) @ products[1]
    assert np.abs(odd).max() < 1e-11


def test_the_expectation_of_a_positive_function_is_positive():
    """Of one that lives where a rule with negative weights takes away: beyond the axes, in eleven dimensions."""
    nodes, weights = build_rule(chosen("expectation=auto", 11), 11)
    far = np.abs(nodes).max(1) > 0.99 * np.abs(nodes).max()
    assert weights @ np.where(far, 1.0, 1e-6) > 0
    assert weights @ np.exp(3 * np.abs(nodes).max(1)) > 0


@pytest.mark.parametrize("dimension", range(1, 11))
def test_the_variance_is_not_halved(dimension):
    """Nodes at sqrt(d / 2), as a widely used library has them, integrate half of it."""
    for degree in (3, 5):
        nodes, weights = monomial(dimension, degree)
        np.testing.assert_allclose((nodes.T * weights) @ nodes, np.eye(dimension), atol=1e-13)
    nodes, weights = monomial(dimension, 3)
    assert worst_moment_error(nodes / np.sqrt(2), weights, 2) > 0.4


@pytest.mark.parametrize("dimension, nodes", [(1, 1), (1, 5), (1, 9), (2, 3), (2, 5), (3, 3), (4, 2)])
def test_the_product_rule_is_exact_in_each_variable(dimension, nodes):
    points, weights = gauss_hermite(dimension, nodes)
    for exponents in itertools.product(range(2 * nodes), repeat=dimension):
        exact = np.prod([normal_moment(p) for p in exponents])
        assert weights @ np.prod(points ** np.array(exponents), 1) == pytest.approx(exact, rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("dimension, degree", [(4, 3), (4, 5), (7, 5), (30, 3)])
def test_the_rule_of_other_radii_and_directions_is_as_exact(dimension, degree):
    nodes, weights = spherical_radial(dimension, degree, copies=2, seed=0)
    if dimension < 10:
        assert worst_moment_error(nodes, weights, degree) < 1e-12
    squares = (nodes**2).sum(1)
    assert weights @ squares == pytest.approx(dimension) and np.abs(weights @ nodes).max() < 1e-12
    sixth = dimension * (dimension + 2) * (dimension + 4)  # E |x|^6, which no rule of one radius meets
    assert weights @ squares**3 == pytest.approx(sixth) and weights.sum() == pytest.approx(1)


def seen(quadrature, dimension, function, exact):
    """The error of training's rule, and the part of it that the evaluation's rule sees."""
    rules = build_rule(quadrature, dimension), build_finer_rule(quadrature, dimension)
    error, left = (weights @ function(nodes) - exact for nodes, weights in rules)
    return error, error - left


@pytest.mark.parametrize("words, dimension", [
    *((f"expectation=monomial expectation.degree={degree}", d) for degree in (3, 5) for d in (1, 2, 3, 4, 8)),
    ("expectation=monomial expectation.degree=3", 25), ("expectation=auto", 2), ("expectation=auto", 5),
])  # fmt: skip
def test_the_evaluation_sees_the_error_of_trainings_rule(words, dimension):
    """Along the radius, where rotated copies are blind: E exp(-|x|^2 / 2d). Along one axis: E exp(x)."""
    quadrature = chosen(words, dimension)
    radial = lambda x: np.exp(-(x**2).sum(1) / (2 * dimension))
    error, found = seen(quadrature, dimension, radial, (1 + 1 / dimension) ** (-dimension / 2))
    assert abs(found) > 0.5 * abs(error) or abs(error) < 1e-8
    error, found = seen(quadrature, dimension, lambda x: np.exp(x[:, 0]), np.exp(0.5))
    assert abs(found) > 0.25 * abs(error) or abs(error) < 1e-4


def test_monte_carlo_is_antithetic_and_converges():
    nodes, weights = monte_carlo(3, 100_000, seed=1)
    assert np.abs(weights @ nodes).max() < 1e-12 and np.abs(weights @ nodes**3).max() < 1e-12
    np.testing.assert_allclose((nodes.T * weights) @ nodes, np.eye(3), atol=0.02)


@pytest.mark.parametrize("dimension, size", [(1, 5), (3, 125), (4, 33), (5, 43), (11, 278)])
def test_auto_is_product_up_to_three_and_monomial_above(dimension, size):
    assert len(build_rule(chosen("expectation=auto", dimension), dimension)[0]) == size


@pytest.mark.parametrize("dimension, size", [(1, 21), (2, 63), (3, 189), (4, 33)])
def test_with_constraints_auto_is_aligned_up_to_three_and_monomial_above(dimension, size):
    rule = chosen("expectation=auto", dimension, constrained=True)
    assert len(build_rule(rule, dimension)[0]) == size


@pytest.mark.parametrize("dimension, nodes, across", [(1, 23, 3), (2, 15, 5), (3, 23, 3), (5, 23, 3)])
def test_the_aligned_rule_has_the_moments_of_the_normal(dimension, nodes, across):
    points, weights = aligned(dimension, nodes, across)
    assert worst_moment_error(points, weights, 3) < 1e-12  # mean, variance and independence exactly
    assert worst_moment_error(points, weights, 5) < 5e-3  # tails beyond 4.5 standard deviations are left out


def test_a_single_node_along_the_axis_is_the_mean():
    points, weights = aligned(2, 1, 3)
    assert (points[:, 0] == 0).all() and weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("bent", [0.0, 0.3])
def test_at_a_kink_the_aligned_rule_is_better_than_the_product_rule(bent):
    """E max(x + bent y^2 - c, 0) over places c of the kink, against a rule of 400 nodes along each direction."""
    places = np.linspace(-1, 1, 21)
    error = lambda rule: np.abs(kinked(*rule, places, bent) - exact).mean()
    exact = kinked(*aligned(2, 401, 41), places, bent)
    assert error(aligned(2, 23, 3)) < 0.6 * error(gauss_hermite(2, 8))  # 69 and 64 nodes
    assert error(aligned(2, 33, 5)) < 0.6 * error(aligned(2, 23, 3))


@pytest.mark.parametrize("dimension, nodes, across, factor", [(2, 21, 3, 0.6), (2, 32, 5, 0.7), (3, 21, 3, 0.5)])
def test_staggered_rows_of_nodes_cancel_each_others_errors_at_a_kink(dimension, nodes, across, factor):
    """E max(x - c, 0) over places c: against rows of nodes that all lie alike, with the closed form."""
    places = np.linspace(-1, 1, 101)
    rows, along = gauss_hermite(dimension - 1, across), aligned(1, nodes, across)
    straight = np.array([[*x, *y] for x in along[0] for y in rows[0]]), np.outer(along[1], rows[1]).ravel()
    exact = norm.pdf(places) - places * norm.sf(places)
    error = lambda rule: np.abs(rule[1] @ np.maximum(rule[0][:, :1] - places, 0) - exact).mean()
    assert error(aligned(dimension, nodes, across)) < factor * error(straight)


def kinked(nodes, weights, places, bent):
    return weights @ np.maximum(nodes[:, :1] + bent * nodes[:, 1:] ** 2 - places, 0)


@pytest.mark.parametrize("choice, dimension", [("product", 2), ("monomial", 1), ("monomial", 4), ("auto", 6)])
def test_the_evaluation_uses_other_and_better_nodes(choice, dimension):
    """E exp(0.3 sum x / sqrt(d)), known in closed form: the finer rule is closer."""
    quadrature = chosen(f"expectation={choice}", dimension)
    error = []
    for nodes, weights in (build_rule(quadrature, dimension), build_finer_rule(quadrature, dimension)):
        mean = weights @ np.exp(1.5 * nodes.sum(1) / np.sqrt(dimension))
        error.append(abs(mean - np.exp(1.5**2 / 2)))
    assert error[1] < error[0]


def test_the_evaluation_draws_more_and_afresh():
    quadrature = chosen("expectation=monte_carlo", 2)
    trained, judged = build_rule(quadrature, 2)[0], build_finer_rule(quadrature, 2)[0]
    assert len(judged) == 4 * len(trained) and not np.isin(judged, trained).any()


class Shocks:
    """As much of a model as an expectation reads."""

    policies = ()

    def __init__(self, *shocks):
        self.shocks = shocks


def expected(shocks, function, now=None):
    e = build_expectation(Shocks(*shocks), partial(build_rule, chosen("expectation=product", 2)))
    E = e.operator(now or Point({}), tf.float64)
    return E(function(e.shocks(tf.float64))).numpy()


def test_normals_and_discrete_shocks_multiply():
    shocks = (Normal("x"), Normal("v", size=2), Discrete({"a": [1.0, 3.0], "b": [0.0, 10.0]}, [0.25, 0.75]))
    value = expected(shocks, lambda s: s.x**2 * s.a + s.v[0] ** 2 * s.b + s.v[1] * s.a + s.a * s.b)
    np.testing.assert_allclose(value, [[2.5 + 7.5 + 0.75 * 30]], rtol=1e-12)


def test_vectors_keep_their_leading_axis():
    value = expected((Normal("v", size=3),), lambda s: (s.v + 1) ** 2)
    assert value.shape == (3, 1, 1)
    np.testing.assert_allclose(value, 2.0)


def test_a_chain_is_weighed_by_todays_state():
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    chain = Markov({"x": [1.0, 2.0]}, lambda now: tf.gather(transition.T, tf.cast(now.regime[0], tf.int32), axis=1))
    now = Point({"regime": tf.constant([[0.0, 1.0, 0.0]], tf.float64)})
    value = expected((chain, Normal("e")), lambda s: s.x + s.e, now)
    np.testing.assert_allclose(value, [[1.1, 1.7, 1.1]], rtol=1e-12)


@given(mean=st.floats(-1, 1), scale=st.floats(0.01, 0.5))
@hypothesis_settings(derandomize=True, deadline=None, max_examples=30)
def test_lognormal_means(mean, scale):
    nodes, weights = gauss_hermite(1, 9)
    assert weights @ np.exp(mean + scale * nodes[:, 0]) == pytest.approx(np.exp(mean + scale**2 / 2), rel=1e-8)


def test_a_deterministic_economy_has_one_node():
    assert expected((), lambda s: tf.constant([[3.0]], tf.float64)) == 3.0
