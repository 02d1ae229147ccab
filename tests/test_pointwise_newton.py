"""Many small systems at once: roots, kinks, starts without numbers, and points that have no root."""

import numpy as np
import tensorflow as tf

from deqn.equations.residuals import fischer_burmeister
from deqn.optimizers.pointwise_newton import PointwiseNewton, solve_systems


def column(values):
    return tf.constant(np.reshape(values, (-1, 1)), tf.float64)


def test_every_point_has_its_own_root():
    data = column(np.linspace(0.5, 3, 50))
    newton = PointwiseNewton(lambda x, d: tf.stack([x[:, 0] ** 3 - d[:, 0], x[:, 1] - tf.exp(x[:, 0])], 1), tf.float64)
    roots, sizes, first = newton.solve(np.ones((50, 2)), data)
    root = np.cbrt(data.numpy()[:, 0])
    np.testing.assert_allclose(roots, np.stack([root, np.exp(root)], 1), rtol=1e-7)
    assert sizes.max() <= newton.solved
    np.testing.assert_allclose(first, np.maximum(np.abs(1 - data[:, 0]), np.e - 1))


def test_a_kink_is_crossed():
    """x >= 0 and x + d >= 0, one of them with equality: x is max(-d, 0)."""
    data = column(np.linspace(-2, 2, 41))
    newton = PointwiseNewton(lambda x, d: fischer_burmeister(x, x + d), tf.float64)
    roots, _, _ = newton.solve(np.full((41, 1), 0.7), data)
    np.testing.assert_allclose(roots, np.maximum(-data, 0), atol=1e-7)


def test_a_point_that_has_no_numbers_at_its_start_is_solved_from_another():
    data = column(np.linspace(1, 2, 40))
    newton = PointwiseNewton(lambda x, d: tf.math.log(x) - d, tf.float64)
    start = np.ones((40, 1))
    start[::4] = -0.1
    roots, sizes, first = newton.solve(start, data)
    assert np.isinf(first[::4]).all() and sizes.max() <= newton.solved
    np.testing.assert_allclose(roots, np.exp(data), rtol=1e-6)


def test_a_point_without_a_root_is_told_and_spoils_no_other():
    data = column(np.linspace(-1, 1, 20))  # x^2 = d
    newton = PointwiseNewton(lambda x, d: x**2 - d, tf.float64)
    roots, sizes, _ = newton.solve(np.full((20, 1), 0.5), data)
    np.testing.assert_array_equal(sizes <= newton.solved, data[:, 0] > 0)
    np.testing.assert_allclose(np.abs(roots[10:, 0]), np.sqrt(data[10:, 0]), rtol=1e-6)


def test_a_singular_system_takes_the_smallest_step():
    slopes = np.array([[[1.0, 1.0], [1.0, 1.0]], [[2.0, 0.0], [0.0, 4.0]]])
    steps = solve_systems(slopes, np.array([[0.2, 0.2], [1.0, 1.0]]))
    np.testing.assert_allclose(steps, [[-0.1, -0.1], [-0.5, -0.25]], atol=1e-12)


def test_steps_are_short_and_zero_where_there_are_no_numbers():
    steps = solve_systems(np.array([[[0.01]], [[np.nan]]]), np.array([[1.0], [1.0]]))
    np.testing.assert_array_equal(steps, [[-1.0], [0.0]])


def test_one_jacobian_brings_near_points_nearer(monkeypatch):
    """x + x^2 / 10 = d, with the derivative at d = 0.5; a point without numbers stays where it is."""
    data = column([*np.linspace(0.2, 0.8, 30), np.nan])
    newton, asked = PointwiseNewton(lambda x, d: x + 0.1 * x**2 - d, tf.float64), []
    slopes = newton._slopes
    monkeypatch.setattr(newton, "_slopes", lambda x, d: (asked.append(len(d)), slopes(x, d))[1])
    start = np.full((31, 1), 0.5)
    roots, sizes, first = newton.follow_chord(start, data, (start[:1], column([0.5])))
    assert asked == [1]
    assert np.median(sizes) <= 0.01 * np.median(first) and (sizes <= first).all() and np.isinf(sizes[-1])
    exact = 5 * (np.sqrt(1 + 0.4 * data[:-1, 0]) - 1)
    assert np.abs(roots[:-1, 0] - exact).max() < 0.05 * np.abs(0.5 - exact).max() and roots[-1, 0] == 0.5
