"""Named variables and packed matrices: equations read names, networks read columns.

A packed matrix is [nodes * batch, width], rows ordered node by node; the named form is [nodes, batch] for a scalar and
[n, nodes, batch] for a vector. The layout of the columns: how many each variable takes, their names, boxes and bounds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from deqn.model.declaration import Discrete, Markov, Model, Multiplier, Normal, Point, Policy, State
from deqn.model.findings import call
from deqn.system.errors import InputError

Variable = State | Policy | Multiplier
MANY_POLICIES = 20


def width(variable: Variable | Normal) -> int:
    """The number of columns that a variable takes in a packed matrix."""
    return 1 if variable.size is None else variable.size


def labels(variables: Sequence[Variable]) -> list[str]:
    """A name for each packed column: `k` for a scalar, `k[0]`, `k[1]`, ... for a vector."""
    return [v.name if v.size is None else f"{v.name}[{i}]" for v in variables for i in range(width(v))]


def pack_row(values: Mapping[str, Any], variables: Sequence[Variable]) -> np.ndarray:
    """Numbers by name, [width] each, as one row [sum of widths]."""
    rows = [np.broadcast_to(np.asarray(values[v.name], float), (width(v),)) for v in variables]
    return np.concatenate(rows) if rows else np.zeros(0)


def box(states: Sequence[State]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner of the box, each [sum of widths]."""
    lows, highs = zip(*(s.box for s in states), strict=True)
    return np.concatenate(lows), np.concatenate(highs)


def box_widths(states: Sequence[State]) -> np.ndarray:
    """The units in which states of different size are compared, [sum of widths]."""
    return np.subtract(*reversed(box(states)))


def in_logs(states: Sequence[State]) -> np.ndarray:
    """Which packed columns the policy function reads in logarithms, [sum of widths]."""
    return np.concatenate([np.full(width(s), s.log) for s in states])


def fixed(states: Sequence[State]) -> np.ndarray:
    """Which packed columns stay constant along every path, [sum of widths]."""
    return np.concatenate([np.full(width(s), s.fixed) for s in states])


