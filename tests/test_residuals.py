from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from conftest import economy, settings
from deqn.checks.contract import check_model
from deqn.economy.domain import SobolPoints
from deqn.economy.members import OneMember
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import gauss_hermite
from deqn.equations.residuals import LOSSES, loss, residuals, without_risk
from deqn.model.declaration import Discrete, Model, Normal, Policy, State


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_square_near_zero(name):
    r = tf.constant([-1e-3, 0.0, 2e-3], tf.float64)
    np.testing.assert_allclose(LOSSES[name](r, 1.0), r.numpy() ** 2, atol=1e-11)


def test_robust_losses_grow_linearly():
    r = tf.constant([100.0, 101.0], tf.float64)
    for name in ("huber", "log_cosh"):
        one, two = LOSSES[name](r, 0.5).numpy()
        assert two - one == pytest.approx(2 * 0.5, rel=1e-6)
    assert np.isfinite(LOSSES["log_cosh"](tf.constant(1e6, tf.float64), 1e-3))


def test_equations_are_weighed_by_name():
    errors = {"a": tf.constant([[1.0, 3.0]], tf.float64), "b": tf.constant([[2.0]], tf.float64)}
    plain, weighed = settings("+loss.weights.a=0"), settings("+loss.weights.b=10")
    assert loss(errors, plain.loss) == 4.0 and loss(errors, weighed.loss) == 5.0 + 40.0


def test_rows_do_not_mix():
    """A permutation of the batch permutes the residuals, and each row is what it is alone."""
    for name in ("stochastic_growth", "olg_analytic model.head=level"):
        e = economy(*f"model={name}".split())
        states = SobolPoints(e.domain, 16, 0, tf.float64).points()
        order = np.random.default_rng(0).permutation(16)
        whole = e.residuals(states)["euler"].numpy()
        np.testing.assert_allclose(
            e.residuals(tf.gather(states, order))["euler"], whole[..., order], rtol=1e-11, atol=1e-14
        )
        np.testing.assert_allclose(e.residuals(states[3:4])["euler"], whole[..., 3:4], rtol=1e-11, atol=1e-14)


def test_the_euler_equation_is_the_integral():
    """Against scipy's adaptive integration at the steady-state policy."""
    from scipy.integrate import quad
    from scipy.stats import norm

    e = economy("model=stochastic_growth", "model.gamma=5", "expectation.nodes=12", "network.anchor=steady_state")
    m, s = e.model, e.model.steady_state()["s"]
    k, z = 7.0, 0.1
    kp = (1 - m.delta) * k + s * np.exp(z) * k**m.alpha

    def integrand(eps):
        y = np.exp(m.rho * z + m.sigma * eps) * kp**m.alpha
        return (m.alpha * y / kp + 1 - m.delta) * ((1 - s) * y) ** -m.gamma * norm.pdf(eps)

    mean = quad(integrand, -10, 10, epsabs=1e-12)[0]
    exact = (m.beta * mean) ** (-1 / m.gamma) / ((1 - s) * np.exp(z) * k**m.alpha) - 1
    assert e.residuals(tf.constant([[k, z]], tf.float64))["euler"].numpy()[0, 0] == pytest.approx(exact, rel=1e-9)


@dataclass(frozen=True)
class Growing(Model):
    """The price of growth e^(sigma e), whose shock is no state: exp(sigma^2 / 2) exactly."""

    sigma: float = 0.1
    states = (State("x", -1.0, 1.0),)
    policies = (Policy("p"),)
    shocks = (Normal("e"), Discrete({"x": (0.5, -0.5), "boost": (1.0, 3.0)}, (0.5, 0.5)))

    def transition(self, now, shock):
        return {"x": shock.x}

    def residuals(self, now, nxt, E):
        return {"price": now.p - E(tf.exp(self.sigma * nxt.e) * nxt.boost) + 0 * E(nxt.x * nxt.p)}

    def steady_state(self):
        return {"x": 0.0, "p": 2.0}


def test_tomorrows_shocks_are_read_by_name_and_a_state_comes_first():
    model = Growing()
    expectation = build_expectation(model, lambda d: gauss_hermite(d, 9))
    states, exact = tf.constant([[0.1], [-0.2]], tf.float64), 2 * np.exp(0.1**2 / 2)
    policy = lambda s: tf.fill((len(s), 1), tf.constant(exact, tf.float64))
    np.testing.assert_allclose(residuals(model, policy, expectation, states)["price"], 0, atol=1e-12)
    row = tf.constant([[2.0]], tf.float64)
    at_means = without_risk(model, states[:1], row, states[:1], row)[1]["price"]
    np.testing.assert_allclose(at_means, 0, atol=1e-12)
    assert check_model(OneMember(model), lambda model: lambda d: gauss_hermite(d, 5))[1] == ["price"]
