"""The economy's path under a policy: draws of the shocks, one step, long paths, points of the box."""

import weakref
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from deqn.families.members import placed
from deqn.model.declaration import Model, Normal, Point
from deqn.model.layout import fixed, outcome_count, width
from deqn.model.points import mean_shocks, pack, point, probabilities


def draw(model: Model, now: Point, generator: tf.random.Generator, batch: int, dtype, scale: float = 1.0) -> Point:
    """One draw of every shock for each path: [1, batch], or [n, 1, batch] for vectors; normal ones times `scale`."""
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
def step(
    model: Model, policy, states: tf.Tensor, generator: tf.random.Generator | None, scale: float = 1.0
) -> tf.Tensor:
    """Tomorrow's packed states [batch, n_states]; without a generator every shock is at its mean."""
    batch, dtype = states.shape[0] or tf.shape(states)[0], states.dtype
    now = point(model, policy, states)
    if generator is None:
        shocks = mean_shocks(model, now, dtype)
    else:
        shocks = draw(model, now, generator, batch, dtype, scale)
    return pack(model.transition(now, shocks), model.states, 1, batch, dtype)


def path(
    model: Model,
    policy,
    states: tf.Tensor,
    periods: int,
    generator: tf.random.Generator | None,
    scale: float = 1.0,
) -> tf.Tensor:
    """`periods` consecutive dates from `states` [paths, n_states] on, itself left out: [periods, paths, n_states]."""
    if not tf.executing_eagerly():
        return tf.function(whole)(model, policy, states, periods, generator, scale)
    return compiled(model, policy)(whole, states, periods, generator, scale)


def last(
    model: Model,
    policy,
    states: tf.Tensor,
    periods: tf.Tensor,
    generator: tf.random.Generator | None,
    scale: float = 1.0,
) -> tf.Tensor:
    """The states [paths, n_states] after `periods` dates."""
    if not tf.executing_eagerly():
        return tf.function(end)(model, policy, states, periods, generator, scale)
    return compiled(model, policy)(end, states, periods, generator, scale)


def whole(model: Model, policy, states: tf.Tensor, periods, generator, scale: float) -> tf.Tensor:
    """What `path` returns, to be compiled."""
    visited = tf.TensorArray(states.dtype, size=periods, element_shape=states.shape)
    for t in tf.range(periods):
        states = step(model, policy, states, generator, scale)
        visited = visited.write(t, states)
    return visited.stack()


def end(model: Model, policy, states: tf.Tensor, periods, generator, scale: float) -> tf.Tensor:
    """What `last` returns, to be compiled."""
    t = tf.constant(0)
    while t < periods:
        states, t = step(model, policy, states, generator, scale), t + 1
    return states


class Walks:
    """Paths of one policy function in one model, compiled once for each number of paths.

    A compiled function knows the generator that it was traced with. So there is one, which goes on where the caller's
    has come to, and the caller's goes on where it ends: equal seeds give equal paths, whatever was drawn before.
    """

    def __init__(self, model: Model, policy):
        self.model, self._policy = model, weakref.ref(policy)
        self._generator = tf.random.Generator.from_seed(0, alg="philox")
        self._functions = {}

    def __call__(
        self, walk: Callable, states: tf.Tensor, periods, generator: tf.random.Generator | None, scale: float
    ) -> tf.Tensor:
        """`whole` or `end`, from states [paths, n_states] on."""
        key = walk.__name__, generator is None, scale
        if key not in self._functions:
            own = None if generator is None else self._generator
            self._functions[key] = tf.function(lambda s, n: walk(self.model, self._policy(), s, n, own, scale))
        if generator is None:
            return self._functions[key](states, tf.constant(periods))
        self._generator.reset(generator.state)
        ends = self._functions[key](states, tf.constant(periods))
        generator.reset(self._generator.state)
        return ends


WALKS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # policy function -> Walks in each model


def compiled(model: Model, policy) -> Walks:
    """The compiled paths of a policy function in a model; they live as long as the policy function does."""
    known = WALKS.setdefault(policy, [])
    for walks in known:
        if walks.model is model:
            return walks
    known.append(Walks(model, policy))
    return known[-1]


class Box:
    """Points of the states' box: a Sobol sequence, shifted at random (modulo one) to make further sets.

    In a family each point lies in the box of its own member. `scale`: its sides, in multiples of the declared ones;
    the intervals of a family's parameters stay as they are.
    """

    def __init__(self, model: Model, points: int, seed: int, dtype: tf.DType, scale: float = 1.0):
        sobol = qmc.Sobol(sum(map(width, model.states)), scramble=True, rng=np.random.default_rng(seed))
        power = max(points - 1, 1).bit_length()  # Sobol sets are balanced in powers of two
        unit = sobol.random_base2(power)[:points]
        self._unit = tf.constant(np.where(fixed(model.states), unit, 0.5 + scale * (unit - 0.5)), dtype)
        self._model = model

    def points(self, generator: tf.random.Generator | None = None, of: tf.Tensor | None = None) -> tf.Tensor:
        """[points, n_states]; another set at each call with a generator, all with the parameters `of` one state."""
        if generator is not None:
            return self.shifted(generator.uniform((1, self._unit.shape[1]), dtype=self._unit.dtype), of)
        return placed(self._model, self._unit, of)

    def shifted(self, by: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        """The set [points, n_states] that a shift [1, n_states] of the unit cube makes."""
        return placed(self._model, tf.math.floormod(self._unit + by, 1), of)
