"""The domain: where states live and are drawn from.

Points of the unit cube stand for states: a domain places them. What draws states, judges whether one is far outside, or
scales the inputs of a network asks the domain, whatever its kind: a box, or the box of each member of a family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import tensorflow as tf
from scipy.stats import qmc

from deqn.model.declaration import Markov, Model, Normal, Point
from deqn.model.layout import box, coordinates, fixed, in_logs, labels, mean_shocks, named_point, outcome_count, width
from deqn.perturbation.first_order import Indeterminate, NoLocalSolution
from deqn.perturbation.steady_state import find_middle
from deqn.settings.schema import Evaluation
from deqn.system.errors import InputError

STRAY = 1e-4  # of a chain's range, from which a state is none of its outcomes
PLACES = 8  # today, at which tomorrow's states are compared


class Domain(Protocol):
    """Where states live and are drawn from."""

    model: Model

    @property
    def chains(self) -> Sequence["Chain"]:
        """The chains whose outcomes are states."""

    def corners(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Lower and upper corner around packed states [n, n_states]: [1, n_states], or [n, n_states] each."""

    def corner_coordinates(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The corners with logarithms where states declare them."""

    def place(self, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        """Packed states at points of the unit cube [n, n_states]; with the parameters `of` one state [1, n_states]."""


@dataclass(frozen=True)
class Chain:
    """States that repeat the outcome of a finite chain: their `columns`, the `outcomes` [outcomes, columns], and the
    variables of its `shock`."""

    columns: tuple[int, ...]
    outcomes: np.ndarray
    shock: tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """The box that the states of a model declare, the same everywhere; states of a chain take its outcomes alone."""

    model: Model

    @cached_property
    def chains(self) -> list[Chain]:
        """The chains whose outcomes are states."""
        with tf.init_scope():  # numbers, also where a graph is being made
            return find_chains(self.model)

    def corners(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tuple(tf.constant(x[None], states.dtype) for x in box(self.model.states))

    def corner_coordinates(self, states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logs = in_logs(self.model.states)
        return tuple(tf.constant(coordinates(x, logs)[None], states.dtype) for x in box(self.model.states))

    def place(self, unit: tf.Tensor, of: tf.Tensor | None = None) -> tf.Tensor:
        low, high = self.corners(unit)
        states = low + (high - low) * unit
        for chain in self.chains:
            count = len(chain.outcomes)
            row = tf.cast(tf.clip_by_value(unit[:, chain.columns[0]] * count, 0, count - 1), tf.int32)
            taken = tf.gather(tf.constant(chain.outcomes, states.dtype), row)  # [n, columns]
            columns = tf.unstack(states, axis=1)
            for column, values in zip(chain.columns, tf.unstack(taken, axis=1), strict=True):
                columns[column] = values
            states = tf.stack(columns, 1)
        return states


def find_chains(model: Model) -> list[Chain]:
    """The Markov shocks whose outcome alone says what some scalar states are tomorrow, whatever today is."""
    shocks = [shock for shock in model.shocks if isinstance(shock, Markov)]
    if not shocks:
        return []
    found, scalars = [], [s.name for s in model.states if s.size is None]
    low, high = box(model.states)
    places = qmc.Sobol(len(low), rng=np.random.default_rng(0)).random(PLACES)
    states, middle = tf.constant(low + (high - low) * places), find_middle(model)
    now = named_point(model, states, tf.constant(np.repeat(middle.policies[None], PLACES, 0)))
    for shock in shocks:
        drawn = {n: tf.constant(np.asarray(v, float)[:, None]) for n, v in shock.values.items()}
        means = mean_shocks(model, now, tf.float64).__dict__
        moved = {s.name: means[s.name] + 1.0 for s in model.shocks if isinstance(s, Normal)}
        shape, states_after = (outcome_count(shock), PLACES), []
        for others in (means, means | moved):
            tomorrow = model.transition(now, Point({**others, **drawn}))
            states_after.append([np.broadcast_to(tomorrow[n], shape) for n in scalars])
        reached = np.concatenate(states_after, 2)  # [scalar states, outcomes, 2 places]
        alone = (reached == reached[:, :, :1]).all((1, 2)) & (np.ptp(reached[:, :, 0], 1) > 0)
        if alone.any():
            columns = tuple(labels(model.states).index(n) for n, own in zip(scalars, alone, strict=True) if own)
            outcomes = reached[alone, :, 0].T
            _, first = np.unique(outcomes, axis=0, return_index=True)
            found.append(Chain(columns, outcomes[np.sort(first)], tuple(shock.values)))
    return found


def find_strays(domain: Domain, states: np.ndarray) -> list[str]:
    """For each chain, the first of packed states [n, n_states] that is none of its outcomes, in words."""
    names, found = labels(domain.model.states), []
    for chain in domain.chains:
        taken = states[:, list(chain.columns)]
        away = np.abs(taken[:, None] - chain.outcomes) / np.ptp(chain.outcomes, axis=0)  # [n, outcomes, columns]
        strays = np.flatnonzero(away.max(2).min(1) > STRAY)
        if len(strays):
            at = ", ".join(f"{names[c]}={x:.6g}" for c, x in zip(chain.columns, taken[strays[0]], strict=True))
            outcomes = "; ".join(", ".join(f"{x:.6g}" for x in row) for row in chain.outcomes[:8])
            found.append(f"{at} is no outcome of its chain, where alone the policies are trained: {outcomes}"
                         + "; ..." * (len(chain.outcomes) > 8))  # fmt: skip
    return found


def concerns_rest_alone(error: InputError, domain: Domain) -> bool:
    """Whether that there is no first-order solution says nothing of other solutions.

    A rest point that lies between the outcomes of a chain is one where the economy never is.
    """
    return isinstance(error, NoLocalSolution) or (isinstance(error, Indeterminate) and bool(domain.chains))


def is_inside(domain: Domain, states: tf.Tensor, reach: tf.Tensor | float) -> tf.Tensor:
    """Which states [n, n_states] are finite and at most `reach` widths outside the domain, in levels and logarithms."""
    logs = in_logs(domain.model.states)
    low, high = domain.corners(states)
    inside = is_within(states, low, high, reach)
    low, high, x = (tf.math.log(tf.where(logs, v, tf.ones_like(v))) for v in (low, high, states))
    inside &= is_within(x, low, high, reach) | ~tf.constant(logs)
    return tf.reduce_all(inside, 1)


def is_within(x: tf.Tensor, low: tf.Tensor, high: tf.Tensor, reach: tf.Tensor | float) -> tf.Tensor:
    """Whether x lies between low and high, or `reach` times their distance outside; false where x is no number."""
    return (x >= low - reach * (high - low)) & (x <= high + reach * (high - low))


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
