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
        """Lower and upper corner of the box of each state's member, [n, n_states] each."""
        logs, constant = in_logs(self.model.states), fixed(self.model.states)
        found = [tf.where(logs, tf.exp(tf.where(logs, x, 0)), x) for x in self.corner_coordinates(states)]
        ends = box(self.model.states)
        return tuple(tf.where(constant, tf.constant(end, x.dtype), x) for end, x in zip(ends, found, strict=True))

    def corner_coordinates(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The corners with logarithms where states declare them."""
        return tuple(tf.split(self._interpolation(states), 2, axis=1))

    def place(self, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        """Packed states at points of the unit cube [n, n_states], each in the box of its own member."""
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
        """The model that has the parameters in the place of which states stand."""
        return self.model.base

    @property
    def parameters(self) -> Parameters:
        """The parameters that are states."""
        return self.model.parameters

    @property
    def representatives(self) -> int:
        """The baseline, the corners of the parameters, and some in between."""
        return self.model.representatives

    @cached_property
    def domain(self) -> MemberBoxes:
        """The box of each member."""
        return MemberBoxes(self.model)

    def rest_at(self, values: Sequence[float]) -> SteadyState:
        """The steady state of the member with given parameters. Raises InputError where none is found."""
        return self.model.rest(np.array(values))

    def rests(self, steady: SteadyState) -> Sequence[SteadyState]:
        """The steady states of all members. Raises InputError naming the parameters of one without."""
        return self.model.rests

    def first_order(self, steady: SteadyState) -> Sequence[LinearSolution]:
        """The first-order solutions of all members. Raises InputError naming the parameters of one without."""
        return self.model.first_order

    def interpolate(self, values: np.ndarray) -> Interpolation:
        """What is known of each member, [members, k], as a function of packed states."""
        return Interpolation(self.model.parameters, self.model.samples, values)
