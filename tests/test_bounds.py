"""Bounds that are approached, bounds that bind, and the multipliers on them."""

import numpy as np
import pytest
import tensorflow as tf

from conftest import economy
from deqn.model.declaration import Multiplier, Policy
from deqn.model.layout import output_columns
from deqn.perturbation.first_order import linear_solution
from deqn.policies.bounds import Bounds, multiplier_rates

KINDS = [Policy("both", -1, 3), Policy("below", 2), Policy("above", None, 5), Policy("free")]
STEADY = np.array([0.0, 4.0, 1.0, -7.0])


def at(bounds, outputs):
    return bounds(tf.constant(np.atleast_2d(outputs), tf.float64)).numpy()


def test_bounds_hold_whatever_the_network_says():
    wild = at(Bounds(KINDS, STEADY, tf.float64), np.random.default_rng(0).normal(0, 20, (1000, 4)))
    assert (wild[:, 0] >= -1).all() and (wild[:, 0] <= 3).all()
    assert (wild[:, 1] >= 2).all() and (wild[:, 2] <= 5).all()
    assert wild[:, 1].max() > 10 and wild[:, 2].min() < -10 and np.ptp(wild[:, 3]) > 100


def test_outputs_are_the_inverse():
    bounds = Bounds(KINDS, STEADY, tf.float64)
    for row in (STEADY, np.array([2.5, 2.1, 4.9, 3.0])):
        np.testing.assert_allclose(at(bounds, bounds.outputs(row))[0], row, rtol=1e-12)


def test_a_steady_state_on_its_bound_starts_just_inside():
    bounds = Bounds([Policy("mu", 0), Policy("share", 0, 1)], np.zeros(2), tf.float64)
    start = at(bounds, bounds.outputs(np.zeros(2)))
    assert ((start > 0) & (start < 2e-3)).all()


def test_a_rounding_error_of_zero_is_no_unit():
    """A free policy that rests at zero, one on its bound, and a multiplier of zero: the network still moves them."""
    policies = [Policy("b"), Policy("a", 0), Policy("i", 0), Multiplier("m", "i")]
    steady = np.array([3e-17, 2e-17, 1e-17, 0.0])
    bounds = Bounds(policies, steady, tf.float64)
    up = at(bounds, bounds.outputs(steady) + 1.0)[0]
    assert (up[:3] > [0.1, 2e-3, 0.1]).all() and at(bounds, bounds.outputs(steady) - 1.0)[0, 3] > 0.1
    assert np.isfinite(bounds.pre_image(np.ones((4, 2)), np.zeros(3))).all()


CONSTRAINED = [
    Policy("i", 0, size=2), Multiplier("m", "i", size=2), Policy("L", 0, 3), Policy("p"), Multiplier("q", "L", "upper"),
]  # fmt: skip
AT_REST = np.array([0.5, 0.0, 0.0, 0.2, 3.0, 7.0, 0.1])  # i, m, L, p, q: the second i and L bind


def test_policy_and_multiplier_share_an_output():
    columns = output_columns(CONSTRAINED)
    np.testing.assert_array_equal(columns.own, [0, 1, 4, 5])
    np.testing.assert_array_equal(columns.lower, [2, 3, 4, 5])
    np.testing.assert_array_equal(columns.upper, [0, 1, 6, 5])
    parts = np.concatenate([columns.own, columns.lower, columns.upper])
    np.testing.assert_array_equal(parts[columns.place], np.arange(7))


def test_signs_and_complementary_slackness_hold_exactly():
    bounds = Bounds(CONSTRAINED, AT_REST, tf.float64)
    x = at(bounds, np.random.default_rng(1).normal(0, 2, (500, 4)))
    i, m, L, q = x[:, :2], x[:, 2:4], x[:, 4], x[:, 6]
    assert (i >= 0).all() and (m >= 0).all() and (i * m == 0).all() and (i > 0).any() and (m > 0).any()
    assert ((L >= 0) & (L <= 3)).all() and (q >= 0).all() and ((3 - L) * q == 0).all()
    assert (L < 3).any() and (q > 0).any()


def test_the_steady_state_of_a_constrained_economy_has_outputs():
    bounds = Bounds(CONSTRAINED, AT_REST, tf.float64)
    np.testing.assert_allclose(at(bounds, bounds.outputs(AT_REST))[0], AT_REST, atol=1e-12)


BOTH = [Policy("d", 0, 2), Multiplier("low", "d"), Policy("p"), Multiplier("high", "d", "upper")]


