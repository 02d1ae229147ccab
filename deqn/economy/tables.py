"""Points as pandas tables: one column for each variable, `k[0]`, `k[1]`, ... for vectors, one row for each state."""

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.model.declaration import Model, Point
from deqn.model.points import point


def frame(now: Point) -> pd.DataFrame:
    """States, policies and definitions of a point [1, batch] as a table of `batch` rows."""
    values = {name: np.asarray(value) for name, value in now.__dict__.items()}
    rows = max(v.shape[-1] for v in values.values() if v.ndim)
    columns = {}
    for name, v in values.items():
        if v.ndim < 3:
            columns[name] = np.broadcast_to(v, (1, rows))[0]
        else:
            columns.update({f"{name}[{i}]": np.broadcast_to(part, (1, rows))[0] for i, part in enumerate(v)})
    return pd.DataFrame(columns)


def state_frame(model: Model, policy, states: tf.Tensor) -> pd.DataFrame:
    """All variables at packed states [n, n_states], n rows."""
    return frame(point(model, policy, states))
