"""The residuals of the equilibrium conditions at a batch of states, and the loss that training lowers."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from deqn.equations.expectation import Expectation
from deqn.model.declaration import Model, Multiplier, Point
from deqn.model.layout import mean_shocks, multipliers, named_point, pack, point
from deqn.settings.schema import Loss


@tf.autograph.experimental.do_not_convert  # its control flow is Python's: tracing takes a third of the time
def residuals(
    model: Model, policy, expectation: Expectation, states: tf.Tensor, today: tf.Tensor | None = None
) -> dict[str, tf.Tensor]:
    """Residuals by equation, [1, batch] or [n, 1, batch], at packed states [batch, n_states].

    A residual of 1e-3 in an Euler equation is an error of one tenth of a percent of consumption. `today`: today's
    packed policies [batch, n_policies] where they are not those of the policy function, which then is tomorrow's.
    """
    now = named_point(model, states, policy(states) if today is None else today)
    return dict(model.residuals(*look_ahead(model, policy, expectation, states, now)))


@tf.autograph.experimental.do_not_convert
def report_point(model: Model, policy, expectation: Expectation, states: tf.Tensor) -> Point:
    """All variables at packed states, and what the model's `expectations` report of them."""
    now = named_point(model, states, policy(states))
    return now.also(model.expectations(*look_ahead(model, policy, expectation, states, now)))


def look_ahead(
    model: Model, policy, expectation: Expectation, states: tf.Tensor, now: Point
) -> tuple[Point, Point, Callable[[Any], Any]]:
    """Today, tomorrow at each node with its shocks, and the expectation given today."""
    batch, dtype = states.shape[0] or tf.shape(states)[0], states.dtype
    shocks = expectation.shocks(dtype)
    tomorrow = pack(model.transition(now, shocks), model.states, expectation.nodes, batch, dtype)
    nxt = point(model, policy, tomorrow, expectation.nodes)
    return now, with_shocks(nxt, shocks), expectation.operator(now, dtype)


def with_shocks(nxt: Point, shocks: Point) -> Point:
    """Tomorrow with its shocks by name; a variable of the same name comes first."""
    return Point({**shocks.__dict__, **nxt.__dict__})


def without_risk(
    model: Model, states: tf.Tensor, policies: tf.Tensor, later_states: tf.Tensor, later_policies: tf.Tensor
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The equations with every shock at its mean, and states and policies of both dates given, [batch, ...] each.

    Returns tomorrow's packed states by the transition, and the residuals by equation, complementary slackness included.
    """
    batch, dtype = states.shape[0], states.dtype
    now = named_point(model, states, policies)
    shocks = mean_shocks(model, now, dtype)
    tomorrow, nxt = model.transition(now, shocks), named_point(model, later_states, later_policies)
    errors = dict(model.residuals(now, with_shocks(nxt, shocks), lambda v: v))
    return pack(tomorrow, model.states, 1, batch, dtype), errors | slackness(model, now)


def fischer_burmeister(a: Any, b: Any) -> tf.Tensor:
    """a + b - sqrt(a^2 + b^2): zero exactly where a >= 0, b >= 0 and a b = 0 (Fischer 1992).

    At the kink a = b = 0 its derivatives are one and one, an element of the generalized Jacobian (Qi and Sun 1993).
    """
    square = a**2 + b**2
    apart = square > 0
    return a + b - tf.where(apart, tf.sqrt(tf.where(apart, square, tf.ones_like(square))), tf.zeros_like(square))


def slackness(model: Model, now: Point) -> dict[str, tf.Tensor]:
    """Complementary slackness of every declared multiplier, which a policy function of the engine meets exactly."""
    return {name: fischer_burmeister(distance_to_bound(model, m, now), getattr(now, m.name))
            for name, m in zip(slackness_names(model), multipliers(model), strict=True)}  # fmt: skip


def slackness_names(model: Model) -> list[str]:
    """What complementary slackness is called among the equations, for each multiplier."""
    return [f"slackness of {m.name}" for m in multipliers(model)]


def distance_to_bound(model: Model, multiplier: Multiplier, now: Point) -> tf.Tensor:
    """How far a constrained policy is from its bound, in its own unit."""
    bounds = next((p.lower, p.upper) for p in model.policies if p.name == multiplier.of)
    value = getattr(now, multiplier.of)
    return value - bounds[0] if multiplier.bound == "lower" else bounds[1] - value


def stack_rows(errors: Mapping[str, tf.Tensor], batch: int) -> tf.Tensor:
    """All equations under each other, [equations, batch]."""
    return tf.concat([tf.reshape(r, (-1, batch)) for r in errors.values()], 0)


def row_weights(errors: Mapping[str, tf.Tensor], weights: Mapping[str, float]) -> tf.Tensor:
    """The factor [equations, 1] of each stacked row for which the squares sum to the loss times the batch."""
    rows = []
    for name, r in errors.items():
        size = r.shape[0] if r.shape.rank == 3 else 1
        rows.append(tf.fill((size, 1), tf.constant((weights.get(name, 1.0) / size) ** 0.5, r.dtype)))
    return tf.concat(rows, 0)


def huber(r: tf.Tensor, scale: float) -> tf.Tensor:
    """r^2 near zero, linear beyond |r| = scale: large residuals early in training weigh less."""
    size = tf.abs(r)
    return tf.where(size <= scale, r**2, scale * (2 * size - scale))


def log_cosh(r: tf.Tensor, scale: float) -> tf.Tensor:
    """2 scale^2 log cosh(r / scale): a smooth Huber loss, r^2 near zero."""
    x = tf.abs(r) / scale
    return 2 * scale**2 * (x + tf.math.log1p(tf.exp(-2 * x)) - tf.math.log(tf.constant(2, r.dtype)))


LOSSES = {"mean_square": lambda r, scale: r**2, "huber": huber, "log_cosh": log_cosh}


def loss(errors: Mapping[str, tf.Tensor], settings: Loss) -> tf.Tensor:
    """The weighted sum over equations of the mean loss; an equation without a weight has weight one."""
    kernel = LOSSES[settings.name]
    return tf.add_n([settings.weights.get(name, 1.0) * tf.reduce_mean(kernel(r, settings.scale))
                     for name, r in errors.items()])  # fmt: skip
