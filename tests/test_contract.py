"""Ten ways to get a model wrong, each with the message that a user needs."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from conftest import settings
from deqn.checks.contract import check_model
from deqn.economy.members import OneMember
from deqn.equations.quadrature import choose_rule
from deqn.model.declaration import Discrete, Markov, Normal, Policy, State
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.system.errors import InputError


def check(model):
    return check_model(OneMember(model), partial(choose_rule, settings().expectation))[1]


def altered(**members):
    """Stochastic growth with some of its members replaced."""
    return dataclass(frozen=True)(type("Altered", (StochasticGrowth,), members))()


def returning(function, **values):
    """A function of the model with some of the values that it returns replaced or added."""
    original = getattr(StochasticGrowth, function)
    return lambda self, *args: {**original(self, *args), **{k: v(*args) for k, v in values.items()}}


def without(function, name):
    original = getattr(StochasticGrowth, function)
    return lambda self, *args: {k: v for k, v in original(self, *args).items() if k != name}


WRONG = {
    "a state missing": ({"transition": without("transition", "z")}, "transition returned k; .*look at z"),
    "a state too many": (
        {"transition": returning("transition", K=lambda now, shock: now.k)},
        "transition returned k, z, K; .*look at K",
    ),
    "a state without a shape": (
        {"transition": returning("transition", z=lambda now, shock: tf.zeros((7, 7), tf.float64))},
        r"transition returned 'z' with shape \[7, 7\]; expected \[5, 2\]",
    ),
    "an expectation missing": (
        {"residuals": returning("residuals", euler=lambda now, nxt, E: nxt.c / now.c - 1)},
        r"residuals returned 'euler' with shape \[5, 2\].*is an expectation E missing",
    ),
    "a name that does not exist": (
        {"residuals": lambda self, now, nxt, E: {"euler": E(nxt.consumption)}},
        "residuals failed .test_contract.py, line .*: AttributeError: there is no variable 'consumption.*s, y, c, R",
    ),
    "a name used twice": ({"policies": (Policy("s", 0, 1), Policy("k", 0, None))}, "'k' is declared 2 times"),
    "a definition over a state": (
        {"definitions": returning("definitions", k=lambda now: now.k)},
        "definitions returned 'k', which is declared",
    ),
    "a policy out of bounds": ({"policies": (Policy("s", 0.5, 1),)}, r"s=0.32.* outside its bounds \[0.5, 1\]"),
    "logarithms of zero": (
        {"states": (State("k", 0, 40, log=True), State("z", -1, 1))},
        "'k' is in logarithms, but its box begins at 0.0",
    ),
    "bounds in the wrong order": ({"policies": (Policy("s", 1, 0),)}, "lower bound 1 is not below upper bound 0"),
    "a flipped sign": (
        {"definitions": returning("definitions", R=lambda now: 0.36 * now.k**-0.64 - 1 + 0.1)},
        "equation 'euler' is .* at steady_state, not zero",
    ),
    "beta off by 1e-3": (
        {"residuals": lambda self, now, nxt, E: {"euler": 0.991 * E(nxt.R / nxt.c) * now.c - 1}},
        "equation 'euler' is 0.00101 at steady_state",
    ),
    "a steady state that moves": (
        {"transition": returning("transition", k=lambda now, shock: 0.9 * now.k - now.s * now.y)},
        "transition does not stay at steady_state",
    ),
    "a steady state that lacks a policy": ({"steady_state": without("steady_state", "s")}, "does not return 's'"),
    "a steady state that is not finite": (
        {"steady_state": returning("steady_state", k=lambda: float("nan"))},
        "(k=nan, which is not finite|empty or not finite)",
    ),
    "a kink without a derivative": (
        {"residuals": returning("residuals", kink=lambda now, nxt, E: tf.sqrt(E(nxt.z) - now.z))},
        "equation 'kink' has the derivative",
    ),
    "an empty box": ({"states": (State("k", 2, 1), State("z", -1, 1))}, "state 'k': the box .* is empty"),
    "a steady state outside the box": ({"states": (State("k", 0, 1), State("z", -1, 1))}, "outside the box"),
    "probabilities that do not add up": (
        {"shocks": (Normal("eps"), Discrete({"x": [0, 1]}, [0.5, 0.6]))},
        "not 2 shares that sum to one",
    ),
    "shocks of one name": ({"shocks": (Normal("eps"), Normal("eps"))}, "shock 'eps' is declared 2 times"),
    "a kink in a policy": (
        {"residuals": returning("residuals", kink=lambda now, nxt, E: tf.sqrt(tf.abs(now.s - 0.3269718)))},
        "equation 'kink'",
    ),
    "a box of the wrong length": (
        {"states": (State("k", [1, 2, 3], 20, size=2), State("z", -1, 1))},
        "the box of state 'k' failed: ValueError.*; its size is 2",
    ),
    "a property that fails": ({"states": property(lambda self: self.no_such_parameter)}, "states failed"),
    "a steady state that fails": (
        {"steady_state": lambda self: {"k": self.kk}},
        "steady_state failed.*: AttributeError",
    ),
    "shares of a chain that do not add up": (
        {"shocks": (Normal("eps"), Markov({"x": [0, 1]}, lambda now: tf.stack([now.z[0], now.z[0]])))},
        "probabilities of shock 'x' are .* not shares",
    ),
    "a chain turned on its side": (
        {"shocks": (Normal("eps"), Markov({"x": [0, 1]}, lambda now: tf.fill((16, 2), 0.5)))},
        r"probabilities of shock 'x' (have shape|failed)",
    ),
    "a chain of plain numbers": (
        {
            "shocks": (
                Normal("eps"),
                Markov({"x": [0, 1]}, lambda now: tf.where(now.z > 0, 0.2, 0.8) * tf.ones_like(now.z)),
            )
        },
        r"probabilities of shock 'x' failed \(test_contract.py, line .*write tf.where",
    ),
    "a comma that is missing": ({"policies": Policy("s", 0, 1)}, "policies is a Policy; expected is a tuple .*comma"),
    "a name in place of a policy": ({"policies": ("s",)}, "policies has 's'; expected is a tuple of Policy"),
    "one outcome": ({"shocks": (Discrete({"x": 1}, [1.0]),)}, "shock 'x' has the outcome 1; expected is a list"),
    "a steady state in words": ({"steady_state": returning("steady_state", s=lambda: "a lot")}, "could not convert"),
    "a state without a value": (
        {"transition": returning("transition", k=lambda now, shock: None)},
        "transition returned None for 'k'",
    ),
    "plain numbers alone": (
        {"definitions": returning("definitions", y=lambda now: now.k * tf.where(now.z > 0, 1.0, 2.0))},
        "definitions failed.*float32 tensor: write tf.where",
    ),
    "numpy in an equation": (
        {"definitions": returning("definitions", y=lambda now: np.exp(now.z) * now.k**0.36)},
        "compilation failed.*tf.exp for np.exp",
    ),
    "no dictionary": ({"definitions": lambda self, now: 3.0}, "definitions"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_model_is_refused_by_name(mistake):
    members, message = WRONG[mistake]
    with pytest.raises(InputError, match=message):
        check(altered(**members))


def test_the_right_model_passes_and_names_its_equations():
    assert check(StochasticGrowth()) == ["euler"]


def test_a_wrong_model_is_refused_before_anything_else_reads_it(tmp_path, monkeypatch):
    """Through the front door: the contract speaks, not a KeyError of the network, and the folder stays free."""
    import deqn

    monkeypatch.setattr(
        "deqn.configuration.job.build_model", lambda *_: altered(steady_state=without("steady_state", "s"))
    )
    with pytest.raises(InputError, match="does not return 's'"):
        deqn.solve("stochastic_growth", folder=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_bounds_may_be_reached_at_the_steady_state():
    members = {"policies": (Policy("s", 0, 1), Policy("mu", 0))}
    members["steady_state"] = returning("steady_state", mu=lambda: 0.0)
    members["residuals"] = returning("residuals", slack=lambda now, nxt, E: now.mu * np.ones((1, 1)))
    assert check(altered(**members)) == ["euler", "slack"]
