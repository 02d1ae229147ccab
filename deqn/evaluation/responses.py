"""Responses to a shock: the path with it, and the path without."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.economy.simulation import advance_states, draw_shocks, simulate_end, simulate_path
from deqn.evaluation.evaluate import center_row
from deqn.model.declaration import Markov, Model, Normal, Point
from deqn.model.layout import fixed, labels, mean_shock, mean_shocks, outcome_count, pack, point, shock_names

UNIT_ROOT = 1e-7  # share of the largest, below which a singular value of the identity less the slopes is zero
CHORDS, RESTING = 50, 100  # steps to a resting point, at most; rounding errors by which the last one moves
PATHS, DATES = 1024, 200  # over which responses of an economy with a regime are averaged; dates that lead to them


def impulse_response(
    economy: Economy, name: str, size: float, periods: int, outcome: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The path after one shock and the path without it, each `periods` + 1 rows from date 0 on.

    Both start at `find_resting_point`, and no further shock hits them. An economy with a regime rests nowhere: its
    paths are means over PATHS that start where it is visited, and have the same shocks but for the one (Koop, Pesaran
    and Potter 1996, generalized impulse responses).

    A shock deviates by `size` standard deviations, without a regime from its mean; of a vector one the entry `eps[2]`,
    or the first. A state, or its entry `k[2]`, is displaced by the share `size` of its value, or by `size` where that
    is zero. A name of both means the shock. With an `outcome`, counted from 0, all variables of a discrete shock take
    that one, whatever `size` is. Raises KeyError for another name or outcome, and for a regime without an outcome.
    """
    model, policy = economy.model, economy.policy
    constant = [s.name for s in model.states if s.fixed]
    if economy.domain.chains:
        before = visit_dates(economy)
        generators = [tf.random.Generator.from_seed(1, alg="philox") for _ in range(2)]
        shocks = draw_shocks(model, point(model, policy, before), generators[0], PATHS, before.dtype)
        generators[1].reset(generators[0].state)
    else:
        before, generators = find_resting_point(economy), [None, None]
        shocks = mean_shocks(model, point(model, policy, before), before.dtype)
    tables = []
    for states, generator in zip(displace(economy, before, shocks, name, size, outcome), generators, strict=True):
        later = simulate_path(model, policy, states, periods - 1, generator)
        visited = tf.concat([before[None], states[None], later], 0)  # [periods + 1, paths, n_states]
        table = economy.tabulate(tf.reshape(visited, (-1, visited.shape[2]))).drop(columns=constant)
        tables.append(table.groupby(np.arange(len(table)) // len(before)).mean())
    return tuple(tables)


def visit_dates(economy: Economy) -> tf.Tensor:
    """Single dates of independent paths, packed states [PATHS, n_states]."""
    starts = SobolPoints(economy.domain, PATHS, 0, economy.policy.dtype).points()
    generator = tf.random.Generator.from_seed(0, alg="philox")
    return simulate_end(economy.model, economy.policy, starts, tf.constant(DATES), generator)


def displace(
    economy: Economy, before: tf.Tensor, shocks: Point, name: str, size: float, outcome: int | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The packed states [paths, n_states] a date after `before`, with a displacement and without it."""
    model, n, dtype = economy.model, before.shape[0], before.dtype
    now, shock_variables = point(model, economy.policy, before), shock_names(model.shocks)
    values = {variable: getattr(shocks, variable) for variable in shock_variables}
    values |= {s.name: getattr(now, s.name) for s in model.states if s.name not in values}  # of both: the shock
    variable, entry = split_entry(name, {k: len(x) if x.shape.rank == 3 else None for k, x in values.items()})
    value = values[variable]
    move = lambda drawn: pack(model.transition(now, drawn), model.states, 1, n, dtype)
    if outcome is not None:
        return move(shocks.also(take_outcome(model, name, outcome, dtype))), move(shocks)
    check_moves(economy, variable)
    if variable in shock_variables:
        moved = value + size * standard_deviation(model, variable, now, dtype) * mark_entry(value, entry or 0)
        return move(shocks.also({variable: moved})), move(shocks)
    after = move(shocks) if economy.domain.chains else before  # a resting point is its own tomorrow
    now = point(model, economy.policy, after)
    value = getattr(now, variable)
    moved = value + size * tf.where(value == 0, tf.ones_like(value), value) * mark_entry(value, entry)
    return pack({**now.__dict__, variable: moved}, model.states, 1, n, dtype), after


def check_moves(economy: Economy, variable: str) -> None:
    """Refuse to move a regime by a size. Raises KeyError, with the outcomes that there are."""
    names = labels(economy.model.states)
    for chain in economy.domain.chains:
        if variable in (*chain.shock, *(names[column] for column in chain.columns)):
            shock = next(s for s in economy.model.shocks if isinstance(s, Markov) and chain.shock[0] in s.values)
            raise KeyError(f"{variable!r} is a regime, which takes its outcomes alone: ask for shock={chain.shock[0]} "
                           f"with outcome=0 to {outcome_count(shock) - 1}")  # fmt: skip


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
    """Which variables are zero somewhere along a path, so that no percent of them can be taken."""
    return path.abs().min() < 1e-8


def percent_deviations(shocked: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Deviations from the path without a shock in percent of it, x 100 where that path is zero somewhere."""
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
