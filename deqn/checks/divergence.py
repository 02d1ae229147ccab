"""Why training stopped: numbers that are not finite, or derivatives that the arithmetic loses.

Named are the equation, the variable, the state, the policies, the parameters.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from deqn.checks.undefined import described, examined, first_undefined
from deqn.economy.economy import Economy
from deqn.model.layout import labels
from deqn.model.points import named_point, pack, point
from deqn.settings.ranges import format_value

LOST = 0.1  # of a value or derivative: what differs by more is lost


def diagnose(economy: Economy, states: tf.Tensor) -> str:
    """Name the first equation that is not finite at `states` [batch, n_states], else the first with such a gradient."""
    for part in economy.slices(states):
        for name, derived, rows in examined(economy, part):
            bad = ~np.isfinite(rows).all(1)
            if bad.any():
                at = int(np.argmax(bad))
                what = "has a gradient that is not finite" if derived else "is not finite"
                return f"equation {name!r} {what} at {circumstances(economy, part[at : at + 1])}"
    return lost_derivative(economy, states) or (
        "the gradient of the loss is not finite, though every equation and its derivatives in the states are"
    )


def lost_derivative(economy: Economy, states: tf.Tensor) -> str | None:
    """What the arithmetic loses at the worst of some states [batch, n_states]; None where nothing is.

    Each equation and its derivatives in the policies of today and tomorrow, compiled as training has them, are compared
    with those in double precision and not compiled: a compiler squares what it divides by twice, and squares overflow.
    """
    sizes = np.concatenate([np.abs(np.reshape(r, (-1, len(states)))) for r in economy.residuals(states).values()])
    worst = states[int(np.argmax(np.nan_to_num(sizes, nan=np.inf).max(0)))][None]
    compiled = tf.function(lambda s: sensitivities(economy, s, s.dtype), jit_compile=True, autograph=False)(worst)
    exact = sensitivities(economy, worst, tf.float64)
    where, names = described(economy.model, worst[0]), labels(economy.model.policies)
    columns = ["value", *(f"derivative in {p}" for p in names), *(f"derivative in tomorrow's {p}" for p in names)]
    single = states.dtype != tf.float64
    advice = "dtype=float64" if single else "logarithms, or ratios of large powers to each other"
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
        nxt = named_point(model, tomorrow, later, nodes)
        equations = model.residuals(now, nxt, economy.expectation.operator(now, dtype))
        rows = {}
        for name, r in equations.items():
            parts = tf.unstack(tf.reshape(r, [-1]))
            rows |= {name if len(parts) == 1 else f"{name}[{i}]": part for i, part in enumerate(parts)}
    found = {}
    for name, row in rows.items():
        slopes = tape.gradient(row, [policies, later], unconnected_gradients="zero")
        parts = [tf.reshape(row, [1]), *(tf.reduce_sum(s, 0) for s in slopes)]
        found[name] = tf.cast(tf.concat(parts, 0), tf.float64)
    return found


def circumstances(economy: Economy, states: tf.Tensor) -> str:
    """One state [1, n_states], the policies there, the first variable that is no number, and all parameters."""
    model = economy.model
    now = point(model, economy.policy, states)
    where = {v.name: getattr(now, v.name).numpy().squeeze() for v in (*model.states, *model.policies)}
    values = ", ".join(f"{name}={np.array2string(x, precision=4, threshold=8)}" for name, x in where.items())
    own = economy.members.base
    parameters = ", ".join(f"{f.name}={format_value(getattr(own, f.name))}" for f in dataclasses.fields(own))
    return f"{values}{first_undefined(economy, states)}; parameters {parameters or 'none'}"
