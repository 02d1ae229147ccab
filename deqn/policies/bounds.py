"""From network outputs to policies inside their bounds, and to the multipliers on those bounds that may bind.

A policy without a multiplier stays off its bounds: a sigmoid between two of them, an exponential above or below one (a
softplus where the steady state lies on it), and the identity where there is none, in units of the steady state. A
bound with a multiplier is reached: with y the output, in units of its size at rest, max(y, 0) is the distance from the
bound and max(-y, 0) the multiplier. A multiplier is scaled so that, to first order, one unit of it offsets one unit of
the constrained policy. So y crosses zero with nearly the same slope on both sides: one function almost without a kink
stands for two that have large ones, and training always sees a gradient.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from deqn.model.declaration import Multiplier, Policy
from deqn.model.layout import free_policies, limits, list_reachable_bounds, output_columns

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
        own, beside, self._place = self._own, self._beside, _ = output_columns(policies)
        at_lower, at_upper = list_reachable_bounds(policies)
        self._kinked = at_lower | at_upper
        lower, upper = limits(free_policies(policies))
        smooth = np.where(self._kinked, -np.inf, lower), np.where(self._kinked, np.inf, upper)
        self._smooth = SmoothBounds(*smooth, steady[own], dtype)
        self._kinks = None
        if self._kinked.any():
            rates = np.ones(len(own)) if jacobian_today is None else multiplier_rates(jacobian_today, own, beside)
            self._kinks = KinkedBounds((lower, upper), at_upper, steady[own], steady[beside], rates, dtype)

    def __call__(self, u: tf.Tensor) -> tf.Tensor:
        """[n, outputs] -> [n, n_policies]."""
        values = self._smooth(u)
        if self._kinks is None:
            return values
        kinked, multipliers = self._kinks(u)
        return tf.gather(tf.concat([tf.where(self._kinked, kinked, values), multipliers], 1), self._place, axis=1)

    def outputs(self, policies: np.ndarray) -> np.ndarray:
        """The outputs [..., outputs] of packed policies [..., n_policies], complementary where a bound may bind."""
        own, beside = policies[..., self._own], policies[..., self._beside]
        values = self._smooth.inverse(own)
        return values if self._kinks is None else np.where(self._kinked, self._kinks.inverse(own, beside), values)

    def pre_image(self, slope: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """The slope [outputs, n] of the outputs, at given ones, that gives policies the slope [n_policies, n]."""
        size = np.abs(slope).max(1)
        held = size[self._own] < ROUND_OFF_ZERO * size[self._beside]  # at the kink: the side on which the rule moves
        at_kink = self._kinked & (np.abs(outputs) < ROUND_OFF_ZERO)
        off_kink = np.where(at_kink, np.where(held, -ROUND_OFF_ZERO, ROUND_OFF_ZERO), outputs)
        moving = np.where(self._kinked & (off_kink < 0), self._beside, self._own)
        u = tf.constant(off_kink[None], self._smooth.dtype)
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
    """Policies that reach a bound, and the multipliers on it; a second bound is approached, never reached."""

    def __init__(
        self, ends: tuple[np.ndarray, np.ndarray], at_upper: np.ndarray, steady: np.ndarray, multipliers: np.ndarray,
        rates: np.ndarray, dtype: tf.DType,
    ):  # fmt: skip
        """All [outputs]; what becomes of columns that are not constrained is ignored by the caller.

        The unit of an output is the distance from the bound, or the multiplier over its rate, at the steady state.
        """
        lower, upper = ends
        bound = np.where(at_upper, upper, np.where(np.isfinite(lower), lower, 0.0))
        limited = np.isfinite(upper - lower)
        room = np.where(limited, np.where(limited, upper - lower, 1.0), 1.0)  # from this bound to the other
        size = np.maximum(np.abs(steady - bound), multipliers / rates)
        self._unit = tf.constant(np.where(size > ROUND_OFF_ZERO, size, 1.0), dtype)
        self._limited, self._bound = tf.constant(limited), tf.constant(bound, dtype)
        self._room, self._rates = tf.constant(room, dtype), tf.constant(rates, dtype)
        self._side = tf.constant(np.where(at_upper, -1.0, 1.0), dtype)

    def __call__(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Policies and multipliers, [n, outputs] each."""
        distance = tf.nn.relu(self._unit * u)
        distance = tf.where(self._limited, -self._room * tf.math.expm1(-distance / self._room), distance)
        return self._bound + self._side * distance, tf.nn.relu(-self._unit * u) * self._rates

    def inverse(self, policies: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
        """The outputs of policies and multipliers, [..., outputs] each."""
        room, distance = self._room.numpy(), np.abs(policies - self._bound.numpy())
        share = np.where(self._limited.numpy(), np.minimum(distance / room, 1 - TOUCH), 0.0)
        y = np.where(self._limited.numpy(), -room * np.log1p(-share), distance) - multipliers / self._rates.numpy()
        return y / self._unit.numpy()


def multiplier_rates(jacobian_today: np.ndarray, own: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """By how much each multiplier rises where its policy wants to move on by one and cannot, [outputs].

    `jacobian_today` [equations, n_policies], complementary slackness last; `own` and `beside`: the columns of each
    output's policy and of its multiplier. One where there is no multiplier, or the equations do not tell.
    """
    equations = jacobian_today[: len(own)]
    try:
        moves = np.diag(np.linalg.solve(equations[:, own], equations[:, beside]))  # of policies, for a unit
    except np.linalg.LinAlgError:
        return np.ones(len(own))
    told = np.isfinite(moves) & (moves != 0)
    return np.where(told, 1 / np.abs(np.where(told, moves, 1.0)), 1.0)
