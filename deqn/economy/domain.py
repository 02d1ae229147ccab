"""The domain: where states live and are drawn from.

Points of the unit cube stand for states: a domain places them. What draws states, judges whether one is far outside, or
scales the inputs of a network asks the domain, whatever its kind: a box, or the box of each member of a family.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from deqn.model.declaration import Model
from deqn.model.layout import box, coordinates, fixed, in_logs, labels, width
from deqn.settings.schema import Evaluation
from deqn.system.errors import InputError


class Domain(Protocol):
    """Where states live and are drawn from."""

    model: Model

    def corners(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Lower and upper corner around packed states [n, n_states]: [1, n_states], or [n, n_states] each."""

    def corner_coordinates(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The corners with logarithms where states declare them."""

    def place(self, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        """Packed states at points of the unit cube [n, n_states]; with the parameters `of` one state [1, n_states]."""


@dataclass(frozen=True)
class Box:
    """The box that the states of a model declare, the same everywhere."""

    model: Model

    def corners(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tuple(tf.constant(x[None], states.dtype) for x in box(self.model.states))

    def corner_coordinates(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logs = in_logs(self.model.states)
        return tuple(tf.constant(coordinates(x, logs)[None], states.dtype) for x in box(self.model.states))

    def place(self, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        low, high = self.corners(unit)
        return low + (high - low) * unit


class SobolPoints:
    """Points of a domain: a Sobol sequence, shifted at random (modulo one) to make further sets.

    `scale`: the sides of the domain, in multiples of what they are; the intervals of a family's parameters stay.
    """

    def __init__(self, domain: Domain, points: int, seed: int, dtype: tf.DType, scale: float = 1.0):
        states = domain.model.states
        sobol = qmc.Sobol(sum(map(width, states)), scramble=True, rng=np.random.default_rng(seed))
        unit = sobol.random_base2(max(points - 1, 1).bit_length())[:points]  # balanced in powers of two
        self._unit = tf.constant(np.where(fixed(states), unit, 0.5 + scale * (unit - 0.5)), dtype)
        self._domain = domain

    def points(self, generator: tf.random.Generator | None = None, of: tf.Tensor | None = None) -> tf.Tensor:
        """[points, n_states]; another set at each call with a generator, all with the parameters `of` one state."""
        if generator is not None:
            return self.shifted(generator.uniform((1, self._unit.shape[1]), dtype=self._unit.dtype), of)
        return self._domain.place(self._unit, of)

    def shifted(self, by: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        """The set [points, n_states] that a shift [1, n_states] of the unit cube makes."""
        return self._domain.place(tf.math.floormod(self._unit + by, 1), of)


def box_states(domain: Domain, evaluation: Evaluation, seed: int, dtype: tf.DType) -> tf.Tensor:
    """Sobol points of the box, [box, n_states], other ones than those at which the paths start.

    Raises InputError where a scaled box leaves the positive numbers that a logarithm needs.
    """
    scale = evaluation.box_scale
    states = SobolPoints(domain, evaluation.box, seed + 1, dtype, scale).points()
    names, logs = labels(domain.model.states), in_logs(domain.model.states)
    for name, log, lowest in zip(names, logs, tf.reduce_min(states, 0).numpy(), strict=True):
        if log and lowest <= 0:
            raise InputError(f"evaluation.box_scale={scale:g} leads the state {name} to {lowest:.3g}, below zero; "
                             f"take a smaller box")  # fmt: skip
    return states
