"""The quasi-Newton solver on functions of its own: no economy is built."""

import numpy as np
import pytest
import tensorflow as tf

from deqn.optimizers.self_scaled_bfgs import SelfScaledBFGS, fits_memory
from deqn.optimizers.weights import flatten_weights

DATA = tf.zeros((1, 1), tf.float64)


def solver(function, start, data=DATA):
    """A solver of the loss function(data, x), which is known at the start."""
    x = tf.Variable(start, dtype=tf.float64)
    found = SelfScaledBFGS(lambda data: function(data, x), [x])
    found.evaluate(data)
    return found, x


def taken(solver, iterations, data=DATA):
    return int(solver.iterate(data, tf.constant(iterations)))


def rosenbrock(data, x):
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def network():
    """A regression of the sine by a hidden layer of five units, and its data."""
    data = tf.constant(np.linspace(-2, 2, 30)[:, None])
    rng = np.random.default_rng(0)
    weights = [tf.Variable(rng.standard_normal(shape)) for shape in ((1, 5), (5,), (5, 1))]

    def loss(data):
        kernel, bias, last = weights
        return tf.reduce_mean((tf.tanh(data @ kernel + bias) @ last - tf.sin(data)) ** 2)

    found = SelfScaledBFGS(loss, weights)
    found.evaluate(data)
    return found, data, weights


def test_rosenbrock_is_solved_at_one_and_one():
    found, x = solver(rosenbrock, [-1.2, 1.0])
    assert float(found.loss) == pytest.approx(24.2)
    np.testing.assert_allclose(found.gradient, [-215.6, -88.0])  # by hand, at the customary start
    assert 20 < taken(found, 200) < 100  # until no step lowers the loss
    np.testing.assert_allclose(x, [1, 1], rtol=0, atol=1e-8)


def test_an_ill_conditioned_quadratic_is_solved_as_linear_equations():
    """Curvatures from 1 to 1e6, in directions that are mixed."""
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    A, b = Q * np.logspace(0, 6, 8) @ Q.T, rng.standard_normal(8)
    found, x = solver(lambda data, x: tf.tensordot(x, tf.linalg.matvec(A, x), 1) / 2 - tf.tensordot(b, x, 1),
                      np.zeros(8))  # fmt: skip
    taken(found, 300)
    np.testing.assert_allclose(x, np.linalg.solve(A, b), rtol=0, atol=1e-6 * np.abs(np.linalg.solve(A, b)).max())


def test_the_secant_equation_holds():
    """H y = s for the newest pair, H symmetric and positive."""
    found, data, weights = network()
    taken(found, 5, data)
    x, g = flatten_weights(weights).numpy(), found.gradient.numpy()
    assert taken(found, 1, data) == 1
    s, y, H = flatten_weights(weights).numpy() - x, found.gradient.numpy() - g, found.inverse.numpy()
    np.testing.assert_allclose(H @ y, s, rtol=1e-6, atol=1e-8 * np.abs(s).max())
    np.testing.assert_allclose(H, H.T, atol=1e-9 * np.abs(H).max())
    assert np.linalg.eigvalsh(H).min() > 0


def test_many_steps_are_the_same_in_parts():
    (whole, data, x), (parts, _, y) = network(), network()
    assert taken(whole, 30, data) == taken(parts, 11, data) + taken(parts, 19, data) == 30
    np.testing.assert_array_equal(flatten_weights(x), flatten_weights(y))
    np.testing.assert_array_equal(whole.inverse, parts.inverse)


def test_the_loss_falls_by_orders_of_magnitude():
    found, data, _ = network()
    before = float(found.loss)
    taken(found, 300, data)
    assert float(found.loss) < 1e-5 * before


def test_no_step_is_taken_uphill():
    """A gradient of the wrong sign: the line search finds nothing, weights and loss stay."""

    @tf.custom_gradient
    def misleading(x):
        return rosenbrock(None, x), lambda upstream: -upstream * tf.constant([-215.6, -88.0], x.dtype)

    found, x = solver(lambda data, x: misleading(tf.convert_to_tensor(x)), [-1.2, 1.0])
    assert taken(found, 5) == 0
    np.testing.assert_array_equal(x, [-1.2, 1.0])
    assert float(found.loss) == pytest.approx(24.2)


def test_four_matrices_are_to_fit():
    assert fits_memory(100, tf.float64, 4 * 8 * 100**2) and not fits_memory(100, tf.float64, 4 * 8 * 100**2 - 1)
    assert fits_memory(100, tf.float32, 4 * 4 * 100**2)
