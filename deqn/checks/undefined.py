"""Where in its box a model has no numbers: the first equation, state and variable that are not finite."""

import itertools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from deqn.economy.domain import Domain, SobolPoints
from deqn.economy.economy import Economy
from deqn.equations.expectation import Expectation
from deqn.model.declaration import Model, Point
from deqn.model.findings import Finding, call
from deqn.model.layout import box, labels
from deqn.model.points import pack, point

POINTS = 64  # of the box, and corners of it
CORNERS = 6  # states up to which every corner of the box is looked at
EDGE = 1e-6  # of the box, by which corners lie inside
CELLS = 1_000_000  # points times nodes times states, at most


def check_box(economy: Economy) -> Finding:
    """Numbers at corners and points of the box under the policy as it is: residuals and their derivatives."""
    model, dtype = economy.model, economy.policy.dtype
    count = affordable(model, economy.expectation)
    outer, inner = corners(economy.domain)[:count], SobolPoints(economy.domain, count, 0, dtype).points().numpy()
    states = tf.constant(np.concatenate([outer, inner]), dtype)
    problems = {}
    for name, derived, rows in call("residuals", lambda: [*examined(economy, states)]):
        bad = np.flatnonzero(~np.isfinite(rows).all(1))
        if bad.size and name not in problems:
            at, what = bad[0], "has the derivative" if derived else "is"
            worst = rows[at][~np.isfinite(rows[at])][0]
            where = "corner" if at < len(outer) else "point"
            culprit = "" if derived else first_undefined(economy, states[at : at + 1])
            problems[name] = (f"residuals: equation {name!r} {what} {worst} at the {where} "
                              f"{described(model, states[at])} of the box{culprit}; expected is a finite number at "
                              f"every point of it")  # fmt: skip
    return Finding(None, f"finite at {len(outer)} corners and {len(inner)} points", list(problems.values()))


def examined(economy: Economy, states: tf.Tensor) -> Iterator[tuple[str, bool, np.ndarray]]:
    """Each equation's values at packed states [batch, n_states], then each one's derivatives in the states.

    Yields the equation, whether it is derivatives, and the numbers [batch, ...].
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(states)
        equations = economy.residuals(states)
    for name, r in equations.items():
        values = np.reshape(r, (-1, np.shape(r)[-1]))
        yield name, False, np.broadcast_to(values, (len(values), len(states))).T
    for name, r in equations.items():
        yield name, True, tape.gradient(r, states, unconnected_gradients="zero").numpy()


def affordable(model: Model, expectation: Expectation) -> int:
    """The number of points at which an expectation is evaluated in no time."""
    return max(2, min(POINTS, CELLS // (expectation.nodes * len(box(model.states)[0]))))


def corners(domain: Domain) -> np.ndarray:
    """Corners of the box, [n, n_states]: all of them in few states, else some at random.

    They lie a hair inside: a pole on the very edge, such as capital of zero, is never visited.
    """
    n = len(box(domain.model.states)[0])
    if n <= CORNERS:
        upper = np.array([*itertools.product([False, True], repeat=n)])
    else:
        upper = np.random.default_rng(0).random((2**CORNERS, n)) < 0.5
        upper[:2] = [[False], [True]]
    return domain.place(tf.constant(np.where(upper, 1 - EDGE, EDGE))).numpy()


def described(model: Model, states: tf.Tensor) -> str:
    """States by name, the first eight."""
    named = [f"{name}={x:.4g}" for name, x in zip(labels(model.states), states.numpy(), strict=True)]
    return ", ".join(named[:8]) + ", ..." * (len(named) > 8)


def first_undefined(economy: Economy, states: tf.Tensor) -> str:
    """The first variable that is not finite at one state [1, n_states], today or tomorrow, in words."""
    model, nodes = economy.model, economy.expectation.nodes
    now = point(model, economy.policy, states)
    name = undefined(now)
    if name is not None:
        return f", where {name} is {worst_of(now, name)}"
    tomorrow = model.transition(now, economy.expectation.shocks(states.dtype))
    packed = pack(tomorrow, model.states, nodes, 1, states.dtype)
    for row in packed:
        nxt = point(model, economy.policy, row[None])
        name = undefined(nxt)
        if name is not None:
            return f", where tomorrow's {name} is {worst_of(nxt, name)} at {described(model, row)}"
    return ""


def undefined(at: Point) -> str | None:
    """The first variable of a point that is not finite."""
    return next((name for name, x in at.__dict__.items() if not np.isfinite(np.asarray(x, float)).all()), None)


def worst_of(at: Point, name: str) -> float:
    """A value of the variable that is not finite."""
    x = np.asarray(getattr(at, name), float)
    return float(x[~np.isfinite(x)][0])
