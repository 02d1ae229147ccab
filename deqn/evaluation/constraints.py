"""How often constraints bind, and how large the errors are where they do and where they do not.

Paths may spend many dates beside a kink, where a tiny error of the policies decides on which side a state is. A state
is sensitive if its distance from the kink is no larger than the error that its residuals allow: a share has two ends.
"""

import numpy as np
import tensorflow as tf

from deqn.economy.economy import Economy
from deqn.equations.residuals import distance_to_bound, residuals, stack_rows
from deqn.evaluation.evaluate import compute_statistics
from deqn.evaluation.records import ConstraintErrors
from deqn.model.declaration import Multiplier
from deqn.model.layout import labels, multipliers, output_columns, point

BLOCK = 256  # states, at which errors are measured together, from a kink outwards
ALLOWED = 10  # times the error that a Newton step removes from today's policies: tomorrow's are wrong, too

Binding = tuple[np.ndarray, np.ndarray]  # where a constraint binds, and where errors decide whether: [n, states]


def find_binding(economy: Economy, states: tf.Tensor) -> dict[str, Binding]:
    """Where each declared constraint binds, by its multiplier."""
    constraints = multipliers(economy.model)
    parts = [point(economy.model, economy.policy, part) for part in economy.slices(states)] if constraints else []
    return {m.name: locate_binding(economy, m, states, parts) for m in constraints}


def locate_binding(economy: Economy, multiplier: Multiplier, states: tf.Tensor, parts: list) -> Binding:
    """Where one constraint binds, `parts` the points of the states' slices."""
    join = lambda values: np.concatenate([np.reshape(v, (-1, np.shape(v)[-1])) for v in values], 1)
    size = join([getattr(p, multiplier.name) for p in parts])  # [n, states]
    distance = join([distance_to_bound(economy.model, multiplier, p) for p in parts])
    flags, sensitive = size > 0, np.zeros(size.shape, bool)
    first = labels(economy.model.policies).index(labels([multiplier])[0])
    columns = output_columns(economy.model.policies)
    beside = columns.lower if multiplier.bound == "lower" else columns.upper
    for side, length in ((flags, size), (~flags, distance)):
        for row in range(len(size)):
            at = np.flatnonzero(side[row])
            sensitive[row, at] = find_sensitive(economy, tf.gather(states, at), length[row, at], beside == first + row)
    return flags, sensitive


def find_sensitive(economy: Economy, states: tf.Tensor, distance: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Which states on one side of a kink lie no farther from it than their own errors, or have none that is known, [n].

    `output`: a mask of the output that the kink belongs to. Errors are measured from the kink outwards, block by block,
    up to one without a sensitive state.
    """
    found, order = np.zeros(len(distance), bool), np.argsort(distance)
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        error = np.abs(compute_newton_steps(economy, tf.gather(states, block))[:, output]).max(1)
        found[block] = ~(distance[block] > ALLOWED * error)
        if not found[block].any():
            break
    return found


def compute_newton_steps(economy: Economy, states: tf.Tensor) -> np.ndarray:
    """Newton steps of today's policies, or multipliers that bind, tomorrow given: [states, outputs], NaN if unknown."""
    columns, steps = output_columns(economy.model.policies), []
    for part in economy.slices(states):
        policies = economy.policy(part)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(policies)
            errors = residuals(economy.model, economy.policy, economy.expectation, part, today=policies)
            rows = stack_rows(errors, len(part))  # [equations, states]
            total = tf.reduce_sum(rows, 1)  # no state enters another's
        J = tape.jacobian(total, policies, unconnected_gradients="zero", experimental_use_pfor=False)
        moving = columns.find_binding(policies.numpy())
        J = np.take_along_axis(np.swapaxes(J, 0, 1), moving[:, None].repeat(J.shape[0], 1), 2).astype(float)
        known = np.isfinite(J).all((1, 2)) & np.isfinite(rows).all(0)
        step = np.full(moving.shape, np.nan)
        step[known] = -np.einsum("seo,so->se", np.linalg.pinv(J[known]), rows.numpy().T[known])
        steps.append(step)
    return np.concatenate(steps)


def summarize_constraints(
    errors: dict[str, np.ndarray], binds: dict[str, Binding], paths: int | None = None
) -> dict[str, ConstraintErrors]:
    """For each multiplier the share of states at which it binds, and the errors where it does and where it does not.

    `share_low` and `share_high` are the shares with all sensitive states on one side of the kink, then on the other,
    and two standard errors beyond where the states are those of so many independent `paths`, date after date. An
    equation with an entry for each entry of the multiplier is split entry by entry, any other where one binds.
    """
    summaries = {}
    for name, (flags, sensitive) in binds.items():
        where = [flags if r.shape == flags.shape else np.broadcast_to(flags.any(0), r.shape) for r in errors.values()]
        pairs = list(zip(errors.values(), where, strict=True))
        sides = (np.concatenate([r[w == side] for r, w in pairs]) for side in (True, False))
        share, low, high = (float(part.mean()) for part in (flags, flags & ~sensitive, flags | sensitive))
        error = 0.0 if paths is None or paths < 2 else measure_standard_error(flags.mean(0), paths)
        shares = share, max(low - 2 * error, 0.0), min(high + 2 * error, 1.0)
        summaries[name] = ConstraintErrors(*shares, *(compute_statistics(r) if r.size else None for r in sides))
    return summaries


def measure_standard_error(values: np.ndarray, paths: int) -> float:
    """Of the mean of values [dates * paths], date after date, whose paths are independent of each other."""
    return float(values.reshape(-1, paths).mean(0).std(ddof=1) / np.sqrt(paths))
