"""The economy's path under a policy: draws of the shocks, one step, long paths, points of the box."""

import functools
import weakref
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from deqn.economy.domain import Domain, is_inside
from deqn.model.declaration import Model, Normal, Point
from deqn.model.layout import mean_shocks, outcome_count, pack, point, probabilities


def draw_shocks(
    model: Model, now: Point, generator: tf.random.Generator, batch: int, dtype, scale: float = 1.0
) -> Point:
    """One draw of every shock for each path: [1, batch], or [n, 1, batch] for vectors; normal ones times `scale`.

    With a `batch` of one all paths have the same draw.
    """
    shocks = {}
    for shock in model.shocks:
        if isinstance(shock, Normal):
            shape = (1, batch) if shock.size is None else (shock.size, 1, batch)
            shocks[shock.name] = generator.normal(shape, stddev=scale, dtype=dtype)
            continue
        ladder = tf.cumsum(probabilities(shock, now, dtype))  # [outcomes, batch or 1]
        uniform = generator.uniform((1, batch), dtype=dtype)
        outcome = tf.reduce_sum(tf.cast(uniform >= ladder, tf.int32), 0, keepdims=True)  # [1, batch]
        outcome = tf.minimum(outcome, outcome_count(shock) - 1)  # where the ladder ends a rounding error below one
        for name, values in shock.values.items():
            shocks[name] = tf.gather(tf.constant(np.asarray(values, float), dtype), outcome, axis=-1)
    return Point(shocks)


@tf.autograph.experimental.do_not_convert  # its control flow is Python's: tracing takes a third of the time
def advance_states(
    model: Model, policy, states: tf.Tensor, generator: tf.random.Generator | None, scale: float = 1.0,
    common: bool = False,
) -> tf.Tensor:  # fmt: skip
    """Tomorrow's packed states [batch, n_states]; without a generator every shock is at its mean.

    `common`: all paths have the same shocks.
    """
    batch, dtype = states.shape[0] or tf.shape(states)[0], states.dtype
    now = point(model, policy, states)
    if generator is None:
        shocks = mean_shocks(model, now, dtype)
    else:
        shocks = draw_shocks(model, now, generator, 1 if common else batch, dtype, scale)
    return pack(model.transition(now, shocks), model.states, 1, batch, dtype)


COMPILED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # policy function -> its compiled functions


def compile_paths(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Compile a function of paths at each call that needs it; the result lives as long as the policy function does.

    A compiled function knows the generator that it was traced with. So it has one of its own, which goes on where the
    caller's has come to, and the caller's goes on where it ends: equal seeds give equal paths, whatever came before.
    """

    @functools.wraps(function)
    def simulate(model: Model, policy, states: tf.Tensor, periods, generator, *options) -> tf.Tensor:
        if not tf.executing_eagerly():
            return tf.function(function)(model, policy, states, periods, generator, *options)
        known, key = COMPILED.setdefault(policy, {}), (id(model), function, generator is None, options)
        if key not in known:  # a compiled function keeps its model, so that no other one gets the same id
            own = None if generator is None else tf.random.Generator.from_seed(0, alg="philox")
            living = weakref.ref(policy)
            known[key] = own, tf.function(lambda s, n: function(model, living(), s, n, own, *options))
        own, compiled = known[key]
        if own is None:
            return compiled(states, tf.constant(periods))
        own.reset(generator.state)
        ends = compiled(states, tf.constant(periods))
        generator.reset(own.state)
        return ends

    return simulate


@compile_paths
def simulate_path(
    model: Model, policy, states: tf.Tensor, periods: int, generator: tf.random.Generator | None, common: bool = False
) -> tf.Tensor:
    """`periods` consecutive dates from `states` [paths, n_states] on, itself left out: [periods, paths, n_states];
    `common` as in `advance_states`."""
    visited = tf.TensorArray(states.dtype, size=periods, element_shape=states.shape)
    for t in tf.range(periods):
        states = advance_states(model, policy, states, generator, common=common)
        visited = visited.write(t, states)
    return visited.stack()


@compile_paths
def simulate_end(
    model: Model, policy, states: tf.Tensor, periods: int, generator: tf.random.Generator | None
) -> tf.Tensor:
    """The states [paths, n_states] after `periods` dates."""
    t = tf.constant(0)
    while t < periods:
        states, t = advance_states(model, policy, states, generator), t + 1
    return states


def visit_near(domain: Domain, policy, starts: tf.Tensor, periods: int, reach: float) -> tf.Tensor:
    """Ends of fresh paths [paths, n_states]; the start of one that ends more than `reach` widths outside the domain."""
    generator = tf.random.Generator.from_seed(0, alg="philox")
    ends = simulate_end(domain.model, policy, starts, tf.constant(periods), generator)
    return tf.where(is_inside(domain, ends, reach)[:, None], ends, starts)
