"""Errors on shocks, states and quadrature nodes that training did not use, and distances from exact policies."""

import math

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy, row_means
from deqn.economy.exact import Truth
from deqn.economy.simulation import simulate_end, simulate_path
from deqn.evaluation.closed_loop import decay_periods
from deqn.evaluation.records import Sample, Statistics, WorstEquation
from deqn.model.declaration import Model
from deqn.model.layout import fixed, point, width
from deqn.perturbation.modes import Modes
from deqn.policies.network import PolicyFunction
from deqn.settings.schema import Evaluation

FORGOTTEN = 1e-3  # share of its start that a path still shows after the burn-in
BURN_IN = (200, 10_000)  # dates of the burn-in, at least and at most
QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


def sample_paths(
    economy: Economy, evaluation: Evaluation, seed: int, of: tf.Tensor | None = None, loop: Modes | None = None
) -> tf.Tensor:
    """Fresh simulated states [periods, paths, n_states], the first dates left out (see `choose_sample`).

    `of`: packed state [1, n_states] whose parameters, in a family, all paths have. `loop`: None without steady state.
    """
    generator = tf.random.Generator.from_seed(seed, alg="philox")
    start = SobolPoints(economy.domain, evaluation.paths, seed, economy.policy.dtype).points(of=of)
    chosen = choose_sample(economy.model, evaluation, loop)
    if chosen.at_rest:  # the parameters of a family as they are
        start = tf.where(fixed(economy.model.states), start, center_row(economy))
    states = simulate_end(economy.model, economy.policy, start, tf.constant(chosen.burn_in), generator)
    return simulate_path(economy.model, economy.policy, states, evaluation.periods, generator)


def choose_sample(model: Model, evaluation: Evaluation, loop: Modes | None) -> Sample:
    """How paths are sampled: `burn_in` dates come before the `periods` that are judged, so that starts are forgotten.

    That takes `needed` dates, which only a steady state tells; none without shocks, where the transition is all there
    is. Unit roots forget nothing, so that paths start `at_rest`. `evaluation.burn_in` overrides all of this.
    """
    needed = decay_periods(loop.decaying, FORGOTTEN) if model.shocks and loop is not None else 0.0
    if evaluation.burn_in is not None:
        return Sample(evaluation.periods, needed, at_rest=False, burn_in=evaluation.burn_in)
    if not model.shocks or (loop is not None and loop.unit_roots):
        return Sample(evaluation.periods, needed, at_rest=bool(model.shocks), burn_in=0)
    return Sample(evaluation.periods, needed, at_rest=False, burn_in=int(np.ceil(np.clip(needed, *BURN_IN))))


def compute_statistics(sizes: np.ndarray) -> dict[str, float]:
    """Mean, median, upper percentiles and maximum of absolute residuals."""
    named = dict(zip(QUANTILES, map(float, np.quantile(sizes, list(QUANTILES.values()))), strict=True))
    return {"mean": float(np.mean(sizes)), **named, "max": float(np.max(sizes))}


def summarize_errors(errors: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Statistics by equation, and over all of them as `all`."""
    pooled = np.concatenate([r.ravel() for r in errors.values()])
    return {name: compute_statistics(r) for name, r in errors.items()} | {"all": compute_statistics(pooled)}


def find_worst_equation(errors: dict[str, np.ndarray]) -> WorstEquation:
    """The equation with the largest mean over states, which decides; each row of a vector is one of its own."""
    return WorstEquation(*max(row_means(errors), key=lambda row: math.inf if math.isnan(row[1]) else row[1]))


def summarize_terciles(model: Model, errors: dict[str, np.ndarray], states: tf.Tensor) -> dict[str, list[Statistics]]:
    """Mean and largest of the errors at the states over all equations, in each third of each parameter of a family."""
    pooled, terciles = np.concatenate(list(errors.values())), {}  # [equations, states]
    for s, column in zip(model.states, np.cumsum([0, *map(width, model.states)]), strict=False):
        if s.fixed:
            ends = np.linspace(s.lower, s.upper, 4)
            tercile = np.clip(np.searchsorted(ends, states[:, column].numpy(), side="right") - 1, 0, 2)
            terciles[s.name] = [
                {"from": ends[i], "to": ends[i + 1], "mean": float(part.mean()), "max": float(part.max())}
                for i in range(3) if (part := pooled[:, tercile == i]).size
            ]  # fmt: skip
    return terciles


def compare(economy: Economy, linear: PolicyFunction | None, exact: Truth, sets: dict[str, tf.Tensor]) -> pd.DataFrame:
    """The network against the exact policies, a row for each set of states and policy.

    Errors are absolute, in the policy's own unit, and relative to the exact value where that is not zero;
    `first_order_*` are those of the linear solution: what the network adds to it is the difference.
    """
    rows, rules = [], {"": economy.policy, "first_order_": linear}
    for name, states in sets.items():
        states = tf.boolean_mask(states, exact.covers(states))
        if not states.shape[0]:
            continue
        points = {kind: point(economy.model, rule, states) for kind, rule in rules.items() if rule is not None}
        for policy, truth in exact.values(states).items():
            row = {"set": name, "against": exact.kind, "policy": policy, "states": states.shape[0]}
            for kind, values in points.items():
                row |= {kind + key: x for key, x in measure_distance(getattr(values, policy).numpy(), truth).items()}
            rows.append(row)
    return pd.DataFrame(rows)


def measure_distance(values: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean and largest error, absolute and relative to the truth where that is not zero; NaN where it always is."""
    error, truth = np.broadcast_arrays(np.abs(values - truth), truth)
    size = np.abs(truth)
    some = size > np.finfo(truth.dtype).eps * size.max()  # what is below rounding counts as zero
    relative = error[some] / size[some] if some.any() else np.array([np.nan])
    return {"mean": error.mean(), "max": error.max(), "mean_relative": relative.mean(), "max_relative": relative.max()}


def center_row(economy: Economy) -> tf.Tensor:
    """The deterministic steady state, else the middle of the box, as packed states [1, n_states]."""
    return tf.constant(economy.center.states[None], economy.policy.dtype)
