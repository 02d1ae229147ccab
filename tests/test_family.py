"""A family of economies: its members must be the economies themselves, and the network must solve all of them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tensorflow as tf
from test_reference import WithError

import deqn
from conftest import economy, settings
from deqn.configuration.composition import compose
from deqn.configuration.validation import validate
from deqn.economy import exact as exact_policies
from deqn.economy.domain import Box, SobolPoints
from deqn.economy.simulation import simulate_path
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import choose_rule
from deqn.equations.residuals import residuals
from deqn.evaluation.closed_loop import assess_stability, find_closed_loop_modes
from deqn.evaluation.reference import solve_reference
from deqn.families.pseudo_states import gather_members
from deqn.model.declaration import Markov, Point, Policy, State
from deqn.models.growth import Growth
from deqn.models.growth_labor import GrowthLabor
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.perturbation.first_order import linear_solution
from deqn.perturbation.steady_state import continue_root, steady_state
from deqn.system.errors import InputError

GROWTH = ("model=growth", "model.head=share", "pseudo_states.alpha=[0.26,0.46]", "pseudo_states.beta=[0.85,0.95]")
STOCHASTIC = ("model=stochastic_growth", "pseudo_states.beta=[0.94,0.99]", "pseudo_states.gamma=[1,5]")
MEMBERS = [(0.95, 1.0), (0.97, 2.5), (0.98, 4.5)]  # beta, gamma

BAD = {
    "pseudo_states.bta=[0.9,0.95]": "unknown key 'pseudo_states.bta': did you mean 'beta'.*allowed are alpha, beta",
    "pseudo_states.k_box=[0.9,0.95]": "unknown key 'pseudo_states.k_box'",
    "pseudo_states.beta=[0.9,1.5]": r"pseudo_states.beta=\[0.9,1.5\] is outside \(0, 1\)",
    "pseudo_states.beta=[0.95,0.9]": "lower end is not below the upper end",
    "pseudo_states.beta=0.9": r"write pseudo_states.beta=\[LOWER,UPPER\]",
    "pseudo_states.beta=[true,2]": "not an interval",
    "pseudo_states.beta=[0.9,0.95] network.anchor=quadratic": "network.anchor=linear",
    "pseudo_states.beta=[0.9,0.95] network.hiden=[3]": "did you mean 'network.hidden'",
}


def with_parameters(states, *parameters):
    """Packed states [n, n_states] of one member as those of the family."""
    return tf.constant(np.hstack([states, np.tile(parameters, (len(states), 1))]))


@pytest.mark.parametrize("words", BAD)
def test_a_mistake_is_named_at_the_door(words):
    with pytest.raises(InputError, match=BAD[words]):
        settings("model=growth", *words.split())


@pytest.mark.parametrize(
    "word", ["pseudo_states.beta=[0.9,0.95]", "++pseudo_states.beta=[0.9,0.95]", "pseudo_states={beta: [0.9, 0.95]}"]
)
def test_an_interval_needs_no_plus(word):
    assert settings("model=growth", word).pseudo_states == {"beta": [0.9, 0.95]}


def test_parameters_on_which_declarations_depend_are_refused():
    with pytest.raises(InputError, match="pseudo_states.L_max: the policies or their bounds .* depend on it"):
        gather_members(GrowthLabor(capped=True), {"L_max": (0.9, 0.97)})
    named = dataclass(frozen=True)(type("Named", (Growth,), {"policies": (Policy("beta", 0, 1),)}))
    with pytest.raises(InputError, match="pseudo_states.beta: the model has a variable of this name"):
        gather_members(named(), {"beta": (0.9, 0.95)})


def test_a_number_may_be_written_without_a_point(tmp_path, monkeypatch):
    """gamma: float = 2 is a number, not a count."""
    (tmp_path / "pointless.py").write_text(
        "from dataclasses import dataclass\nfrom deqn.models.growth import Growth\n\n"
        "@dataclass(frozen=True)\nclass Mine(Growth):\n    gamma: float = 2\n"
    )
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: pointless.Mine\ngamma: 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = ["model=mine", "model.gamma=2.5", "pseudo_states.gamma=[1,5]"]
    assert validate(compose(words, str(tmp_path / "conf")).config)[0].model["gamma"] == 2.5


def test_each_point_lies_in_the_box_of_its_own_member():
    """0.5 to 1.5 times (alpha beta)^(1 / (1 - alpha)); the declared box holds them all."""
    e = economy(*GROWTH)
    model = e.model
    k, alpha, beta = SobolPoints(e.domain, 1024, 0, tf.float64).points().numpy().T
    share = k / (alpha * beta) ** (1 / (1 - alpha))
    np.testing.assert_allclose(np.quantile(share, [0, 0.5, 1]), [0.5, 1, 1.5], atol=2e-3)
    assert np.corrcoef(share, alpha)[0, 1] ** 2 < 1e-3
    low, high = (float(x[0]) for x in model.states[0].box)
    assert low <= k.min() and k.max() <= high and model.states[1].fixed and model.states[2].fixed


def test_the_residuals_are_those_of_the_members():
    """At any policy, with risk."""
    e = economy(*STOCHASTIC)
    for beta, gamma in MEMBERS:
        member = StochasticGrowth(beta=beta, gamma=gamma)
        own = SobolPoints(Box(member), 16, 0, tf.float64).points()
        whole = with_parameters(own, beta, gamma)
        some = lambda s: tf.sigmoid(0.1 * s[:, :1] - 0.7 * s[:, 1:2])
        over = build_expectation(member, choose_rule(settings().expectation, member))
        one = residuals(member, some, over, own)["euler"]
        np.testing.assert_allclose(residuals(e.model, some, e.expectation, whole)["euler"], one, rtol=1e-12)


def test_parameters_stay_constant_along_a_path():
    e = economy(*STOCHASTIC)
    start = SobolPoints(e.domain, 8, 0, tf.float64).points()
    walked = simulate_path(e.model, e.policy, start, 5, tf.random.Generator.from_seed(0, alg="philox")).numpy()
    np.testing.assert_array_equal(walked[..., 2:], np.tile(start[:, 2:], (5, 1, 1)))


def test_the_untrained_family_is_the_anchor_of_each_member():
    """Steady state and slope, interpolated: far closer than the first-order solution is to the truth (1e-3)."""
    e = economy(*STOCHASTIC)
    for beta, gamma in MEMBERS:
        single = economy("model=stochastic_growth", f"model.beta={beta}", f"model.gamma={gamma}")
        own = SobolPoints(single.domain, 64, 0, tf.float64).points()
        whole = with_parameters(own, beta, gamma)
        np.testing.assert_allclose(e.policy(whole), single.policy(own), atol=2e-4)


def test_the_untrained_family_of_growth_is_nearly_exact():
    """s = alpha beta at every pair: the anchor of each member is its closed form."""
    e = economy(*GROWTH)
    states = SobolPoints(e.domain, 2048, 1, tf.float64).points()
    np.testing.assert_allclose(e.policy(states)[:, 0], states[:, 1] * states[:, 2], atol=1e-8)
    assert exact_policies.closed_form(e.model, e.steady) is not None
    without = economy("model=growth", "pseudo_states.gamma=[1,2]")  # the lower corner alone has one
    assert exact_policies.closed_form(without.model, without.steady) is None


def test_a_closed_form_that_takes_numbers_alone_is_left_out():
    e = economy("model=olg_analytic", "pseudo_states.beta=[0.6,0.8]")
    assert exact_policies.closed_form(e.model, e.steady) is None
    states = SobolPoints(e.domain, 64, 0, tf.float64).points()
    assert np.abs(e.residuals(states)["euler"]).max() < 1e-8  # exact shares, interpolated


@dataclass(frozen=True)
class Chain(Growth):
    """Growth in which z = 1 follows with probability q, a parameter."""

    q: float = 0.3

    @property
    def states(self):
        return (*Growth.states.fget(self), State("z", 0, 1))

    @property
    def shocks(self):
        return (Markov({"z": [0.0, 1.0]}, lambda now: tf.concat([1 - self.q + 0 * now.z, self.q + 0 * now.z], 0)),)

    def steady_state(self):
        return super().steady_state() | {"z": self.q}

    def transition(self, now, shock):
        return {**super().transition(now, shock), "z": shock.z}


def test_the_probabilities_of_a_chain_follow_the_parameter():
    model = gather_members(Chain(), {"q": (0.2, 0.6)}).model
    now = Point({"z": tf.constant([[0.0, 1.0]]), "q": tf.constant([[0.25, 0.5]])})
    np.testing.assert_allclose(model.shocks[0].probabilities(now), [[0.75, 0.5], [0.25, 0.5]])


@pytest.mark.slow
def test_steady_states_are_followed_where_the_model_gives_none():
    roots = continue_root(lambda z: z[:, :1] ** 2 - z[:, 1:], np.ones(1), np.ones(1), np.array([[4.0], [0.25], [-1.0]]))
    np.testing.assert_allclose(roots[:2, 0], [2, 0.5], rtol=1e-12)
    assert np.isnan(roots[2, 0])
    found = {"steady_state": lambda self: None, "states": (State("k", 0.02, 0.6, log=True),)}
    base = dataclass(frozen=True)(type("Found", (Growth,), found))(beta=0.9)
    model = gather_members(base, {"alpha": (0.26, 0.46)}).model
    assert len(model._continue_rests()) == len(model.samples)
    for (alpha,), rest in zip(model.samples, model.rests, strict=True):
        np.testing.assert_allclose(rest.states, [(alpha * 0.9) ** (1 / (1 - alpha)), alpha], rtol=1e-9)


def test_the_first_order_solution_of_a_member_is_its_own():
    model = gather_members(StochasticGrowth(), {"beta": (0.94, 0.99), "gamma": (1, 5)}).model
    for i in (0, 3, 20):
        member = model.with_values(model.samples[i])
        one = linear_solution(member, steady_state(member))
        np.testing.assert_allclose(model.first_order[i].decision_rule, one.decision_rule, rtol=1e-8)


def test_one_explosive_member_is_not_stable():
    """Where alpha is high, the policy saves all where capital is high; elsewhere it is the exact one."""
    e = economy(*GROWTH)
    measured = assess_stability(e, find_closed_loop_modes(e))
    assert measured.contracts and measured.spectral_radius == pytest.approx(0.46, abs=1e-4)  # alpha, the largest
    e.policy.approximator.network = lambda x, training: 60 * tf.where(x[:, 1:2] > 0.99, x[:, :1], 0)
    assert not assess_stability(e, find_closed_loop_modes(e)).contracts


@pytest.mark.slow
def test_a_family_of_growth_is_solved_loaded_and_asked(tmp_path):
    """s = alpha beta at every pair, over path and box."""
    overrides = [*GROWTH[1:], "optimizer.iterations=20", "optimizer.polish=0", "evaluation.figures=false"]
    found = deqn.solve("growth", overrides, folder=tmp_path / "run", quiet=True)
    assert found.summary["status"] == "converged"
    assert found.summary["pseudo_states"] == {"alpha": [0.26, 0.46], "beta": [0.85, 0.95]}
    assert found.summary["policy_errors"]["closed_form"]["s"]["max"] < 1e-8
    assert found.summary["policy_errors"]["reference"] == {}
    assert found.summary["first_order"]["euler_errors"]["box"]["all"]["max"] < 1e-8  # each member's own
    thirds = found.summary["errors_by_thirds"]["path"]
    assert set(thirds) == {"alpha", "beta"} and len(thirds["beta"]) == 3

    again = deqn.load(tmp_path / "run")
    asked = again.policy({"k": [0.1, 0.2]}, beta=0.9)  # alpha is the usual 0.36
    np.testing.assert_allclose(asked["s"], 0.36 * 0.9, atol=1e-8)
    np.testing.assert_allclose(again.policy({"k": 0.2}, alpha=[0.3, 0.4], beta=0.9)["s"], [0.27, 0.36], atol=1e-8)
    table = again.simulate(periods=3, paths=4)
    assert table.groupby("path")["beta"].nunique().eq(1).all() and table["beta"].nunique() == 4
    np.testing.assert_allclose(again.policy(table)["s"], table["alpha"] * table["beta"], atol=1e-8)
    assert set(again.simulate(periods=3, paths=4, beta=0.9)["beta"]) == {0.9}
    rest = (0.3 * 0.9) ** (1 / 0.7)  # the steady state at alpha = 0.3, beta = 0.9
    assert again.irf("k", 0.1, 3, alpha=0.3, beta=0.9)["k"][1] == pytest.approx(0.1 * rest, rel=1e-6)
    with pytest.raises(KeyError, match="no parameter 'betta' is a state; there are alpha, beta"):
        again.policy({"k": 0.2}, betta=0.9)
    with pytest.raises(ValueError, match=r"beta=0.99 lies outside \[0.85, 0.95\]"):
        again.policy({"k": 0.2}, beta=0.99)
    with pytest.raises(InputError, match="pseudo_states.beta.*became"):
        deqn.solve("growth", [f"resume={tmp_path / 'run'}", "pseudo_states.beta=[0.8,0.95]"], quiet=True)


@pytest.mark.slow
def test_the_family_meets_single_solutions(tmp_path):
    """At a corner, beta = 0.99 and gamma = 1, and at four points inside, against the projection of each economy."""
    overrides = [*STOCHASTIC[1:], "optimizer.iterations=30", "optimizer.polish=0", "evaluation.figures=false"]
    found = deqn.solve("stochastic_growth", overrides, folder=tmp_path / "run", quiet=True)
    anchor = economy(*STOCHASTIC)
    for beta, gamma in ((0.99, 1.0), *MEMBERS, (0.96, 1.5)):
        visited = found.simulate(20, 50, beta=beta, gamma=gamma)[["k", "z"]].to_numpy()
        single = economy("model=stochastic_growth", f"model.beta={beta}", f"model.gamma={gamma}")
        member = lambda s, beta=beta, gamma=gamma: found.economy.policy(with_parameters(s, beta, gamma))
        projected = solve_reference(replace(single, policy=WithError(member, 1e-5)), {"path": tf.constant(visited)})
        assert projected.policies == ("s",) and projected.record.agreement["s"]["max"] < 1e-4
        exact = projected.exact.values(tf.constant(visited))["s"][0]
        learned = found.policy({"k": visited[:, 0], "z": visited[:, 1]}, beta=beta, gamma=gamma)["s"]
        untrained = anchor.policy(with_parameters(visited, beta, gamma))[:, 0]
        assert np.abs(learned - exact).max() < min(1e-3, np.abs(untrained - exact).max() / 8)


def test_the_corners_of_a_plain_economy_are_its_box():
    e = economy("model=stochastic_growth")
    for corner, end in zip(e.domain.corners(tf.zeros((1, 2), tf.float64)), range(2), strict=True):
        np.testing.assert_array_equal(corner[0], [s.box[end][0] for s in e.model.states])
