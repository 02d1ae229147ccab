"""The least squares solver on problems of its own: no economy is built."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from deqn.optimizers.damped_equations import accelerate, choose_form, linearize
from deqn.optimizers.levenberg_marquardt import LeastSquares
from deqn.optimizers.residual_function import ResidualFunction
from deqn.optimizers.weights import assign_flat, flatten_weights

FORMS = ("primal", "dual", "matrix_free")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 3))


@pytest.fixture(params=FORMS)
def form(request, monkeypatch):
    """Each form in turn, whatever size and memory would choose."""
    monkeypatch.setattr("deqn.optimizers.damped_equations.choose_form", lambda *_: request.param)
    return request.param


def solver(function, *starts, memory=2**20, damping=1e-3, jit_compile=False):
    """A solver for residuals(data, *variables) [batch, equations], and its variables."""
    variables = [tf.Variable(start, dtype=tf.float64) for start in starts]
    residuals = ResidualFunction(lambda data: function(data, *variables), variables, memory, jit_compile=jit_compile)
    return LeastSquares(residuals, damping), variables


def solve(fit, data, steps):
    """The losses of so many steps, each no higher than the one before."""
    losses = [fit.iterate(data, data[:0]) for _ in range(steps)]
    assert all(after <= before for before, after in losses)
    return losses


def rosenbrock(data, x):
    """Two residuals whose squares sum to Rosenbrock's function (1960), at each point of any data."""
    return tf.tile(tf.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])[None], (data.shape[0], 1))


def linear(data, kernel, bias):
    """Residuals of a regression of the last column on those before it."""
    return data[:, :-1] @ kernel + bias - data[:, -1:]


def exponential(data, amplitude, decay):
    """Residuals of y = amplitude exp(-decay t)."""
    return (amplitude * tf.exp(-decay * data[:, :1])) - data[:, 1:]


def network(memory=2**20, **options):
    """A hidden layer of five units, 26 weights, with two equations a point, off any solution."""

    def residuals(data, kernel, bias, last):
        y = tf.tanh(data @ kernel + bias) @ last
        return tf.stack([y[:, 0] - tf.sin(data[:, 0]), y[:, 1] * data[:, 1] - 0.3], 1)

    rng = np.random.default_rng(1)
    starts = [rng.standard_normal(shape) for shape in ((2, 5), (5,), (5, 2), ())]
    return solver(lambda data, kernel, bias, last, shift: residuals(data, kernel, bias, last) + shift, *starts,
                  memory=memory, **options)[0]  # fmt: skip


def points(n):
    return tf.constant(np.random.default_rng(2).uniform(-1, 1, (n, 2)))


def test_rosenbrock_is_solved_at_one_and_one(form):
    fit, (x,) = solver(rosenbrock, [-1.2, 1.0], jit_compile=form == "primal")
    losses = solve(fit, tf.zeros((1, 1), tf.float64), 40)
    assert losses[0][0] == pytest.approx(24.2)  # of the customary start
    np.testing.assert_allclose(x, [1, 1], rtol=0, atol=1e-10)


def test_a_linear_regression_is_that_of_numpy(form):
    y = X @ [1.0, -2.0, 0.5] + 3 + 0.1 * RNG.standard_normal(12)
    fit, (kernel, bias) = solver(linear, np.zeros((3, 1)), np.zeros(1))
    data = tf.constant(np.column_stack([X, y]))
    solve(fit, data, 15)
    expected, (square,), *_ = np.linalg.lstsq(np.column_stack([X, np.ones(12)]), y, rcond=None)
    np.testing.assert_allclose([*np.ravel(kernel), *bias.numpy()], expected, rtol=1e-8)
    assert fit.loss(data) == pytest.approx(square / 12, rel=1e-12)


def test_fewer_points_than_weights_leave_the_shortest_solution(form):
    """From zero, every step lies in the row space of the data, as the solution of minimum norm does."""
    few, y = X[:2], np.array([1.0, -2.0])
    fit, (kernel,) = solver(lambda data, kernel: data[:, :-1] @ kernel - data[:, -1:], np.zeros((3, 1)))
    solve(fit, tf.constant(np.column_stack([few, y])), 20)
    np.testing.assert_allclose(np.ravel(kernel), np.linalg.lstsq(few, y, rcond=None)[0], rtol=1e-8)


