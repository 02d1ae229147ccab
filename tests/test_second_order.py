"""The quadratic anchor: its order of accuracy, its constant under risk, and the derivatives that it is made from."""

import numpy as np
import pytest
import tensorflow as tf

from conftest import economy
from deqn.perturbation.derivatives import bilinear, jacobian
from deqn.perturbation.second_order import risk_correction, sum_by_doubling


def polynomial(x):
    """Two functions of three variables, row by row."""
    a, b, c = x[:, 0], x[:, 1], x[:, 2]
    return tf.stack([a * b**2 + 3 * c, a**2 - 2 * b * c], 1)


def test_derivatives_of_a_polynomial():
    at = np.array([2.0, 3.0, 5.0])
    np.testing.assert_allclose(jacobian(polynomial, at), [[9, 12, 3], [4, -10, -6]])
    basis = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    expected = [[[0, 6, 0], [6, 4, 0], [0, 0, 0]], [[2, 0, 0], [0, 0, -2], [0, -2, 0]]]
    np.testing.assert_allclose(bilinear(polynomial, at, basis), expected, atol=1e-12)
    np.testing.assert_allclose(bilinear(polynomial, at, basis[:1])[:, 0, 0], [0, 2], atol=1e-12)


def test_doubling_solves_its_equation():
    rng = np.random.default_rng(0)
    X, M, C = rng.normal(size=(3, 4, 4)), 0.3 * rng.normal(size=(3, 3)), np.diag([0.99, 0.9, 0.5, 0.1])
    Q = sum_by_doubling(X, M, C)
    np.testing.assert_allclose(Q, X + np.einsum("ij,jab->iab", M, C.T @ Q @ C), rtol=1e-10)
    with pytest.raises(ValueError, match="do not settle"):
        sum_by_doubling(X, 2 * np.eye(3), np.eye(4))


CASES = {
    "growth": ("model=growth", "model.delta=0.1"),
    "growth with labour": ("model=growth_labor", "model.sigma=0"),
    "a cap that binds": ("model=growth_labor", "model.sigma=0", "model.capped=true", "model.L_max=0.8"),
    "countries": ("model=irbc", "model.sigma=1e-9"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("anchor, order", [("linear", 2), ("quadratic", 3)])
def test_errors_without_risk_shrink_with_the_order_of_the_anchor(case, anchor, order):
    """At half the distance from the steady state a quarter of the linear, an eighth of the quadratic error is left."""
    e = economy(*CASES[case], f"network.anchor={anchor}")
    direction = np.resize([0.02, -0.01, 0.015], len(e.steady.states))
    near = tf.constant(np.stack([e.steady.states + h * direction for h in (1.0, 0.5)]))
    for r in e.residuals(near).values():
        sizes = np.abs(r.numpy()).reshape(-1, 2)
        assert sizes[:, 0].max() > 1e-11
        assert sizes[:, 0].max() / sizes[:, 1].max() == pytest.approx(2**order, rel=0.15)


def test_the_constant_carries_the_premium_for_risk():
    """Price-dividend ratio at the mean: 12.303515 without risk, 12.481236 with it."""
    ratios = {}
    for anchor in ("linear", "quadratic"):
        e = economy("model=asset_pricing", f"network.anchor={anchor}")
        at = tf.constant(e.steady.states[None])
        ratios[anchor] = float(e.policy(at)[0, 0])
        if anchor == "quadratic":
            assert np.abs(e.residuals(at)["price"]).max() < 1e-12
    assert ratios["linear"] == pytest.approx(12.303515, abs=1e-6)
    assert ratios["quadratic"] == pytest.approx(12.481236, abs=2e-3)


def test_a_correction_that_does_not_help_is_none():
    np.testing.assert_array_equal(risk_correction(lambda r: tf.ones_like(r) + 0 * r, 2), [0, 0])
    np.testing.assert_allclose(risk_correction(lambda r: tf.exp(r) - 2, 2), np.log([2, 2]))
