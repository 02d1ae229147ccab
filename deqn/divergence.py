"""Why training stopped at numbers that are not finite: the equation, the state, the policies, the parameters."""

import dataclasses

import numpy as np
import tensorflow as tf

from deqn.economy import Economy
from deqn.family import Family
from deqn.ranges import shown
from deqn.undefined import examined, first_undefined
from deqn.variables import point


def diagnose(economy: Economy, states: tf.Tensor) -> str:
    """Name the first equation that is not finite at `states` [batch, n_states], else the first with such a gradient."""
    for part in economy.slices(states):
        for name, derived, rows in examined(economy, part):
            bad = ~np.isfinite(rows).all(1)
            if bad.any():
                at = int(np.argmax(bad))
                what = "has a gradient that is not finite" if derived else "is not finite"
                return f"equation {name!r} {what} at {circumstances(economy, part[at : at + 1])}"
    return "the gradient of the loss is not finite, though every equation and its derivatives in the states are"


def circumstances(economy: Economy, states: tf.Tensor) -> str:
    """One state [1, n_states], the policies there, the first variable that is no number, and all parameters."""
    model = economy.model
    now = point(model, economy.policy, states)
    where = {v.name: getattr(now, v.name).numpy().squeeze() for v in (*model.states, *model.policies)}
    values = ", ".join(f"{name}={np.array2string(x, precision=4, threshold=8)}" for name, x in where.items())
    own = model.base if isinstance(model, Family) else model
    parameters = ", ".join(f"{f.name}={shown(getattr(own, f.name))}" for f in dataclasses.fields(own))
    return f"{values}{first_undefined(economy, states)}; parameters {parameters or 'none'}"