def test_a_nonlinear_regression_is_that_of_scipy(form):
    t = np.linspace(0, 4, 20)
    y = 2.5 * np.exp(-1.3 * t) + 0.01 * np.random.default_rng(3).standard_normal(20)
    fit, (amplitude, decay) = solver(exponential, 1.0, 0.1)
    solve(fit, tf.constant(np.column_stack([t, y])), 40)
    expected, _ = scipy.optimize.curve_fit(lambda t, a, b: a * np.exp(-b * t), t, y, p0=(2.0, 1.0), ftol=1e-14)
    np.testing.assert_allclose([float(amplitude), float(decay)], expected, rtol=1e-6)


def test_size_and_memory_choose_the_form():
    plenty, n = 2**30, 100
    assert choose_form(n, 1000, plenty) == "primal" and choose_form(n, 10, plenty) == "dual"
    assert choose_form(n, 1000, 8 * 2 * n**2) == "primal" and choose_form(n, 1000, 8 * 2 * n**2 - 1) == "matrix_free"
    assert choose_form(n, 10, 8 * (10 * n + 2 * 10**2)) == "dual"


def test_the_step_solves_the_damped_equations(form):
    fit, data = network(memory=2**20), points(10)
    values, J = fit.residuals.values(data), fit.residuals.jacobian(data)
    assert J.shape == (20, 26)
    shift = 1e-2 * np.einsum("ij,ij->j", J, J).max()
    damped = J.T @ J + shift * np.eye(26)
    straight = -np.linalg.solve(damped, J.T @ values)
    expected, tolerance = straight, 1e-5
    if form != "matrix_free":  # the Jacobian is at hand: J differs along the step by the second derivative
        start = flatten_weights(fit.residuals.variables)
        slopes = []
        for h in (1e-4, -1e-4):
            assign_flat(fit.residuals.variables, start + h * straight)
            slopes.append(fit.residuals.jacobian(data) @ straight)
        assign_flat(fit.residuals.variables, start)
        acceleration = -np.linalg.solve(damped, J.T @ (slopes[0] - slopes[1]) / 2e-4)
        assert 0.01 < np.linalg.norm(acceleration) / np.linalg.norm(straight) < 0.37
        expected, tolerance = straight + acceleration / 2, 1e-3
    step, predicted = linearize(fit.residuals, data, values)(1e-2)
    np.testing.assert_allclose(step, expected, atol=tolerance * np.abs(expected).max())
    assert predicted == pytest.approx(values @ values - np.sum((values + J @ straight) ** 2), rel=1e-6)


def test_a_step_stays_straight_where_its_acceleration_is_too_long_or_none():
    step = np.array([3.0, 4.0])
    np.testing.assert_array_equal(accelerate(step, np.array([0.0, 1.8])), [3.0, 4.9])
    for acceleration in ([0.0, 1.9], [np.nan, 0.0]):
        np.testing.assert_array_equal(accelerate(step, np.array(acceleration)), step)


def test_accelerated_steps_follow_a_curved_valley():
    """From the customary start of Rosenbrock's function, whose valley is a parabola; straight steps leave 8e-4."""
    fit, _ = solver(rosenbrock, [-1.2, 1.0])
    assert solve(fit, tf.zeros((1, 1), tf.float64), 12)[-1][1] < 1e-8


def test_products_alone_solve_the_same_equations():
    """Too little memory for any matrix: (J'J + shift) d = -J'r for the shift of the preconditioner's few states."""
    fit, data = network(memory=8 * 26 * 20), points(40)
    values, J = fit.residuals.values(data), fit.residuals.jacobian(data)
    assert choose_form(26, len(values), fit.residuals.memory) == "matrix_free"
    step, predicted = linearize(fit.residuals, data, values)(1e-2)
    slope = J.T @ (J @ step + values)
    shift = -slope @ step / (step @ step)
    assert shift > 0 and np.linalg.norm(slope + shift * step) < 1e-5 * np.linalg.norm(J.T @ values)
    assert predicted == pytest.approx(values @ values - np.sum((values + J @ step) ** 2), rel=1e-6)
    before, after = fit.iterate(data, data[:4])
    assert after < 0.5 * before


