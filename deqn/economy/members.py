"""The economies that one policy function serves: one, or all members of a family.

What is local to an economy, its rest point and the first-order solution there, is known of each member; a family
interpolates between them. An economy that is no family is its own only member, and its interpolation is a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from deqn.economy.domain import Box, Domain
from deqn.model.declaration import Model
from deqn.perturbation.first_order import LinearSolution, linear_solution
from deqn.perturbation.steady_state import SteadyState, steady_state
from deqn.policies.expansion import ConstantRow, Rows


class Parameters(NamedTuple):
    """Parameters that are states of the policy function: names, intervals, and the values of the baseline."""

    names: tuple[str, ...] = ()
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    baseline: tuple[float, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{name} in [{low:g}, {high:g}]" for name, low, high, _ in zip(*self, strict=True))


class Members(Protocol):
    """One economy or many, in an order: the baseline, then those that stand for all, then more to interpolate."""

    model: Model  # all of them as one
    base: Model  # whose parameters, but for those that are states, all of them have
    domain: Domain  # where their states live
    parameters: Parameters  # what tells them apart; nothing where there is one
    representatives: int  # how many of the first members stand for all

    def rest_at(self, values: Sequence[float]) -> SteadyState:
        """That of the member with given parameters. Raises InputError where none is found."""

    def rests(self, steady: SteadyState) -> Sequence[SteadyState]:
        """The steady states of all members; `steady` is that of the baseline. Raises InputError."""

    def first_order(self, steady: SteadyState) -> Sequence[LinearSolution]:
        """The first-order solutions of all members, in their own states. Raises InputError where one has none."""

    def interpolate(self, values: np.ndarray) -> Rows:
        """What is known of each member, [members, k], as a function of packed states."""


@dataclass(frozen=True)
class OneMember:
    """An economy that is no family: the members are itself."""

    model: Model
    _solutions: dict[bytes, LinearSolution] = field(default_factory=dict, init=False, repr=False, compare=False)
    parameters = Parameters()
    representatives = 1

    @property
    def base(self) -> Model:
        return self.model

    @cached_property
    def domain(self) -> Box:
        return Box(self.model)

    def rest_at(self, values: Sequence[float]) -> SteadyState:
        return steady_state(self.model)

    def rests(self, steady: SteadyState) -> Sequence[SteadyState]:
        return [steady]

    def first_order(self, steady: SteadyState) -> Sequence[LinearSolution]:
        at = steady.states.tobytes() + steady.policies.tobytes()  # asked for by anchor, closed loop and linear rule
        if at not in self._solutions:
            self._solutions[at] = linear_solution(self.model, steady)
        return [self._solutions[at]]

    def interpolate(self, values: np.ndarray) -> Rows:
        return ConstantRow(values[0])
