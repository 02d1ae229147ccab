"""Shares of binding states of an economy whose kink is known, under policies with a known error."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf

from conftest import build, settings
from deqn.economy.members import OneMember
from deqn.evaluation.constraints import find_binding, summarize_constraints
from deqn.model.declaration import Discrete, Model, Multiplier, Policy, State
from deqn.reporting import report

SHARES = {0.5: 0.40, 1 - 1e-12: 0.25, 2.0: 0.35}  # of states: the second is so close to the kink that errors decide


@dataclass(frozen=True)
class Floor(Model):
    """c = max(x - 1, 0) and m = max(1 - x, 0), in `size` rows of which each is scaled differently."""

    size: int | None = None

    @property
    def scale(self):
        return 1.0 if self.size is None else np.arange(1.0, self.size + 1)[:, None, None]

    states, shocks = (State("x", 0.1, 3.0),), (Discrete({"e": [0.5, 2.0]}, [0.5, 0.5]),)

    @property
    def policies(self):
        return Policy("c", lower=0, size=self.size), Multiplier("m", of="c", size=self.size)

    def steady_state(self):
        above = 0.25 * np.ravel(self.scale)
        return {"x": 1.25, "c": above if self.size else 0.25, "m": 0 * above if self.size else 0.0}

    def definitions(self, now):
        return {}

    def transition(self, now, shock):
        return {"x": shock.e + 0 * now.x}

    def residuals(self, now, nxt, E):
        return {"floor": 3 * (now.c / self.scale - (now.x - 1) - now.m / self.scale) + 0 * E(nxt.x)}


class OffBy:
    """The exact policies, their distance from the kink off by an error."""

    dtype, floats = tf.float64, 1

    def __init__(self, model, error):
        self.model, self.error = model, error

    def __call__(self, states, training=False):
        away = (states - 1 + self.error) * np.ravel(self.model.scale)
        return tf.concat([tf.nn.relu(away), tf.nn.relu(-away)], 1)


@pytest.mark.parametrize("size", [None, 3])
@pytest.mark.parametrize("error, share, low, high", [
    (1e-7, 0.40, 0.40, 0.65),
    (-1e-7, 0.65, 0.40, 0.65),
    (0.0, 0.65, 0.65, 0.65),
])  # fmt: skip
def test_a_state_closer_to_the_kink_than_the_error_is_sensitive(size, error, share, low, high):
    model = Floor(size)
    e = replace(build(settings("model=growth"), OneMember(model)), policy=OffBy(model, error))
    states = tf.constant(np.repeat(list(SHARES), [int(1000 * s) for s in SHARES.values()])[:, None])
    residual = np.abs(e.residuals(states)["floor"].numpy().reshape(size or 1, -1))
    found = summarize_constraints({"floor": residual}, find_binding(e, states))["m"]
    assert [found.share, found.share_low, found.share_high] == pytest.approx([share, low, high])
    printed = report.format_share(found, "binding"), report.format_share(found, "slack")
    assert printed == (("65.0%", "35.0%") if error == 0 else ("40.0-65.0%", "35.0-60.0%"))


def test_a_share_on_few_paths_allows_for_the_error_of_the_simulation():
    """Four independent paths of three dates: shares 1, 1/3, 0, 0; two standard errors of their mean."""
    flags = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], bool).reshape(1, -1)
    errors = {"floor": np.ones((1, 12))}
    found = summarize_constraints(errors, {"m": (flags, np.zeros_like(flags))}, paths=4)["m"]
    error = np.std([1, 1 / 3, 0, 0], ddof=1) / 2
    assert [found.share, found.share_low] == pytest.approx([1 / 3, 0])
    assert found.share_high == pytest.approx(1 / 3 + 2 * error)


@pytest.mark.parametrize("x, share", [(1.5, 0.0), (0.5, 1.0)])
def test_far_from_the_kink_no_state_is_sensitive(x, share):
    model = Floor(None)
    e = replace(build(settings("model=growth"), OneMember(model)), policy=OffBy(model, 1e-7))
    ((binds, sensitive),) = find_binding(e, tf.constant(np.full((300, 1), x))).values()
    assert binds.mean() == share and not sensitive.any()


def test_each_state_is_judged_by_its_own_error():
    """Where errors are large, far from the kink, says nothing of states beside it."""
    model = Floor(None)

    class BadFar(OffBy):
        def __call__(self, states, training=False):
            away = states - 1 + tf.where(states > 1.3, 0.1 * tf.ones_like(states), 1e-7)
            return tf.concat([tf.nn.relu(away), tf.nn.relu(-away)], 1)

    e = replace(build(settings("model=growth"), OneMember(model)), policy=BadFar(model, 0.0))
    states = np.concatenate([np.full(150, 1 + 1e-7), np.full(30, 1.4), np.full(150, 1.001), np.full(150, 0.9)])
    ((_, sensitive),) = find_binding(e, tf.constant(states[:, None])).values()
    assert sensitive[0, :180].all() and not sensitive[0, 180:].any()


def test_without_a_constraint_nothing_binds():
    assert find_binding(build(settings("model=growth")), tf.constant([[1.0]], tf.float64)) == {}
