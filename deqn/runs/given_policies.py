"""Policies that a start is given, to which the network is fitted: the model's guess, and those of another run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.economy.simulation import visit_near
from deqn.model.declaration import Model
from deqn.model.findings import call
from deqn.model.layout import free_policies, labels, limits, multipliers, named_point, pack
from deqn.perturbation.steady_state import find_middle
from deqn.policies.network import PolicyNetwork
from deqn.runs.solution import load_solution
from deqn.system.errors import FileError, InputError
from deqn.training.regression import choose_fit
from deqn.training.sampler import NEAR

FITTED, DATES, STEPS = 1024, 10, 60  # points of the box, dates of paths from them, steps of a fit to given policies

PackedPolicy = Callable[[tf.Tensor], tf.Tensor]  # packed states [n, n_states] -> packed policies [n, n_policies]


def fit_policy(economy: Economy[PolicyNetwork], policy: PackedPolicy) -> None:
    """Fit the network to a policy function at points of the box, and at those of its paths that stay near it."""
    box = SobolPoints(economy.domain, FITTED, 0, economy.policy.dtype).points()
    states = tf.concat([box, visit_near(economy.domain, policy, box, DATES, NEAR)], 0)
    outputs = economy.policy.bounds.outputs(policy(states).numpy().astype(float))
    choose_fit(economy, len(states), 2**30).fit(states, outputs, STEPS)


def read_guess(model: Model) -> PackedPolicy | None:
    """The model's guess as a policy function; None where it has none. Raises InputError where it is no policy."""
    middle = find_middle(model)
    zeros = {m.name: 0.0 for m in multipliers(model)}

    def guess(states: tf.Tensor) -> Mapping[str, Any] | None:
        anything = tf.constant(middle.policies[None], states.dtype)
        return model.guess(named_point(model, states, tf.repeat(anything, tf.shape(states)[0], 0)))

    def policy(states: tf.Tensor) -> tf.Tensor:
        n = states.shape[0] or tf.shape(states)[0]
        return pack({**zeros, **guess(states)}, model.policies, 1, n, states.dtype)

    states = tf.constant(middle.states[None])
    given = call("guess", lambda: guess(states), Mapping | None)
    if given is None:
        return None
    if missing := [p.name for p in free_policies(model.policies) if p.name not in given]:
        raise InputError(f"guess does not return {missing[0]!r}; it returns {', '.join(given)}")
    row, (lower, upper) = call("guess", lambda: policy(states), tf.Tensor).numpy()[0], limits(model.policies)
    for name, x, low, high in zip(labels(model.policies), row, lower, upper, strict=True):
        if not low <= x <= high:
            raise InputError(f"guess returned {name}={x:.4g} in the middle of the box, outside [{low:g}, {high:g}]")
    return policy


def read_policy_of_run(model: Model, folder: Path) -> PackedPolicy:
    """The policy function of a run of the same policies, and of the same states or some of them.

    Raises FileError where there is no run, InputError where its economy is another one.
    """
    try:
        other = load_solution(folder).economy
    except FileError as error:
        raise FileError(f"start={folder}: {error}") from error
    for kind in ("policies", "states"):
        theirs, ours = (labels(getattr(m, kind)) for m in (other.model, model))
        if not set(theirs) <= set(ours) or (kind == "policies" and set(theirs) != set(ours)):
            raise InputError(f"start={folder}: its {kind} are {', '.join(theirs)}; those of this model are "
                             f"{', '.join(ours)}")  # fmt: skip
    columns = [labels(model.states).index(name) for name in labels(other.model.states)]
    order = [labels(other.model.policies).index(name) for name in labels(model.policies)]
    follow = lambda states: other.policy(tf.cast(tf.gather(states, columns, axis=1), other.policy.dtype))
    return lambda states: tf.cast(tf.gather(follow(states), order, axis=1), states.dtype)
