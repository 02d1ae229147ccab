"""From network outputs to policies inside their bounds, and to the multipliers on those bounds that may bind.

A policy without a multiplier stays off its bounds: a sigmoid between two of them, an exponential above or below one (a
softplus where the steady state lies on it), and the identity where there is none, in units of the steady state. A
bound with a multiplier is reached: with y the output, in units of its size at rest, max(y, 0) is the distance from the
bound and max(-y, 0) the multiplier; where both bounds have one, max(y - L, 0) is that on the upper bound, with L the
distance between them. A multiplier is scaled so that, to first order, one unit of it offsets one unit of
the constrained policy. So y crosses zero with nearly the same slope on both sides: one function almost without a kink
stands for two that have large ones, and training always sees a gradient.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from deqn.model.declaration import Multiplier, Policy
from deqn.model.layout import OutputColumns, free_policies, limits, output_columns

TOUCH = 1e-3  # a smooth policy starts at least this share inside its bounds
ROUND_OFF_ZERO = 1e-8  # below it a number at the steady state is a rounding error of zero, and no unit of anything


class Bounds:
    """Maps outputs u [n, outputs] to packed policies [n, n_policies], and a row of policies back to outputs."""

    def __init__(
        self, policies: Sequence[Policy | Multiplier], steady: np.ndarray, dtype: tf.DType,
        jacobian_today: np.ndarray | None = None,
    ):  # fmt: skip
        """`steady`: packed policies of the steady state, multipliers included; `jacobian_today` of LinearSolution."""
        self.dtype = dtype
        columns = self._columns = output_columns(policies)
        self._kinked = columns.reach_lower | columns.reach_upper
        lower, upper = limits(free_policies(policies))
        smooth = np.where(self._kinked, -np.inf, lower), np.where(self._kinked, np.inf, upper)
        self._smooth = SmoothBounds(*smooth, steady[columns.own], dtype)
        self._kinks = (
            KinkedBounds((lower, upper), columns, steady, jacobian_today, dtype) if self._kinked.any() else None
        )

    def __call__(self, u: tf.Tensor) -> tf.Tensor:
        """[n, outputs] -> [n, n_policies]."""
        values = self._smooth(u)
        if self._kinks is None:
            return values
        kinked, *multipliers = self._kinks(u)
        parts = [tf.where(self._kinked, kinked, values), *multipliers]
        return tf.gather(tf.concat(parts, 1), self._columns.place, axis=1)

    def outputs(self, policies: np.ndarray) -> np.ndarray:
        """The outputs [..., outputs] of packed policies [..., n_policies], complementary where a bound may bind."""
        values = self._smooth.inverse(policies[..., self._columns.own])
        return values if self._kinks is None else np.where(self._kinked, self._kinks.inverse(policies), values)

    def pre_image(self, slope: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """The slope [outputs, n] of the outputs, at given ones, that gives policies the slope [n_policies, n]."""
        columns, off_kink = self._columns, outputs.copy()
        size = np.abs(slope).max(1)
        ends = [(columns.first, self._kinked, np.zeros(len(outputs)), -ROUND_OFF_ZERO)]
        if self._kinks is not None:
            ends.append((columns.upper, self._kinks.both, self._kinks.end, ROUND_OFF_ZERO))
        for multiplier, reached, end, outside in ends:  # at a kink: the side on which the rule moves
            at_kink = reached & (np.abs(outputs - end) < ROUND_OFF_ZERO)
            held = size[columns.own] < ROUND_OFF_ZERO * size[multiplier]
            off_kink = np.where(at_kink, end + np.where(held, outside, -outside), off_kink)
        u = tf.constant(off_kink[None], self._smooth.dtype)
        moving = columns.find_binding(self(u).numpy().astype(float))[0]
        with tf.GradientTape() as tape:
            tape.watch(u)
            moved = tf.gather(self(u), moving, axis=1)
        return slope[moving] / tape.gradient(moved, u)[0].numpy()[:, None]


class SmoothBounds:
    """Policies that stay off their bounds, or have none."""

    def __init__(self, lower: np.ndarray, upper: np.ndarray, steady: np.ndarray, dtype: tf.DType):
        self.dtype = dtype
        below, above = np.isfinite(lower), np.isfinite(upper)
        both, free = below & above, ~below & ~above
        anchor = np.where(below, lower, np.where(above, upper, 0.0))  # where exponential, softplus or sigmoid is zero
        gap = np.abs(steady - anchor)
        inside = ~both & ~free & (gap > ROUND_OFF_ZERO)
        touching = ~both & ~free & (gap <= ROUND_OFF_ZERO)  # the steady state is the bound: start a little inside
        size = np.where(free, np.abs(steady), gap)
        span = np.where(both, np.where(both, upper - lower, 1.0), np.where(size > ROUND_OFF_ZERO, size, 1.0))
        self._both, self._inside, self._touching = tf.constant(both), tf.constant(inside), tf.constant(touching)
        self._anchor = tf.constant(np.where(free, steady, anchor), dtype)
        self._span = tf.constant(np.where(above & ~below, -span, span), dtype)

    def __call__(self, u: tf.Tensor) -> tf.Tensor:
        """[n, outputs] -> [n, outputs]."""
        inside = tf.where(self._both, tf.sigmoid(u), tf.where(self._touching, tf.nn.softplus(u), u))
        inside = tf.where(self._inside, tf.exp(tf.where(self._inside, u, 0)), inside)
        return self._anchor + self._span * inside

    def inverse(self, policies: np.ndarray) -> np.ndarray:
        """The outputs of policies [..., outputs]; on a bound, of one a thousandth inside it."""
        share = (policies - self._anchor.numpy()) / self._span.numpy()
        inner = np.clip(share, TOUCH, 1 - TOUCH)
        kinds = [k.numpy() for k in (self._both, self._touching, self._inside)]
        touching = np.log(np.expm1(np.clip(share, TOUCH, 700)))  # where it is used, share is about one
        return np.select(kinds, [np.log(inner / (1 - inner)), touching, np.log(np.maximum(share, TOUCH))], share)


class KinkedBounds:
    """Policies that reach one bound or both, and the multipliers there; another bound is approached, never reached."""

    def __init__(
        self, ends: tuple[np.ndarray, np.ndarray], columns: OutputColumns, steady: np.ndarray,
        jacobian_today: np.ndarray | None, dtype: tf.DType,
    ):  # fmt: skip
        """`ends`: lower and upper bounds, [outputs] each; what becomes of outputs without a multiplier is ignored.

        The unit of an output is the distance from its first bound at the steady state, or the multiplier over its rate.
        """
        self._columns, self._dtype, (lower, upper) = columns, dtype, ends
        self.both = columns.reach_lower & columns.reach_upper
        self._falls = columns.reach_upper & ~columns.reach_lower
        self._bound = np.where(self._falls, upper, np.where(np.isfinite(lower), lower, 0.0))
        limited = np.isfinite(upper - lower)
        self._room = np.where(limited, np.where(limited, upper - lower, 1.0), 1.0)  # from this bound to the other
        self._limited = limited & ~self.both
        beside = columns.first, columns.upper
        self._rates = [multiplier_rates(jacobian_today, columns.own, c) for c in beside]
        distance = np.abs(steady[columns.own] - self._bound)
        size = np.maximum(distance, np.where(columns.first != columns.own, steady[columns.first], 0.0) / self._rates[0])
        self._unit = np.where(size > ROUND_OFF_ZERO, size, 1.0)

    @property
    def end(self) -> np.ndarray:
        """The output at which a policy meets its upper bound, where both are reached, [outputs]."""
        return self._room / self._unit

    def __call__(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Policies, multipliers on lower and on upper bounds, [n, outputs] each."""
        room, falls = self._constant(self._room), tf.constant(self._falls)
        y = self._constant(self._unit) * u
        distance = tf.nn.relu(y)
        limited = tf.where(self._limited, -room * tf.math.expm1(-distance / room), distance)
        distance = tf.where(self.both, tf.minimum(distance, room), limited)
        first, second = tf.nn.relu(-y) * self._constant(self._rates[0]), tf.nn.relu(y - room)
        policies = self._constant(self._bound) + tf.where(falls, -distance, distance)
        upper = tf.where(falls, first, second * self._constant(self._rates[1]))
        return policies, tf.where(falls, tf.zeros_like(first), first), upper

    def inverse(self, policies: np.ndarray) -> np.ndarray:
        """The outputs [..., outputs] of packed policies [..., n_policies]."""
        columns, room = self._columns, self._room
        distance = np.abs(policies[..., columns.own] - self._bound)
        share = np.where(self._limited, np.minimum(distance / room, 1 - TOUCH), 0.0)
        y = np.where(self._limited, -room * np.log1p(-share), distance)
        y = y - policies[..., columns.first] / self._rates[0]
        return np.where(self.both, y + policies[..., columns.upper] / self._rates[1], y) / self._unit

    def _constant(self, values: np.ndarray) -> tf.Tensor:
        return tf.constant(values, self._dtype)


def multiplier_rates(jacobian_today: np.ndarray | None, own: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """By how much each multiplier rises where its policy wants to move on by one and cannot, [outputs].

    `jacobian_today` [equations, n_policies], complementary slackness last, or None; `own` and `beside`: the columns of
    each output's policy and of a multiplier. One where there is no multiplier, or the equations do not tell.
    """
    if jacobian_today is None:
        return np.ones(len(own))
    equations = jacobian_today[: len(own)]
    try:
        moves = np.diag(np.linalg.solve(equations[:, own], equations[:, beside]))  # of policies, for a unit
    except np.linalg.LinAlgError:
        return np.ones(len(own))
    told = np.isfinite(moves) & (moves != 0)
    return np.where(told, 1 / np.abs(np.where(told, moves, 1.0)), 1.0)
