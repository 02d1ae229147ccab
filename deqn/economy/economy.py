"""An economy under a policy function: what training changes and what evaluation measures, and its tables."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.economy.domain import Domain
from deqn.economy.kinks import trace_switches
from deqn.economy.members import Members
from deqn.equations.expectation import Expectation
from deqn.equations.residuals import report_point, residuals
from deqn.model.declaration import Model, Point, reports_expectations
from deqn.model.layout import point
from deqn.perturbation.steady_state import SteadyState, find_middle
from deqn.policies.network import PolicyFunction

TRIMMED, BESIDE = 2.0, 0.005  # times the share without a solution, and a share of the states beside them
SLICE, FLOATS = 4096, 2**26  # states evaluated at once, and numbers in all of them, so that memory stays bounded
P = TypeVar("P", bound=PolicyFunction, covariant=True)


@dataclass(frozen=True)
class Economy(Generic[P]):
    """What is solved: one or many members, the baseline's steady state, the policy function, and the expectation.

    The steady state is None if it is unknown; then there is no first-order solution, and stability is not judged.
    `switches`: places of the equations at which they have kinks that no multiplier declares (economy/kinks.py).
    """

    members: Members
    steady: SteadyState | None
    policy: P
    expectation: Expectation
    switches: tuple[int, ...] = ()

    @property
    def model(self) -> Model:
        """The equations of all members."""
        return self.members.model

    @cached_property
    def center(self) -> SteadyState:
        """The steady state, else the middle of the box with moderate policies."""
        return find_middle(self.model) if self.steady is None else self.steady

    @property
    def domain(self) -> Domain:
        return self.members.domain

    def residuals(self, states: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Residuals by equation at packed states [batch, n_states]."""
        return residuals(self.model, lambda s: self.policy(s, training=training), self.expectation, states)

    @property
    def gradient_work(self) -> float:
        """Multiplications of the gradient of the residuals at one state, roughly."""
        return 3.0 * (self.expectation.nodes + 1) * self.policy.network.count_params()

    @cached_property
    def unsolvable(self) -> tf.Variable:
        """The share of the training states at which time iteration found no solution of today's equations."""
        return tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def split_solvable(self, errors: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """States, by their residuals [n, states], that count and that are left out since they have no solution.

        Those that count come with the smallest residuals first.
        """
        order = rank_states(errors)
        return tuple(np.split(order, [len(order) - count_trimmed(self.unsolvable.numpy(), len(order))]))

    @cached_property
    def sizes(self) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """A compiled function: absolute residuals by equation, [n, batch] each, at packed states [batch, n_states]."""
        flatten = lambda r: tf.reshape(tf.abs(r), (-1, tf.shape(r)[-1]))
        compute = lambda states: {name: flatten(r) for name, r in self.residuals(states).items()}
        return tf.function(compute, reduce_retracing=True, autograph=False)

    def euler_errors(self, states: tf.Tensor) -> dict[str, np.ndarray]:
        """Absolute residuals by equation, [n, states] with n = 1 for a scalar equation, at packed states."""
        parts = [self.sizes(part) for part in self.slices(states)]
        return {name: np.concatenate([p[name].numpy() for p in parts], 1) for name in parts[0]}

    def tabulate(self, states: tf.Tensor) -> pd.DataFrame:
        """All variables at packed states [n, n_states], n rows, and what the model reports of expectations."""
        if not reports_expectations(self.members.base):
            return tabulate_point(point(self.model, self.policy, states))
        parts = [self.report(part) for part in self.slices(states)]
        return pd.concat([tabulate_point(Point(part)) for part in parts], ignore_index=True)

    @cached_property
    def sides(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """A compiled function: on which side of each of the `switches` packed states [n, n_states] are."""
        trace = lambda states: tf.gather(trace_switches(self.model, self.policy, states)[0], self.switches)
        return tf.function(trace, autograph=False)

    @cached_property
    def report(self) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """A compiled function: all variables and reported expectations by name, at packed states [batch, n_states]."""
        compute = lambda states: report_point(self.model, self.policy, self.expectation, states).__dict__
        return tf.function(compute, reduce_retracing=True, autograph=False)

    def slices(self, states: tf.Tensor) -> Iterator[tf.Tensor]:
        """Packed states in pieces whose residuals fit into memory, however many nodes and policies there are."""
        rows = min(SLICE, max(1, FLOATS // ((self.expectation.nodes + 1) * self.policy.floats)))
        for first in range(0, states.shape[0], rows):
            yield states[first : first + rows]


def rank_states(errors: Mapping[str, np.ndarray]) -> np.ndarray:
    """States by the largest of their residuals [n, states], the smallest first; those without numbers are last."""
    largest = np.concatenate([np.abs(r) for r in errors.values()]).max(0)
    return np.argsort(np.where(np.isfinite(largest), largest, np.inf), kind="stable")


def count_trimmed(share: float, states: int) -> int:
    """How many of so many states are left out, those with the largest residuals, where a share has no solution.

    Least squares would else be ruled by equations that cannot be met (least trimmed squares: Rousseeuw 1984). Beside
    such states policies are steep.
    """
    return min(math.ceil((TRIMMED * share + BESIDE) * states), states // 2) if share > 0 else 0


def row_means(sizes: dict[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    """The mean over states of each row of each equation [1, batch] or [n, 1, batch], by name."""
    for name, r in sizes.items():
        rows = r.reshape(-1, r.shape[-1]).mean(1)
        for i, mean in enumerate(rows):
            yield (name if len(rows) == 1 else f"{name}[{i}]"), float(mean)


def tabulate_point(now: Point) -> pd.DataFrame:
    """All variables of a point [1, batch] as a table of `batch` rows, with columns `k[0]`, `k[1]`, ... for vectors."""
    values = {name: np.asarray(value) for name, value in now.__dict__.items()}
    rows = max(v.shape[-1] for v in values.values() if v.ndim)
    parts = {}
    for name, v in values.items():
        parts |= {name: v} if v.ndim < 3 else {f"{name}[{i}]": part for i, part in enumerate(v)}
    return pd.DataFrame({label: np.broadcast_to(part, (1, rows))[0] for label, part in parts.items()})