@pytest.mark.parametrize("rest", [[0.0, 0.3, 1, 0], [0.5, 0, 1, 0], [2.0, 0, 1, 0.7]], ids=["lower", "inside", "upper"])
def test_both_bounds_bind_with_a_multiplier_each(rest):
    bounds = Bounds(BOTH, np.array(rest), tf.float64)
    np.testing.assert_allclose(at(bounds, bounds.outputs(np.array(rest)))[0], rest, atol=1e-12)
    d, low, _, high = at(bounds, np.random.default_rng(1).normal(0, 5, (500, 2))).T
    assert ((d >= 0) & (d <= 2) & (low >= 0) & (high >= 0)).all()
    assert (d * low == 0).all() and ((2 - d) * high == 0).all() and (low * high == 0).all()
    assert (low > 0).any() and (high > 0).any() and ((d > 0) & (d < 2)).any()
    for x in np.stack([d, low, np.ones(500), high], 1)[::50]:
        np.testing.assert_allclose(at(bounds, bounds.outputs(x))[0], x, atol=1e-12)


@pytest.mark.parametrize("end, column, moves", [(0.0, 1, -1), (0.0, 0, 1), (2.0, 3, 1), (2.0, 0, -1)])
def test_at_either_kink_a_slope_goes_to_the_side_on_which_the_rule_moves(end, column, moves):
    """Columns d, low, p, high: the rule moves either d or the multiplier on the bound where it rests."""
    rest, slope = np.array([end, 0, 1, 0]), np.zeros((4, 1))
    slope[column] = 0.5
    bounds = Bounds(BOTH, rest, tf.float64)
    found = bounds.pre_image(slope, bounds.outputs(rest))
    moved = at(bounds, bounds.outputs(rest) + moves * 1e-6 * np.abs(found[:, 0]))[0] - rest
    assert abs(moved[column]) == pytest.approx(0.5e-6, rel=1e-4)


@pytest.mark.parametrize("policies, rest", [(KINDS, STEADY), (CONSTRAINED, AT_REST)], ids=["smooth", "kinked"])
def test_a_slope_goes_through_the_bounds(policies, rest):
    """A small move of the outputs along the pre-image moves what is off its kink along the slope."""
    bounds = Bounds(policies, rest, tf.float64)
    start, slope = bounds.outputs(rest), np.random.default_rng(2).normal(size=(len(rest), 3))
    off = output_columns(policies).find_binding(rest[None])[0]
    step = 1e-6 * np.array([1.0, -2.0, 0.5])
    moved = at(bounds, start + bounds.pre_image(slope, start) @ step)[0] - rest
    np.testing.assert_allclose(moved[off], (slope @ step)[off], rtol=1e-4)


def test_a_multiplier_makes_up_for_a_policy_that_cannot_move():
    """Of i, m, L, p, q with m on i and q on L: held where it is while the others answer, to the same equations."""
    policies = [Policy("i", 0), Multiplier("m", "i"), Policy("L", 0, 3), Policy("p"), Multiplier("q", "L", "upper")]
    jacobian_today = np.random.default_rng(3).normal(size=(5, 5))  # the last two equations are slackness
    own, beside = output_columns(policies).own, output_columns(policies).first
    rates = multiplier_rates(jacobian_today, own, beside)
    for output, (policy, multiplier) in {0: (0, 1), 1: (2, 4)}.items():
        held = [multiplier if c == policy else c for c in own]
        answer = np.linalg.solve(jacobian_today[:3, held], jacobian_today[:3, policy])[output]
        assert rates[output] == pytest.approx(abs(answer))
    assert rates[2] == 1
    np.testing.assert_array_equal(multiplier_rates(np.zeros((5, 5)), own, beside), 1)
    bounds = Bounds(policies, np.array([0.5, 0, 1, 7, 0]), tf.float64, jacobian_today)
    x = at(bounds, [[-1.0, 0, 0], [0.5, 0, 0]])
    assert x[0, 1] == pytest.approx(0.5 * rates[0]) and x[1, 0] == pytest.approx(0.25)  # i's unit is 0.5


def test_the_multiplier_of_investment_rises_by_what_investment_cannot_fall():
    """Free or held, the policies meet an Euler equation that is off by a little; the two have opposite signs."""
    e = economy("model=irreversible")
    jacobian_today, columns = linear_solution(e.model, e.steady).jacobian_today, output_columns(e.model.policies)
    own, beside = columns.own, columns.lower
    free, held = (-np.linalg.solve(jacobian_today[:1, column], [1e-6])[0] for column in (own, beside))
    (rate,) = multiplier_rates(jacobian_today, own, beside)
    assert -held / free == pytest.approx(rate) and rate > 1  # marginal utility 1 / c, and capital's return tomorrow
