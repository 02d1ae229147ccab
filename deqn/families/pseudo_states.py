"""Parameters as states: the check of `pseudo_states` against the model, and the members of their family."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.checks.declarations import PARAMETERS, check_declarations, variable_problems
from deqn.economy.members import Members, OneMember, Parameters
from deqn.families.family import Family, choose_total_degree
from deqn.model.declaration import Markov, Model, Normal
from deqn.model.findings import call
from deqn.model.layout import box, coordinates, fixed, in_logs
from deqn.perturbation.first_order import LinearSolution
from deqn.perturbation.steady_state import SteadyState
from deqn.policies.approximators import ChebyshevBasis
from deqn.system.errors import InputError

MISFIT = 0.01  # relative to the largest value, from which an interpolation is doubtful
SMALLEST = 1e-9  # size to which a misfit is relative, at least
log = logging.getLogger("deqn")


def gather_members(model: Model, pseudo_states: Mapping[str, Sequence[float]]) -> Members:
    """The economies with parameters in the given intervals; the model alone where there are none.

    Raises InputError for a parameter that is more than a number in the equations.
    """
    if not pseudo_states:
        return OneMember(model)
    for failure in check_declarations(model).failures:
        raise InputError(failure)
    for name, interval in pseudo_states.items():
        if name in [v.name for v in (*model.states, *model.policies)]:
            raise InputError(f"pseudo_states.{name}: the model has a variable of this name, too")
        if name in PARAMETERS:
            raise InputError(f"pseudo_states.{name}: rename the parameter; {PARAMETERS[name]} have an argument of this "
                             f"name")  # fmt: skip
        for problem in variable_problems("parameter", [name]):
            raise InputError(f"pseudo_states.{name}: {problem}")
        for value in interval:
            other = replace(model, **{name: float(value)})
            if differs := call(f"with {name}={value:g} the model", partial(describe_difference, other, model), str):
                raise InputError(f"pseudo_states.{name}: the {differs} that the model declares depend on it; only "
                                 f"parameters of equations, steady state and box can be states")  # fmt: skip
    ends = np.array([*pseudo_states.values()], float)
    own = np.array([getattr(model, name) for name in pseudo_states])
    baseline = np.where((own >= ends[:, 0]) & (own <= ends[:, 1]), own, ends.mean(1))
    parameters = Parameters(tuple(pseudo_states), *(tuple(map(float, x)) for x in (*ends.T, baseline)))
    family = Family(model, parameters)
    return FamilyMembers(family, model, parameters, family.representatives)


def describe_difference(one: Model, other: Model) -> str:
    """What two economies declare differently, in words, beside the boxes of their states; empty where nothing."""
    shapes = [[(s.name, s.size, s.log) for s in model.states] for model in (one, other)]
    outcomes = [[make_comparable(s) for s in model.shocks] for model in (one, other)]
    if shapes[0] != shapes[1]:
        return "states"
    if tuple(one.policies) != tuple(other.policies):
        return "policies or their bounds"
    return "" if outcomes[0] == outcomes[1] else "outcomes or probabilities of shocks"


def make_comparable(shock: Any) -> Any:
    """A shock as something that can be compared; the probabilities of a chain may follow the parameters."""
    if isinstance(shock, Normal):
        return shock
    values = {name: np.asarray(v, float).tolist() for name, v in shock.values.items()}
    return values, None if isinstance(shock, Markov) else np.asarray(shock.probabilities, float).tolist()


class Interpolation:
    """Values known at samples of the parameters, as a function of packed states, whose last columns they are."""

    def __init__(self, parameters: Parameters, samples: np.ndarray, values: np.ndarray):
        """`samples` [samples, parameters], `values` [samples, k]. Logs a warning where they are not smooth."""
        self._low, self._high = np.array(parameters.lower), np.array(parameters.upper)
        degree = choose_total_degree(len(self._low))
        self._basis = ChebyshevBasis(degree, "float64")
        at_samples = self._basis(tf.constant(self._scaled(samples))).numpy()  # [samples, terms], more than terms
        self._fitted = np.linalg.lstsq(at_samples, values, rcond=None)[0]
        self.floats = at_samples.shape[1] * min(degree, len(self._low)) + values.shape[1]
        misfit = (np.abs(at_samples @ self._fitted - values) / np.maximum(np.abs(values).max(0), SMALLEST)).max()
        if misfit > MISFIT:
            log.warning("what is interpolated over %s is off by up to %.1g of its size; take narrower intervals",
                        parameters, misfit)  # fmt: skip

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """[n, n_states] -> [n, k]."""
        parameters = tf.cast(states[:, -len(self._low) :], tf.float64)
        return tf.cast(tf.matmul(self._basis(self._scaled(parameters)), self._fitted), states.dtype)

    def _scaled(self, parameters):
        return (2 * parameters - (self._low + self._high)) / (self._high - self._low)


@dataclass(frozen=True)
class MemberBoxes:
    """The box of each state's own member; the parameters lie in their intervals."""

    model: Family
    chains = ()  # the box of a member is continuous

    def corners(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logs, constant = in_logs(self.model.states), fixed(self.model.states)
        found = [tf.where(logs, tf.exp(tf.where(logs, x, 0)), x) for x in self.corner_coordinates(states)]
        ends = zip(box(self.model.states), found, strict=True)
        return tuple(tf.where(constant, tf.constant(end, x.dtype), x) for end, x in ends)

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
        ends = np.hstack([coordinates(x, in_logs(self.model.states)) for x in self.model.corners])
        return Interpolation(self.model.parameters, self.model.samples, ends)


@dataclass(frozen=True)
class FamilyMembers:
    """All economies of a family: `Members`, as deqn/economy/members.py has them."""

    model: Family
    base: Model
    parameters: Parameters
    representatives: int

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
