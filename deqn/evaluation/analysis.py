"""What economists ask of a solution: simulated tables, slices of the policy functions."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.economy.domain import Chain, Domain
from deqn.economy.economy import Economy, tabulate_point
from deqn.economy.exact import Truth
from deqn.evaluation.evaluate import center_row
from deqn.model.layout import labels, point

SLICE_POINTS = 101


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
