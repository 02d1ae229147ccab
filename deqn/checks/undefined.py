"""Where a model has no numbers, in its box or where training stopped: what is not finite, or lost by the arithmetic."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from deqn.economy.domain import Domain, SobolPoints
from deqn.economy.economy import Economy
from deqn.equations.expectation import Expectation
from deqn.equations.residuals import with_shocks
from deqn.model.declaration import Model, Point
from deqn.model.findings import Finding, call
from deqn.model.layout import box, labels, named_point, pack, point
from deqn.settings.ranges import format_value

POINTS = 64  # of the box, and corners of it
CORNERS = 6  # states up to which every corner of the box is looked at
EDGE = 1e-6  # of the box, by which corners lie inside: a pole on the very edge, as at zero capital, is never visited
CELLS = 1_000_000  # points times nodes times states, at most
LOST = 0.1  # of a value or derivative: what differs by more is lost


def check_box(economy: Economy) -> Finding:
    """Numbers at corners and points of the box under the policy as it is: residuals and their derivatives."""
    model, dtype = economy.model, economy.policy.dtype
    count = count_affordable(model, economy.expectation)
    outer, inner = list_corners(economy.domain)[:count], SobolPoints(economy.domain, count, 0, dtype).points().numpy()
    states = tf.constant(np.concatenate([outer, inner]), dtype)
    problems = {}
    for name, derived, rows in call("residuals", lambda: [*evaluate_rows(economy, states)]):
        bad = np.flatnonzero(~np.isfinite(rows).all(1))
        if bad.size and name not in problems:
            at, what = bad[0], "has the derivative" if derived else "is"
            worst = rows[at][~np.isfinite(rows[at])][0]
            where = "corner" if at < len(outer) else "point"
            culprit = "" if derived else describe_undefined(economy, states[at : at + 1])
            problems[name] = (f"residuals: equation {name!r} {what} {worst} at the {where} "
                              f"{describe_state(model, states[at])} of the box{culprit}; expected is a finite number "
                              f"at every point of it")  # fmt: skip
    return Finding(None, f"finite at {len(outer)} corners and {len(inner)} points", list(problems.values()))


def evaluate_rows(economy: Economy, states: tf.Tensor) -> Iterator[tuple[str, bool, np.ndarray]]:
    """Equations, whether derivatives in the states follow, and numbers [batch, ...]; values of all come first."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(states)
        equations = economy.residuals(states)
    for name, r in equations.items():
        values = np.reshape(r, (-1, np.shape(r)[-1]))
        yield name, False, np.broadcast_to(values, (len(values), len(states))).T
    for name, r in equations.items():
        yield name, True, tape.gradient(r, states, unconnected_gradients="zero").numpy()