def test_derivatives_are_those_of_finite_differences():
    fit, data = network(), points(3)
    residuals, start = fit.residuals, np.concatenate([np.ravel(v) for v in fit.residuals.variables])

    def at(flat):
        sizes = np.cumsum([v.shape.num_elements() for v in residuals.variables])[:-1]
        for variable, part in zip(residuals.variables, np.split(flat, sizes), strict=True):
            variable.assign(part.reshape(variable.shape))
        return residuals.values(data)

    expected = np.stack([(at(start + h) - at(start - h)) / 2e-6 for h in 1e-6 * np.eye(26)], 1)
    at(start)
    J, v, u = residuals.jacobian(data), np.arange(26.0), np.arange(6.0)
    np.testing.assert_allclose(J, expected, atol=1e-8)
    np.testing.assert_allclose(residuals.product(data, v), expected @ v, atol=1e-6)
    np.testing.assert_allclose(residuals.transposed_product(data, u), expected.T @ u, atol=1e-6)


def test_normal_equations_by_slices_are_the_same():
    fit, data = network(), points(60)
    values = fit.residuals.values(data)
    whole, _ = linearize(fit.residuals, data, values)(1e-2)
    fit.residuals.memory = 2 * 8 * 120 * 26  # the Jacobian takes half of it
    assert choose_form(26, 120, fit.residuals.memory) == "primal"
    assert len(list(fit.residuals.slices(data, values))) > 1
    np.testing.assert_allclose(linearize(fit.residuals, data, values)(1e-2)[0], whole, rtol=1e-6)
    fit.residuals.memory = 8 * 2 * 26**2  # it is not kept, and steps are straight
    J = fit.residuals.jacobian(data)
    shift = 1e-2 * np.einsum("ij,ij->j", J, J).max()
    straight = -np.linalg.solve(J.T @ J + shift * np.eye(26), J.T @ values)
    np.testing.assert_allclose(linearize(fit.residuals, data, values)(1e-2)[0], straight, rtol=1e-6)


def weights(fit):
    return [v.numpy() for v in fit.residuals.variables]


def test_a_jacobian_of_zeros_takes_no_step():
    fit, data = network(), points(16)
    start = weights(fit)
    fit.residuals._jacobian = lambda data: tf.zeros((len(data), 2, 26), tf.float64)
    before, after = fit.iterate(data, data[:4])
    assert before == after > 0
    for old, new in zip(start, weights(fit), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_step_into_the_void_is_taken_back():
    """A Jacobian of the wrong sign: every step raises the loss, so the weights stay and remain finite."""
    fit, data = network(), points(16)
    start, damping, right = weights(fit), float(fit.damping), fit.residuals._jacobian
    fit.residuals._jacobian = lambda data: -right(data)
    before, after = fit.iterate(data, data[:4])
    assert before == after and float(fit.damping) == pytest.approx(damping)
    for old, new in zip(start, weights(fit), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_not_finite_is_reported():
    fit, data = network(), points(16)
    assert fit.iterate(data * np.nan, data) is None and fit.iterate(data, data * np.nan) is None
    right = fit.residuals._jacobian
    fit.residuals._jacobian = lambda data: right(data) * np.nan
    assert fit.iterate(data, data[:4]) is None


@pytest.mark.parametrize("veto", [True, False])
def test_held_out_data_have_a_veto(veto, monkeypatch):
    """A point is fitted by a constant that is far from all others, unless the others are heard."""
    if not veto:
        monkeypatch.setattr("deqn.optimizers.levenberg_marquardt.HELD_OUT", np.inf)
    fit, (bias,) = solver(lambda data, bias: bias - data, [0.0], damping=1.0)
    fit.iterate(tf.constant([[10.0]], tf.float64), tf.constant([[1.0], [-1.0]], tf.float64))
    assert (fit.loss(tf.constant([[1.0], [-1.0]], tf.float64)) <= 2) == veto
    assert float(bias[0]) > 0.1  # a shorter step is taken


def test_noise_is_what_rounding_the_data_changes():
    """Residuals 1000 x - w move by 2000 rounding errors of x."""
    fit, _ = solver(lambda data, w: 1000 * data - w, [0.0])
    data = tf.constant([[1.0], [2.0]], tf.float64)
    eps = np.finfo(float).eps
    assert fit.noise(data) == pytest.approx((2000 * eps) ** 2 * (1 + 4) / 2, rel=0.01)
