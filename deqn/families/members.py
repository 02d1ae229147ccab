"""The members of a family, as the engine asks for them, and the domain in which each state has its own member's box."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from deqn.economy.members import Parameters
from deqn.families.family import Family
from deqn.families.interpolation import Interpolation
from deqn.model.declaration import Model
from deqn.model.layout import box, coordinates, fixed, in_logs
from deqn.perturbation.first_order import LinearSolution
from deqn.perturbation.steady_state import SteadyState


@dataclass(frozen=True)
class MemberBoxes:
    """The box of each state's own member; the parameters lie in their intervals."""

    model: Family

    def corners(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logs, constant = in_logs(self.model.states), fixed(self.model.states)
        found = [tf.where(logs, tf.exp(tf.where(logs, x, 0)), x) for x in self.corner_coordinates(states)]
        ends = box(self.model.states)
        return tuple(tf.where(constant, tf.constant(end, x.dtype), x) for end, x in zip(ends, found, strict=True))

    def corner_coordinates(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tuple(tf.split(self._interpolation(states), 2, axis=1))

    def place(self, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        low, high = (tf.constant(x[None], unit.dtype) for x in box(self.model.states))
        states, constant = low + (high - low) * unit, fixed(self.model.states)
        parameters = states if of is None else tf.where(constant, of, states)
        low, high = self.corners(parameters)
        return tf.where(constant, parameters, low + (high - low) * unit)

    @cached_property
    def _interpolation(self) -> Interpolation:
        logs = in_logs(self.model.states)
        ends = np.hstack([coordinates(x, logs) for x in self.model.corners])
        return Interpolation(self.model.parameters, self.model.samples, ends)


@dataclass(frozen=True)
class FamilyMembers:
    """All economies of a family: `Members`, as deqn/economy/members.py has them."""

    model: Family

    @property
    def base(self) -> Model:
        return self.model.base

    @property
    def parameters(self) -> Parameters:
        return self.model.parameters

    @property
    def representatives(self) -> int:
        return self.model.representatives

    @cached_property
    def domain(self) -> MemberBoxes:
        return MemberBoxes(self.model)

    def rest_at(self, values: Sequence[float]) -> SteadyState:
        return self.model.rest(np.array(values))

    def rests(self, steady: SteadyState) -> Sequence[SteadyState]:
        return self.model.rests

    def first_order(self, steady: SteadyState) -> Sequence[LinearSolution]:
        return self.model.first_order

    def interpolate(self, values: np.ndarray) -> Interpolation:
        return Interpolation(self.model.parameters, self.model.samples, values)