def count_affordable(model: Model, expectation: Expectation) -> int:
    """The number of points at which an expectation is evaluated in no time."""
    return max(2, min(POINTS, CELLS // (expectation.nodes * len(box(model.states)[0]))))


def list_corners(domain: Domain) -> np.ndarray:
    """Corners of the box, [n, n_states]: all of them in few states, else some at random."""
    n = len(labels(domain.model.states))
    if n <= CORNERS:
        upper = np.array([*itertools.product([False, True], repeat=n)])
    else:
        upper = np.random.default_rng(0).random((2**CORNERS, n)) < 0.5
        upper[:2] = [[False], [True]]
    return domain.place(tf.constant(np.where(upper, 1 - EDGE, EDGE))).numpy()


def describe_state(model: Model, states: tf.Tensor) -> str:
    """States by name, the first eight."""
    named = [f"{name}={x:.4g}" for name, x in zip(labels(model.states), states.numpy(), strict=True)]
    return ", ".join(named[:8]) + ", ..." * (len(named) > 8)


def describe_undefined(economy: Economy, states: tf.Tensor) -> str:
    """The first variable that is not finite at one state [1, n_states], today or tomorrow, in words."""
    model, nodes = economy.model, economy.expectation.nodes
    now = point(model, economy.policy, states)
    if variable := describe_variable(now):
        return f", where {variable}"
    tomorrow = model.transition(now, economy.expectation.shocks(states.dtype))
    for row in pack(tomorrow, model.states, nodes, 1, states.dtype):
        if variable := describe_variable(point(model, economy.policy, row[None])):
            return f", where tomorrow's {variable} at {describe_state(model, row)}"
    return ""


def describe_variable(at: Point) -> str:
    """The first variable of a point that is not finite, with its value, "c is nan"; empty where all are."""
    for name, value in at.__dict__.items():
        x = np.asarray(value, float)
        if not np.isfinite(x).all():
            return f"{name} is {float(x[~np.isfinite(x)][0])}"
    return ""


def diagnose(economy: Economy, states: tf.Tensor) -> str:
    """Name the first equation that is not finite at `states` [batch, n_states], else the first with such a gradient."""
    for part in economy.slices(states):
        for name, derived, rows in evaluate_rows(economy, part):
            bad = ~np.isfinite(rows).all(1)
            if bad.any():
                at = int(np.argmax(bad))
                what = "has a gradient that is not finite" if derived else "is not finite"
                return f"equation {name!r} {what} at {describe_circumstances(economy, part[at : at + 1])}"
    return find_lost_derivative(economy, states) or (
        "the gradient of the loss is not finite, though every equation and its derivatives in the states are"
    )


def find_lost_derivative(economy: Economy, states: tf.Tensor) -> str | None:
    """What the arithmetic loses at the worst of some states [batch, n_states]; None if it loses nothing.

    Each equation and its derivatives in the policies of today and tomorrow, compiled as in training, are compared with
    uncompiled ones in double precision. A compiler squares a number that divides twice, and squares overflow.
    """
    sizes = np.concatenate([np.abs(np.reshape(r, (-1, len(states)))) for r in economy.residuals(states).values()])
    worst = states[int(np.argmax(np.nan_to_num(sizes, nan=np.inf).max(0)))][None]
    compiled = tf.function(lambda s: sensitivities(economy, s, s.dtype), jit_compile=True, autograph=False)(worst)
    exact = sensitivities(economy, worst, tf.float64)
    where, names = describe_state(economy.model, worst[0]), labels(economy.model.policies)
    columns = ["value", *(f"derivative in {p}" for p in names), *(f"derivative in tomorrow's {p}" for p in names)]
    advice = "dtype=float64" if states.dtype != tf.float64 else "logarithms, or ratios of large powers to each other"
    for equation, row in compiled.items():
        row, true = row.numpy(), exact[equation].numpy()
        size = np.abs(np.nan_to_num(true))
        scale = np.r_[max(size[0], 1e-3), np.maximum(size[1:], 1e-3 * size[1:].max())]
        bad = np.flatnonzero(~(np.abs(row - true) <= LOST * scale) | ~np.isfinite(true))
        if bad.size:
            i = int(bad[0])
            return (f"{states.dtype.name} loses equation {equation!r} at {where}: its {columns[i]} is computed as "
                    f"{row[i]:.3g}, exact is {true[i]:.3g}: something overflows; take {advice}")  # fmt: skip
    return None


def sensitivities(economy: Economy, states: tf.Tensor, dtype: tf.DType) -> dict[str, tf.Tensor]:
    """Each row of each equation at one state [1, n_states], in an arithmetic: its value, then its derivatives in the
    policies of today and of tomorrow, [1 + 2 n_policies]."""
    model, nodes, own = economy.model, economy.expectation.nodes, economy.policy.dtype
    today = tf.cast(states, dtype)
    policies = tf.cast(economy.policy(tf.cast(states, own)), dtype)
    now = named_point(model, today, policies)
    tomorrow = pack(model.transition(now, economy.expectation.shocks(dtype)), model.states, nodes, 1, dtype)
    later = tf.cast(economy.policy(tf.cast(tomorrow, own)), dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([policies, later])
        now = named_point(model, today, policies)
        nxt = with_shocks(named_point(model, tomorrow, later, nodes), economy.expectation.shocks(dtype))
        equations = model.residuals(now, nxt, economy.expectation.operator(now, dtype))
        rows = {}
        for name, r in equations.items():
            parts = tf.unstack(tf.reshape(r, [-1]))
            rows |= {name if len(parts) == 1 else f"{name}[{i}]": part for i, part in enumerate(parts)}
    for name, row in rows.items():
        slopes = tape.gradient(row, [policies, later], unconnected_gradients="zero")
        parts = [tf.reshape(row, [1]), *(tf.reduce_sum(s, 0) for s in slopes)]
        rows[name] = tf.cast(tf.concat(parts, 0), tf.float64)
    return rows


def describe_circumstances(economy: Economy, states: tf.Tensor) -> str:
    """One state [1, n_states], the policies there, the first variable that is no number, and all parameters."""
    model = economy.model
    now = point(model, economy.policy, states)
    where = {v.name: getattr(now, v.name).numpy().squeeze() for v in (*model.states, *model.policies)}
    values = ", ".join(f"{name}={np.array2string(x, precision=4, threshold=8)}" for name, x in where.items())
    own = economy.members.base
    parameters = ", ".join(f"{f.name}={format_value(getattr(own, f.name))}" for f in dataclasses.fields(own))
    return f"{values}{describe_undefined(economy, states)}; parameters {parameters or 'none'}"
