"""One name, one meaning: what a model may call its variables, and what a name of two things means."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf
from test_contract import altered, check, returning

import deqn
from conftest import build, settings
from deqn.checks.declarations import check_declarations
from deqn.economy.members import OneMember
from deqn.evaluation import responses
from deqn.families.pseudo_states import gather_members
from deqn.model.declaration import Discrete, Markov, Model, Normal, Policy, State
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.system.errors import InputError


@dataclass(frozen=True)
class Tree(Model):
    """The price of a tree whose dividend is d, in units of d; d and its innovation share a name with each other, the
    discount factor shares one with a definition, the income r is a chain that the state r remembers."""

    beta: float = 0.95
    rho: float = 0.8
    sigma: float = 0.05
    mean: float = 3.0
    policies = (Policy("p", 0),)
    states = (State("d", 2.0, 4.0), State("r", 0.0, 1.0))

    @property
    def shocks(self):
        return (Normal("d"), Markov({"r": [0.2, 0.6]}, lambda now: np.full((2, 1), 0.5)))

    def definitions(self, now):
        return {"beta": self.beta + 0 * now.p, "paid": now.p * now.d}

    def transition(self, now, shock):
        return {"d": (1 - self.rho) * self.mean + self.rho * now.d + self.sigma * shock.d, "r": shock.r}

    def residuals(self, now, nxt, E):
        return {"price": self.beta * E((nxt.p + 1) * nxt.d) / (now.p * now.d) - 1 + 0 * now.r}


@pytest.fixture(scope="module")
def tree():
    return build(settings("model=stochastic_growth"), OneMember(Tree()))


def test_a_response_to_a_name_of_two_things_is_that_of_the_shock(tree):
    """d rises by sigma, then sigma rho; the mean of the shock is zero, that of the state is three."""
    hit, calm = responses.impulse_response(tree, "d", 1.0, 3)
    np.testing.assert_allclose((hit - calm)["d"], [0, 0.05, 0.04, 0.032], rtol=1e-9, atol=1e-12)
    hit, calm = responses.impulse_response(tree, "r", 1.0, 2, outcome=0)  # .2, where otherwise it is .4 in the mean
    np.testing.assert_allclose((hit - calm)["r"], [0, -0.2, 0], atol=0.02)


def test_definitions_may_share_a_name_with_shocks_and_parameters(tree):
    table = tree.tabulate(tf.constant(tree.steady.states[None]))
    assert (table["beta"] == 0.95).all() and list(table) == ["d", "r", "p", "beta", "paid"]


TAKEN = {
    "path": "the {} 'path' needs another name: simulated tables have a column of this name",
    "period": "the {} 'period' needs another name: simulated tables have a column of this name",
    "also": "the {} 'also' needs another name: every point has a method of this name",
    "labor share": "the {} 'labor share' needs another name: now.labor share is not Python",
    "k/y": "the {} 'k/y' needs another name: now.k/y is not Python",
    "k[0]": "the {} 'k[0]' needs another name",
    "": "the {} '' needs another name",
    "_k": "the {} '_k' needs another name: it begins with an underscore",
    "lambda": "the {} 'lambda' needs another name: lambda is a word of Python",
    "ϵ": "the {} 'ϵ' needs another name: Python reads it as 'ε' in an equation; declare 'ε'",
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_cannot_be_used_is_refused_before_training(name):
    growth = StochasticGrowth()
    for kind, members in {
        "state": {"states": (*growth.states, State(name, 0, 1))},
        "policy": {"policies": (*growth.policies, Policy(name))},
        "definition": {"definitions": returning("definitions", **{name: lambda now: now.k})},
    }.items():
        with pytest.raises(InputError) as refused:
            check(altered(**members))
        assert TAKEN[name].format(kind) in str(refused.value)


@pytest.mark.parametrize("name", ["also", "e p s", "_eps"])
def test_a_shock_that_no_equation_can_read_is_refused(name):
    for shock in (Normal(name), Discrete({name: [0, 1]}, [0.5, 0.5])):
        found = check_declarations(altered(shocks=(Normal("eps"), shock)))
        assert f"the shock {name!r} needs another name" in " ".join(found.failures)
    assert not list(check_declarations(altered(shocks=(Normal("eps"), Normal("path")))).failures)


@pytest.mark.parametrize("name, message", [
    ("all", "the equation 'all' needs another name: tables of errors have a row"), (3, "an equation named 3"),
])  # fmt: skip
def test_an_equation_that_a_table_cannot_hold_is_refused(name, message):
    original = StochasticGrowth.residuals
    with pytest.raises(InputError, match=message):
        check(altered(residuals=lambda self, now, nxt, E: {name: original(self, now, nxt, E)["euler"]}))


def test_a_parameter_of_a_family_cannot_have_the_name_of_an_argument():
    @dataclass(frozen=True)
    class Seeded(StochasticGrowth):
        seed: float = 0.5

    with pytest.raises(InputError, match="pseudo_states.seed: rename the parameter; functions of a solution have"):
        gather_members(Seeded(), {"seed": [0.1, 0.9]})


WORDS = (
    "index",
    "count",
    "step",
    "stage",
    "set",
    "shock",
    "name",
    "values",
    "T",
    "mean",
    "equation",
    "variable",
    "all",
)


@dataclass(frozen=True)
class Worded(StochasticGrowth):
    """Growth whose capital, rate and output are called by words of tables, and whose definitions are all others."""

    policies = (Policy("count", 0, 1),)

    @property
    def states(self):
        k, z = StochasticGrowth.states.fget(self)
        return (replace(k, name="index"), replace(z, name="T"))

    def steady_state(self):
        rest = StochasticGrowth.steady_state(self)
        return {**rest, "index": rest["k"], "T": rest["z"], "count": rest["s"]}

    def definitions(self, now):
        inner = StochasticGrowth.definitions(self, deqn.Point({"k": now.index, "z": now.T, "s": now.count}))
        return inner | {word: inner["c"] for word in WORDS if word not in ("index", "T", "count")}

    def transition(self, now, shock):
        inner = StochasticGrowth.transition(self, now.also({"k": now.index, "z": now.T, "s": now.count}), shock)
        return {"index": inner["k"], "T": inner["z"]}


@pytest.mark.slow
def test_words_that_tables_use_work_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr("deqn.configuration.job.build_model", lambda *_: Worded())
    short = ["optimizer.iterations=4", "optimizer.polish=0", "expectation.nodes=3", "evaluation.paths=20"]
    found = deqn.solve("stochastic_growth", short, folder=tmp_path / "run", quiet=True)
    table = found.simulate(periods=30, paths=4)
    assert set(WORDS) < set(table) and set(WORDS) < set(found.moments().index)
    assert set(WORDS) < set(found.correlations()) and set(WORDS) < set(found.irf("eps", periods=3))
    assert set(found.policy(table)) == set(table) - {"path", "period", "index", "T"}
    assert (tmp_path / "run" / "report.html").exists() and (tmp_path / "run" / "moments.csv").exists()
