"""What economists ask of a solution: impulse responses, simulated tables, slices of the policy functions."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.economy.domain import Chain, Domain
from deqn.economy.economy import Economy, tabulate_point
from deqn.economy.exact import Truth
from deqn.economy.simulation import advance_states, simulate_end, simulate_path
from deqn.evaluation.evaluate import center_row
from deqn.model.declaration import Model, Normal, Point
from deqn.model.layout import fixed, labels, mean_shock, mean_shocks, outcome_count, pack, point, shock_names

UNIT_ROOT = 1e-7  # share of the largest, below which a singular value of the identity less the slopes is zero
SLICE_POINTS = 101
CHORDS, RESTING = 50, 100  # steps to a resting point, at most; rounding errors by which the last one moves


def impulse_response(
    economy: Economy, name: str, size: float, periods: int, outcome: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The path after one shock and the path without it, each `periods` + 1 rows from date 0 on, no further shock.

    Both start at `find_resting_point`. A shock deviates from its mean by `size` standard deviations; of a vector one
    the entry `eps[2]`, or the first. A state, or its entry `k[2]`, is displaced by the share `size` of its value, or by
    `size` where that is zero. A name of both means the shock. With an `outcome`, counted from 0, all variables of a
    discrete shock take that one, whatever `size` is. Raises KeyError for another name or outcome.
    """
    model, policy, dtype = economy.model, economy.policy, economy.policy.dtype
    rest = find_resting_point(economy)
    now = point(model, policy, rest)
    shocks = mean_shocks(model, now, dtype)
    values = {n: getattr(shocks, n) for n in shock_names(model.shocks)}
    values |= {s.name: getattr(now, s.name) for s in model.states if s.name not in values}  # of both: the shock
    variable, entry = split_entry(name, {n: len(x) if x.shape.rank == 3 else None for n, x in values.items()})
    value = values[variable]
    if outcome is not None:
        after = model.transition(now, shocks.also(take_outcome(model, name, outcome, dtype)))
        baseline = advance_states(model, policy, rest, None)
    elif variable in shock_names(model.shocks):
        moved = value + size * standard_deviation(model, variable, now, dtype) * mark_entry(value, entry or 0)
        after = model.transition(now, shocks.also({variable: moved}))
        baseline = advance_states(model, policy, rest, None)
    else:
        moved = value + size * tf.where(value == 0, tf.ones_like(value), value) * mark_entry(value, entry)
        after, baseline = {**now.__dict__, variable: moved}, rest
    both = tf.concat([pack(after, model.states, 1, 1, dtype), baseline], 0)
    later = simulate_path(model, policy, both, periods - 1, None)  # [periods - 1, 2, n_states]
    paths = tf.concat([tf.stack([rest, rest], 1), both[None], later], 0)
    constant = [s.name for s in model.states if s.fixed]
    return tuple(economy.tabulate(paths[:, i]).drop(columns=constant) for i in range(2))


def find_resting_point(economy: Economy) -> tf.Tensor:
    """Where the economy rests under its policy when shocks stay at their means, packed states [1, n_states].

    By Newton's method with the slopes at the steady state. Along a unit root, where every point rests, it keeps that of
    the steady state; it is the steady state where none within a width of the box rests, as where a level drifts.
    """
    model, policy, start = economy.model, economy.policy, center_row(economy)
    rows, moving = tf.repeat(start, start.shape[1], 0), ~fixed(model.states)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        own = tf.linalg.diag_part(advance_states(model, policy, rows, None))  # of each row another state
    slopes = tape.gradient(own, rows, unconnected_gradients="zero").numpy().astype(float)[moving][:, moving]
    low, high = (x.numpy()[0, moving].astype(float) for x in economy.domain.corners(start))
    widths = high - low
    if not np.isfinite(slopes).all():
        return start
    inverse = np.linalg.pinv(np.eye(len(widths)) - slopes / widths[:, None] * widths, rcond=UNIT_ROOT)
    away, state = np.zeros(len(widths)), start
    for _ in range(CHORDS):
        change = (simulate_end(model, policy, state, tf.constant(1), None) - state).numpy()[0, moving] / widths
        away += inverse @ change
        if not np.abs(away).max() <= 1:
            return start
        packed = start.numpy().astype(float)
        packed[0, moving] += widths * away
        state = tf.constant(packed, start.dtype)
        if np.abs(inverse @ change).max() <= RESTING * np.finfo(start.dtype.as_numpy_dtype).eps:
            break
    left = (simulate_end(model, policy, state, tf.constant(1), None) - state).numpy()[0, moving] / widths
    return state if np.abs(left).max() <= math.sqrt(np.finfo(start.dtype.as_numpy_dtype).eps) else start


def at_zero(path: pd.DataFrame) -> pd.Series:
    """Which variables stay at zero along a path, so that no percent of them can be taken."""
    return path.abs().max() < 1e-8


