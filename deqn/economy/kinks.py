"""Kinks that a model's file writes itself, as tf.maximum, tf.abs or tf.where: whether an economy meets them.

A model declares constraints by their multipliers. Other kinks stand in its functions alone. The graph of the equations
without risk has an operation for each, and tells on which side of it a state is. Two states on different sides have a
point between them at which the operation switches. There the equations have a kink if their slopes differ, which those
of a guard that only chooses between formulas do not.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from deqn.economy.domain import Domain, SobolPoints
from deqn.economy.simulation import advance_states, visit_near
from deqn.equations.residuals import without_risk
from deqn.model.declaration import Model

POINTS, DATES, REACH = 512, 20, 0.5  # paths, their dates, and widths of the box beyond which an end does not count
MET = 0.005  # share of the states on the rarer side of a switch that counts
SWITCHES = 64  # that are looked at, at most
HALVINGS, STEP = 40, 1e-4  # of the way between two states; share of it over which slopes are taken
BEND = 0.02  # by which slopes differ at a kink, relative to the larger one, or the mean one between the states
FLAT = 1e-9  # slopes below this are zero
SIDES: dict[str, Callable[..., tf.Tensor]] = {
    "Maximum": tf.greater, "Minimum": tf.less, "Abs": lambda x: x > 0, "Relu": lambda x: x > 0,
    "Sign": lambda x: x > 0, "Select": lambda chosen, *_: chosen, "SelectV2": lambda chosen, *_: chosen,
}  # fmt: skip


def find_switches(domain: Domain, policy) -> tuple[int, ...]:
    """Which switches, by their place in the graph, bend the equations somewhere among the states that paths visit."""
    starts = SobolPoints(domain, POINTS, 0, policy.dtype).points()
    states = visit_near(domain, policy, starts, DATES, REACH)
    trace = tf.function(lambda states: trace_switches(domain.model, policy, states), autograph=False)
    sides = trace(states)[0].numpy()  # [switches, states]
    shares = sides.mean(1)
    met = np.flatnonzero((shares >= MET) & (shares <= 1 - MET))
    return tuple(int(i) for i in met[:SWITCHES] if bends(domain, trace, i, states, sides[i]))


def trace_switches(model: Model, policy, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """On which side of each switch every state is [switches, n], and the equations [n, values]: tomorrow's states and
    the residuals, without risk."""
    later = advance_states(model, policy, states, None)
    tomorrow, errors = without_risk(model, states, policy(states), later, policy(later))
    n, sides = states.shape[0], [tf.zeros((0, states.shape[0]), tf.bool)]
    for operation in tf.compat.v1.get_default_graph().get_operations():
        if operation.type in SIDES and operation.inputs[0].dtype in (tf.bool, states.dtype):
            side = SIDES[operation.type](*operation.inputs)
            if side.shape.rank and side.shape[-1] == n:
                sides.append(tf.reshape(side, (-1, n)))
    rows = [tf.transpose(tf.reshape(tf.broadcast_to(r, (*r.shape[:-1], n)), (-1, n))) for r in errors.values()]
    return tf.concat(sides, 0), tf.concat([tomorrow, *rows], 1)


def bends(domain: Domain, trace: Callable, switch: int, states: tf.Tensor, sides: np.ndarray) -> bool:
    """Whether the equations have other slopes on the two sides [n] of a switch, between pairs of states."""
    rng = np.random.default_rng(0)
    low, high = (states.numpy()[rng.choice(np.flatnonzero(side), len(sides))] for side in (~sides, sides))
    for chain in domain.chains:  # between two outcomes there is no state
        high[:, chain.columns] = low[:, chain.columns]
    evaluate = lambda x: [t.numpy() for t in trace(tf.constant(x, states.dtype))]
    apart = evaluate(high)[0][switch] & ~evaluate(low)[0][switch]
    if not apart.any():
        return False
    at, width, way = np.zeros(len(low)), 1.0, high - low
    for _ in range(HALVINGS):  # the last place on the low side
        width /= 2
        at = np.where(evaluate(low + (at + width)[:, None] * way)[0][switch], at, at + width)
    before, left, right, after = (
        evaluate(low + (at + step * STEP)[:, None] * way)[1].astype(float) for step in (-2, -1, 1, 2)
    )
    first, last = (evaluate(end)[1].astype(float) for end in (low, high))
    mean = STEP * (np.abs(left - first) + np.abs(last - right))  # where both slopes are zero, as at an extremum
    larger = np.maximum.reduce([np.abs(left - before), np.abs(after - right), mean])
    bend = np.abs((after - right) - (left - before))
    found = (bend > BEND * larger) & (larger > FLAT * STEP * np.maximum(np.abs(left), 1.0))
    return bool(found.any(1)[apart].mean() > 0.5)