def coordinates(values: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Packed values [..., n_states] with logarithms in the columns `logs`."""
    return np.where(logs, np.log(np.where(logs, values, 1)), values)


def limits(policies: Sequence[Policy | Multiplier]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds, each [sum of widths], infinite where there is none."""
    lower = [np.full(width(p), -np.inf if p.lower is None else p.lower) for p in policies]
    upper = [np.full(width(p), np.inf if p.upper is None else p.upper) for p in policies]
    return np.concatenate(lower), np.concatenate(upper)


def multipliers(model: Model) -> list[Multiplier]:
    """The constraints of a model that may bind."""
    return [p for p in model.policies if isinstance(p, Multiplier)]


def free_policies(policies: Sequence[Policy | Multiplier]) -> list[Policy]:
    """The policies without the multipliers, each with an output of the network and an equation of its own."""
    return [p for p in policies if isinstance(p, Policy)]


def outcome_count(shock: Discrete | Markov) -> int:
    """The number of joint outcomes of a discrete shock."""
    return np.shape(next(iter(shock.values.values())))[-1]


def shock_names(shocks: Sequence[Normal | Discrete | Markov]) -> list[str]:
    """The names under which the transition reads the shocks."""
    return [name for s in shocks for name in ([s.name] if isinstance(s, Normal) else s.values)]


def has_many_policies(model: Model) -> bool:
    """Whether one Jacobian is to serve all states, and a linear fit all policies; not where a constraint may bind."""
    return not multipliers(model) and sum(map(width, model.policies)) > MANY_POLICIES


@dataclass(frozen=True)
class OutputColumns:
    """Where each output's policy, and the multipliers on its bounds, stand among the packed columns, [outputs] each.

    Where a bound has no multiplier, `lower` or `upper` is the policy itself.
    """

    own: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def reach_lower(self) -> np.ndarray:
        """Which outputs may reach their lower bound."""
        return self.lower != self.own

    @property
    def reach_upper(self) -> np.ndarray:
        """Which outputs may reach their upper bound."""
        return self.upper != self.own

    @property
    def first(self) -> np.ndarray:
        """The multiplier on the bound from which an output is measured: the lower one where that may be reached."""
        return np.where(self.reach_lower, self.lower, self.upper)

    @property
    def place(self) -> np.ndarray:
        """For each packed column, its place among outputs, then multipliers on lower, then on upper bounds."""
        count = len(self.own)
        place = np.zeros(max(x.max() for x in (self.own, self.lower, self.upper)) + 1, int)
        for i, columns in ((2, self.upper), (1, self.lower), (0, self.own)):  # without a multiplier the last one counts
            place[columns] = i * count + np.arange(count)
        return place

    def find_binding(self, policies: np.ndarray) -> np.ndarray:
        """The columns that move at packed policies [n, n_policies]: the policy, or what binds, [n, outputs]."""
        columns = np.where((policies[:, self.upper] > 0) & self.reach_upper, self.upper, self.own)
        return np.where((policies[:, self.lower] > 0) & self.reach_lower, self.lower, columns)


def output_columns(policies: Sequence[Policy | Multiplier]) -> OutputColumns:
    """The columns of all outputs."""
    first = dict(zip([p.name for p in policies], np.cumsum([0, *map(width, policies)]), strict=False))
    multiplier = {(m.of, m.bound): m.name for m in policies if isinstance(m, Multiplier)}
    free = free_policies(policies)
    stand = lambda names: np.concatenate([first[n] + np.arange(width(p)) for n, p in zip(names, free, strict=True)])
    on = lambda bound: stand([multiplier.get((p.name, bound), p.name) for p in free])
    return OutputColumns(stand([p.name for p in free]), on("lower"), on("upper"))


def unpack(columns: tf.Tensor, variables: Sequence[Variable], nodes: int) -> dict[str, tf.Tensor]:
    """Name the columns of a packed matrix."""
    rows = tf.transpose(columns)  # [width, nodes * batch]
    named, first = {}, 0
    for v in variables:
        shape = (nodes, -1) if v.size is None else (v.size, nodes, -1)
        named[v.name] = tf.reshape(rows[first : first + width(v)], shape)
        first += width(v)
    return named


def pack(named: Mapping[str, Any], variables: Sequence[Variable], nodes: int, batch: int, dtype: tf.DType) -> tf.Tensor:
    """Stack named variables, broadcast to [nodes, batch], into a packed matrix."""
    rows = []
    for v in variables:
        shape = (nodes, batch) if v.size is None else (v.size, nodes, batch)
        rows.append(tf.reshape(tf.broadcast_to(tf.cast(named[v.name], dtype), shape), (width(v), nodes * batch)))
    return tf.transpose(tf.concat(rows, 0))


def point(model: Model, policy: Callable[[tf.Tensor], tf.Tensor], states: tf.Tensor, nodes: int = 1) -> Point:
    """All variables at packed states [nodes * batch, n_states], under a policy function of packed states."""
    return named_point(model, states, policy(states), nodes)


def named_point(model: Model, states: tf.Tensor, policies: tf.Tensor, nodes: int = 1) -> Point:
    """All variables at packed states and policies, [nodes * batch, ...] each."""
    now = Point({**unpack(states, model.states, nodes), **unpack(policies, model.policies, nodes)})
    return now.also(model.definitions(now))


def mean_shocks(model: Model, now: Point, dtype: tf.DType) -> Point:
    """Every shock at its mean given today: [1, batch], or [n, 1, batch] for vectors."""
    return Point({name: mean for shock in model.shocks for name, mean in mean_shock(shock, now, dtype).items()})


def mean_shock(shock: Normal | Discrete | Markov, now: Point, dtype: tf.DType) -> dict[str, tf.Tensor]:
    """The mean of each variable of one shock."""
    if isinstance(shock, Normal):
        return {shock.name: tf.zeros((1, 1) if shock.size is None else (shock.size, 1, 1), dtype)}
    weights = probabilities(shock, now, dtype)  # [outcomes, batch or 1]
    outcomes = {name: tf.constant(np.asarray(x, float)[..., None], dtype) for name, x in shock.values.items()}
    return {name: tf.reduce_sum(weights * values, -2, keepdims=True) for name, values in outcomes.items()}


def probabilities(shock: Discrete | Markov, now: Point, dtype: tf.DType) -> tf.Tensor:
    """The probability of each outcome given today, [outcomes, batch], or [outcomes, 1] where it is the same for all.

    Raises InputError where a chain's own function fails, or gives another shape; an axis for today's one node is left
    out.
    """
    if isinstance(shock, Markov):
        name, count = f"probabilities of shock {next(iter(shock.values))!r}", outcome_count(shock)
        given = call(name, lambda: tf.cast(shock.probabilities(now), dtype), tf.Tensor)
        if [*given.shape[:-1]] not in ([count], [count, 1]):
            raise InputError(f"{name} have shape {list(given.shape)}; expected [{count}, batch]")
        return tf.reshape(given, (count, -1))
    return tf.constant(np.asarray(shock.probabilities, float)[:, None], dtype)