def percent_deviations(shocked: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Deviations from the path without a shock in percent of it, x 100 where that path is zero."""
    return 100 * (shocked - baseline) / baseline.mask(np.broadcast_to(at_zero(baseline), baseline.shape), 1.0)


def split_entry(name: str, sizes: Mapping[str, int | None]) -> tuple[str, int | None]:
    """A variable, of the given sizes by name, and the entry that `eps[2]` means. Raises KeyError naming all."""
    variable, digits = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", name, re.S).groups()
    entry = None if digits is None else int(digits)
    if variable not in sizes or (entry is not None and entry >= (sizes[variable] or 0)):
        known = (n if size is None else f"{n}[0] to {n}[{size - 1}]" for n, size in sizes.items())
        raise KeyError(f"no shock or state {name!r}; there are {', '.join(known)}")
    return variable, entry


def mark_entry(value: tf.Tensor, entry: int | None) -> np.ndarray:
    """One at an entry of a vector [size, 1, 1] and zero at the others; one at all of them where there is no entry."""
    one = np.ones(value.shape)
    return one if entry is None or one.ndim < 3 else one * (np.arange(len(one)) == entry)[:, None, None]


def take_outcome(model: Model, name: str, outcome: int, dtype: tf.DType) -> dict[str, tf.Tensor]:
    """All variables of the discrete shock that has a variable `name` in one of its outcomes. Raises KeyError."""
    discrete = {n: s for s in model.shocks if not isinstance(s, Normal) for n in s.values}
    if name not in discrete:
        raise KeyError(f"{name!r} has no outcomes; discrete shocks are {', '.join(discrete) or 'none'}")
    count = outcome_count(discrete[name])
    if not 0 <= outcome < count:
        raise KeyError(f"outcome={outcome}: the shock {name!r} has the outcomes 0 to {count - 1}")
    values = {n: np.asarray(v, float)[..., outcome, None, None] for n, v in discrete[name].values.items()}
    return {n: tf.constant(v, dtype) for n, v in values.items()}


def standard_deviation(model: Model, name: str, now: Point, dtype) -> tf.Tensor:
    """That of a shock given today, in the shape of its mean: one for a normal shock."""
    shock = next((s for s in model.shocks if not isinstance(s, Normal) and name in s.values), None)
    if shock is None:
        return tf.ones((), dtype)
    squared = replace(shock, values={k: np.square(v) for k, v in shock.values.items()})
    return tf.sqrt(mean_shock(squared, now, dtype)[name] - mean_shock(shock, now, dtype)[name] ** 2)


def tabulate_paths(economy: Economy, states: tf.Tensor) -> pd.DataFrame:
    """All variables along simulated paths [periods, paths, n_states], with the columns `path` and `period` first."""
    periods, paths = states.shape[:2]
    table = economy.tabulate(tf.reshape(states, (periods * paths, -1)))
    table.insert(0, "path", np.tile(np.arange(paths), periods))
    table.insert(1, "period", np.repeat(np.arange(periods), paths))
    return table.sort_values(["path", "period"], ignore_index=True)


def slice_policies(
    economy: Economy, start: Callable[[tf.Tensor], tf.Tensor] | None = None, exact: Truth | None = None
) -> dict[str, pd.DataFrame]:
    """Policies along each packed state across its box, the other states at the steady state; a chain takes its outcomes
    alone.

    A table for each state label: state, policies, and if they are given, `start <policy>` and `exact <policy>`.
    """
    model, center, tables = economy.model, center_row(economy), {}
    for column, label in enumerate(labels(model.states)):
        states = tf.constant(place_slice(economy.domain, center, column), economy.policy.dtype)
        table = tabulate_point(point(model, economy.policy, states))[[label, *labels(model.policies)]]
        if start is not None:
            table[[f"start {name}" for name in labels(model.policies)]] = start(states).numpy()
        for name, value in ({} if exact is None else exact.values(states)).items():
            value = np.where(exact.covers(states), value, np.nan)
            for i, row in enumerate(value.reshape(-1, len(states))):
                table[f"exact {name}" if value.ndim == 2 else f"exact {name}[{i}]"] = row
        tables[label] = table
    return tables


def place_slice(domain: Domain, center: tf.Tensor, column: int) -> np.ndarray:
    """Points [points, n_states] through a center [1, n_states], along a column of the states; chains at outcomes."""
    row = center.numpy()[0].copy()
    for chain in domain.chains:
        row[list(chain.columns)] = find_nearest_outcome(chain, row)
    for chain in domain.chains:
        if column in chain.columns:
            outcomes = list_outcomes_along(chain, find_nearest_outcome(chain, row), chain.columns.index(column))
            points = np.tile(row, (len(outcomes), 1))
            points[:, list(chain.columns)] = outcomes
            return points
    low, high = (x.numpy()[0, column] for x in domain.corners(center))
    points = np.tile(row, (SLICE_POINTS, 1))
    points[:, column] = np.linspace(low, high, SLICE_POINTS)
    return points


def find_nearest_outcome(chain: Chain, row: np.ndarray) -> np.ndarray:
    """The outcome [columns] of a chain that is nearest to packed states [n_states], in units of its range."""
    widths = np.maximum(np.ptp(chain.outcomes, axis=0), np.finfo(float).tiny)
    return chain.outcomes[np.argmin((((chain.outcomes - row[list(chain.columns)]) / widths) ** 2).sum(1))]


def list_outcomes_along(chain: Chain, through: np.ndarray, place: int) -> np.ndarray:
    """Outcomes [outcomes, columns] in the order of one column: those that share the others with one, else all."""
    shared = (np.delete(chain.outcomes, place, 1) == np.delete(through, place)).all(1)
    chosen = chain.outcomes[shared] if shared.sum() > 1 else chain.outcomes
    return chosen[np.argsort(chosen[:, place], kind="stable")]
