"""Where each state of a family has its own member: boxes, resting points and first-order rules that follow it.

For an economy that is no family these are those of the economy itself.
"""

import numpy as np
import tensorflow as tf

from deqn.families.family import Family
from deqn.model.declaration import Model
from deqn.model.layout import box, fixed, in_logs, limits
from deqn.perturbation.steady_state import SteadyState


def box_corners(model: Model, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The corners of the box, [1, n_states] each; in a family those of each state's own member, [n, n_states]."""
    if not isinstance(model, Family):
        return tuple(tf.constant(x[None], states.dtype) for x in box(model.states))
    logs, constant = in_logs(model.states), fixed(model.states)
    found = [tf.where(logs, tf.exp(tf.where(logs, x, 0)), x) for x in tf.split(model.box_at(states), 2, axis=1)]
    return tuple(
        tf.where(constant, tf.constant(end, x.dtype), x) for end, x in zip(box(model.states), found, strict=True)
    )


def placed(model: Model, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
    """Packed states at points of the unit cube [n, n_states]: in a family, in the box of each point's own member.

    `of`: a packed state [1, n_states] whose parameters all points take.
    """
    low, high = (tf.constant(x[None], unit.dtype) for x in box(model.states))
    states = low + (high - low) * unit
    if not isinstance(model, Family):
        return states
    constant = fixed(model.states)
    parameters = states if of is None else tf.where(constant, of, states)
    low, high = box_corners(model, parameters)
    return tf.where(constant, parameters, low + (high - low) * unit)


def resting(model: Model, steady: SteadyState) -> np.ndarray:
    """Where the economy rests, [1, n_states]; in a family its usual member and others that stand for all of them."""
    if not isinstance(model, Family):
        return steady.states[None]
    return np.stack([rest.states for rest in model.rests[: model.representatives]])


class MembersRule:
    """The first-order policies of each member of a family, in levels, cut off at the policies' bounds."""

    def __init__(self, family: Family, dtype: tf.DType):
        self.dtype = dtype
        own = ~fixed(family.states)
        rows = [np.concatenate([r.states[own], r.policies, f.slope.ravel()])
                for r, f in zip(family.rests, family.first_order, strict=True)]  # fmt: skip
        self._rows = family.interpolated(np.stack(rows))
        self._policies, self._states = family.first_order[0].slope.shape
        self._limits = [tf.constant(x, dtype) for x in limits(family.policies)]
        self.floats = family.floats + len(rows[0])

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, n_states] -> [n, n_policies]."""
        m, n = self._policies, self._states
        rest, policies, slope = tf.split(self._rows(states), [n, m, m * n], axis=1)
        moved = policies + tf.linalg.matvec(tf.reshape(slope, (-1, m, n)), states[:, :n] - rest)
        return tf.clip_by_value(moved, *self._limits)
