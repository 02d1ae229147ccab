"""A family of economies as one: parameters that stay constant along a path become states of the policy function.

The equations are the member's, with tensors in place of its parameters, so that no model has to know. Box, steady state
and first-order solution vary smoothly with the parameters; they are computed for members spread over the intervals and
interpolated by complete Chebyshev polynomials. Source: Chen, Didisheim and Scheidegger (2021) for pseudo-states.
"""

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from deqn.economy.members import Parameters
from deqn.model.declaration import Markov, Model, Point, Policy, State
from deqn.model.layout import Variable, box, limits, named_point, width
from deqn.perturbation.derivatives import jacobians
from deqn.perturbation.first_order import LinearSolution, dated_equations, solve_at_rest
from deqn.perturbation.steady_state import ROUNDING, SteadyState, continue_root, steady_state
from deqn.system.errors import InputError

TIMES = 2  # members that are computed for each term of the interpolation
FULL_CORNERS = 6  # parameters up to which every corner is a member
DEGREE, MOST_TERMS = 8, 200  # of the interpolation, at most
BETWEEN_CORNERS = 8  # members between the corners at which the closed loop is looked at
log = logging.getLogger("deqn")


class PseudoState(State):
    """A parameter and its interval."""

    fixed = True


@dataclass(frozen=True)
class Family(Model):
    """All economies `replace(base, name=value, ...)` with values in the intervals [lower, upper].

    The states are the base's, in a box that holds the box of each member, and one for each parameter.
    """

    base: Model
    parameters: Parameters

    @cached_property
    def states(self) -> Sequence[State]:
        corners = self.corners[0].min(0), self.corners[1].max(0)
        low, high = (split_by_name(x, self.base.states) for x in corners)
        own = [replace(s, lower=low[s.name], upper=high[s.name]) for s in self.base.states]
        return (*own, *map(PseudoState, *self.parameters[:3]))

    @property
    def policies(self) -> Sequence[Policy]:
        return self.base.policies

    @property
    def shocks(self) -> Sequence[Any]:
        follow = lambda i, now: self.member(now).shocks[i].probabilities(now)
        return [replace(s, probabilities=partial(follow, i)) if isinstance(s, Markov) else s
                for i, s in enumerate(self.base.shocks)]  # fmt: skip

    def steady_state(self) -> Mapping[str, Any]:
        return split_by_name(self.rests[0].states, self.states) | split_by_name(self.rests[0].policies, self.policies)

    def definitions(self, now: Point) -> Mapping[str, Any]:
        return self.member(now).definitions(now)

    def transition(self, now: Point, shock: Point) -> Mapping[str, Any]:
        constant = {name: getattr(now, name) for name in self.parameters.names}
        return {**self.member(now).transition(now, shock), **constant}

    def residuals(self, now: Point, nxt: Point, E: Callable[[Any], Any]) -> Mapping[str, Any]:
        return self.member(now).residuals(now, nxt, E)

    def expectations(self, now: Point, nxt: Point, E: Callable[[Any], Any]) -> Mapping[str, Any]:
        return self.member(now).expectations(now, nxt, E)

    def guess(self, now: Point) -> Mapping[str, Any] | None:
        return self.member(now).guess(now)

    def closed_form(self, now: Point) -> Mapping[str, Any] | None:
        """Where every corner of the parameters has one."""
        return self.member(now).closed_form(now) if self._has_closed_form else None

    def member(self, now: Point) -> Model:
        """The economy with the parameters at a point, tensors [nodes, batch]."""
        return replace(self.base, **{name: getattr(now, name) for name in self.parameters.names})

    def with_values(self, values: np.ndarray) -> Model:
        """The economy with given parameters [n_parameters], numbers."""
        return replace(self.base, **dict(zip(self.parameters.names, map(float, values), strict=True)))

    def rest(self, values: np.ndarray) -> SteadyState:
        """The steady state of the economy with given parameters, which stand last among its states."""
        found = steady_state(self.with_values(values))
        return SteadyState(np.concatenate([found.states, values]), found.policies)

    @cached_property
    def samples(self) -> np.ndarray:
        """The parameters of the members that are computed, [samples, n_parameters].

        The baseline, the corners, and points that are denser towards the ends, as Chebyshev's nodes are.
        """
        low, high, baseline = map(np.array, self.parameters[1:])
        count = len(self.parameters.names)
        ends = [*itertools.product([0.0, 1.0], repeat=count)] if count <= FULL_CORNERS else []
        sobol = qmc.Sobol(count, scramble=True, rng=np.random.default_rng(1))
        unit = sobol.random_base2((TIMES * count_terms(count) - 1).bit_length())
        inside = np.sin(np.pi / 2 * unit[: TIMES * count_terms(count)]) ** 2
        spread = np.concatenate([np.reshape(ends, (-1, count)), inside])
        return np.concatenate([[baseline], low + (high - low) * spread])

    @property
    def representatives(self) -> int:
        """How many of the first samples stand for the family: the baseline, the corners, some in between."""
        return len(self.samples) - TIMES * count_terms(len(self.parameters.names)) + BETWEEN_CORNERS

    @cached_property
    def rests(self) -> list[SteadyState]:
        """The samples' steady states. Raises InputError naming the parameters of one without."""
        near = self._continue_rests() if self.base.steady_state() is None else {}
        return [near.get(i) or self._call_at(v, partial(self.rest, v)) for i, v in enumerate(self.samples)]

    def _continue_rests(self) -> dict[int, SteadyState]:
        """Steady states by the number of the sample, found from the equations: those that are near the baseline."""
        baseline = np.array(self.parameters.baseline)
        first = self.rest(baseline)
        m, k = len(first.policies), len(baseline)
        n = len(first.states) - k

        def equations(z: tf.Tensor) -> tf.Tensor:
            states, policies, parameters = tf.split(z, [n, m, k], axis=1)
            states = tf.concat([states, parameters], 1)
            values = dated_equations(self, n + k, m, tf.concat([states, policies] * 2, 1))
            values -= tf.pad(states, [[0, 0], [0, m]])
            return tf.concat([values[:, :n], values[:, n + k :]], 1)

        found, start = {}, np.concatenate([first.states[:n], first.policies])
        roots = continue_root(equations, start, baseline, self.samples)
        for i, (root, values) in enumerate(zip(roots, self.samples, strict=True)):
            ends = zip(box(self.with_values(values).states), limits(self.policies), strict=True)
            low, high = map(np.concatenate, ends)
            inside = np.select([root - low < ROUNDING, high - root < ROUNDING], [low, high], root)
            if np.abs(root - inside).max() < ROUNDING:  # and so not nan
                found[i] = SteadyState(np.concatenate([inside[:n], values]), inside[n:])
        return found

    @cached_property
    def first_order(self) -> list[LinearSolution]:
        """The samples' first-order solutions, parameters left out. Raises InputError naming those of one without."""
        n, m, k = len(self.rests[0].states), len(self.rests[0].policies), len(self.parameters.names)
        moving = np.concatenate([np.arange(n) < n - k, np.full(m, True)] * 2)
        points = np.stack([np.tile(np.concatenate([r.states, r.policies]), 2) for r in self.rests])
        derivatives = jacobians(partial(dated_equations, self, n, m), points, np.eye(2 * (n + m))[moving])
        found = []
        for values, rest, J in zip(self.samples, self.rests, derivatives, strict=True):
            T, F = J[: n - k, : n - k + m], J[n:]
            parts = np.split(T, [n - k], axis=1), np.split(F, np.cumsum([n - k, m, n - k]), axis=1)
            member = SteadyState(rest.states[: n - k], rest.policies)
            found.append(self._call_at(values, partial(solve_at_rest, self.base, *parts, member)))
        return found

    @cached_property
    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corners of the samples' boxes, parameters included, [samples, n_states] each."""
        intervals = zip(*(box(self.with_values(values).states) for values in self.samples), strict=True)
        ends = zip(intervals, self.parameters[1:3], strict=True)
        return tuple(np.stack([np.concatenate([x, parameters]) for x in own]) for own, parameters in ends)

    @cached_property
    def _has_closed_form(self) -> bool:
        """Whether the corners have a closed form, which takes tensors as parameters, too."""
        rests = self.rests[: self.representatives]
        states, policies = (tf.constant(np.stack([getattr(r, x) for r in rests])) for x in ("states", "policies"))
        rows = [named_point(self, states[i : i + 1], policies[i : i + 1]) for i in range(len(rests))]
        exact = [self.with_values(v).closed_form(now) for v, now in zip(self.samples, rows, strict=False)]
        if any(values is None for values in exact):
            return False
        now = named_point(self, states, policies)
        try:
            together = self.member(now).closed_form(now)
            for p in (p for p in self.policies if p.name in together):
                shape = (1, 1) if p.size is None else (p.size, 1, 1)
                each = np.concatenate([np.broadcast_to(e[p.name], shape) for e in exact], -1)
                if not np.allclose(np.broadcast_to(together[p.name], each.shape), each, rtol=1e-9, atol=0):
                    log.warning("no closed form: for the family %s is not that of the members", p.name)
                    return False
        except Exception as error:  # numpy functions and broadcasts of the model's own
            log.warning("the closed form does not take tensors as parameters, so that none is compared: %s", error)
            return False
        return True

    def _call_at(self, values: np.ndarray, function: Callable[[], Any]) -> Any:
        """What a function returns; what it refuses, with the parameters. Raises InputError."""
        try:
            return function()
        except InputError as error:
            named = (f"{name}={value:.4g}" for name, value in zip(self.parameters.names, values, strict=True))
            raise type(error)(f"at {', '.join(named)}: {error}") from error


def choose_total_degree(count: int) -> int:
    """The degree of the polynomials in so many parameters."""
    return max((d for d in range(1, DEGREE + 1) if math.comb(count + d, d) <= MOST_TERMS), default=1)


def count_terms(count: int) -> int:
    """How many polynomials there are in so many parameters."""
    return math.comb(count + choose_total_degree(count), count)


def split_by_name(row: np.ndarray, variables: Sequence[Variable]) -> dict[str, Any]:
    """The parts of a packed row [sum of widths, or more]: numbers, and [size] for vectors."""
    parts = np.split(row, np.cumsum([width(v) for v in variables]))
    return {v.name: part if v.size is not None else float(part[0]) for v, part in zip(variables, parts, strict=False)}
