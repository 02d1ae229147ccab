"""The residuals of the equilibrium conditions at a batch of states, and the loss that training lowers."""

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from deqn.expectation import Expectation
from deqn.model import Model
from deqn.network import PolicyNetwork
from deqn.settings import Loss
from deqn.variables import pack, point


def residuals(model: Model, policy, expectation: Expectation, states: tf.Tensor) -> dict[str, tf.Tensor]:
    """Residuals by equation, [1, batch] or [n, 1, batch], at packed states [batch, n_states].

    A residual of 1e-3 in an Euler equation is an error of one tenth of a percent of consumption.
    """
    batch, dtype = states.shape[0] or tf.shape(states)[0], states.dtype
    now = point(model, policy, states)
    tomorrow = model.transition(now, expectation.shocks(dtype))
    nxt = point(model, policy, pack(tomorrow, model.states, expectation.nodes, batch, dtype), expectation.nodes)
    return dict(model.residuals(now, nxt, expectation.operator(now, dtype)))


@dataclass(frozen=True)
class Economy:
    """What is solved: a model, the policy function that is trained, and the expectation."""

    model: Model
    policy: PolicyNetwork
    expectation: Expectation

    def residuals(self, states: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Residuals by equation at packed states [batch, n_states]."""
        return residuals(self.model, lambda s: self.policy(s, training=training), self.expectation, states)


def mean_square(r: tf.Tensor, scale: None) -> tf.Tensor:
    """r^2."""
    return r**2


def huber(r: tf.Tensor, scale: float) -> tf.Tensor:
    """r^2 near zero, linear beyond |r| = scale: large residuals early in training weigh less."""
    size = tf.abs(r)
    return tf.where(size <= scale, r**2, scale * (2 * size - scale))


def log_cosh(r: tf.Tensor, scale: float) -> tf.Tensor:
    """2 scale^2 log cosh(r / scale): a smooth Huber loss, r^2 near zero."""
    x = tf.abs(r) / scale
    return 2 * scale**2 * (x + tf.math.log1p(tf.exp(-2 * x)) - tf.math.log(tf.constant(2, r.dtype)))


LOSSES = {"mean_square": mean_square, "huber": huber, "log_cosh": log_cosh}


def loss(errors: Mapping[str, tf.Tensor], settings: Loss) -> tf.Tensor:
    """The weighted sum over equations of the mean loss; an equation without a weight has weight one."""
    kernel = LOSSES[settings.name]
    terms = [settings.weights.get(name, 1.0) * tf.reduce_mean(kernel(r, settings.scale)) for name, r in errors.items()]
    return tf.add_n(terms)
