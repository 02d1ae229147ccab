"""deqn-check: ways to get a model wrong, each with the line of the table and the message that a user needs."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
import pytest
import tensorflow as tf
from test_contract import altered, returning, without
from test_readme import blocks

from command_line import CANARY
from conftest import economy, make_model, settings
from deqn.checks.diagnosis import check_gradients, list_concerns
from deqn.economy.domain import Box
from deqn.economy.members import OneMember
from deqn.model.declaration import Model, Multiplier, Normal, Policy, State
from deqn.model.findings import check
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.runs.check import run_checks
from deqn.system.errors import InputError

NAMES = sorted(p.name.removesuffix(".yaml") for p in files("deqn.configs").joinpath("model").iterdir())
STEADY = StochasticGrowth().steady_state()
K, S = STEADY["k"], STEADY["s"]


@dataclass(frozen=True)
class Order(Model):
    """Capacity that is ordered today, o, stands tomorrow, works a day later and lowers the price expected then.

    p = rho E p' - k + z, and orders q keep w = E p' + k' at zero. `reads`: where the capacity that stands is read.
    """

    rho: float = 0.5
    reads: str = "price"
    delays: int = 1
    policies = (Policy("p"), Policy("o"))
    shocks = (Normal("eps"),)

    @property
    def states(self):
        return (*(State(f"k{i}", -1, 1) for i in range(self.delays)), State("z", -1, 1))

    def definitions(self, now):
        return {}

    def transition(self, now, shock):
        later = {f"k{i}": getattr(now, f"k{i - 1}") for i in range(1, self.delays)}
        return {"k0": now.o, **later, "z": 0.9 * now.z + 0.1 * shock.eps}

    def residuals(self, now, nxt, E):
        read = getattr(now, f"k{self.delays - 1}") if self.reads != "nowhere" else 0.0 * now.z
        price = self.rho * E(nxt.p) - read + now.z - now.p
        return {"price": price, "order": E(nxt.p) - 0.2 * now.z if self.reads != "nobody" else now.p - now.z}


@pytest.mark.parametrize("delays", [1, 2, 3])
def test_a_policy_may_act_through_states_of_tomorrow_alone(delays):
    """Tomorrow's policies are functions of tomorrow's states: no derivative in today's order, and no false alarm."""
    line = check("gradients", check_gradients, Order(delays=delays), Box(Order(delays=delays)), None)
    assert line.passed and not line.warnings


@pytest.mark.parametrize("model", [Order(reads="nowhere"), Order(reads="nobody", rho=0.0)])
def test_a_policy_whose_state_nobody_reads_is_named(model):
    """Where no equation reads the state that it moves; where, moreover, none reads tomorrow's policies."""
    line = check("gradients", check_gradients, model, Box(model), None)
    assert [str(f) for f in line.failures][0].startswith("policy 'o' enters no equation")


CORNER = f"corner k={K / 2:.4g}, z={np.log(0.75):.4g}"  # the lowest, by the default of k_box and tfp_box


def lines(model, *overrides):
    return {line.name: line for line in run_checks(OneMember(model), settings("model=stochastic_growth", *overrides))}


def equation(**added):
    """Stochastic growth with functions of (now, nxt, E) as further equations, or in place of its own."""
    return altered(residuals=returning("residuals", **added))


def defining(**added):
    """Stochastic growth with further definitions, all of which enter the residual with the factor zero."""
    original = StochasticGrowth.residuals
    return altered(
        definitions=returning("definitions", **added),
        residuals=lambda self, now, nxt, E: {
            "euler": original(self, now, nxt, E)["euler"] + sum(0 * E(getattr(nxt, n) + getattr(now, n)) for n in added)
        },
    )


WRONG = {  # the model, the line that fails, its messages, and lines that pass nonetheless
    "a missing variable": (
        altered(transition=without("transition", "z")),
        "transition",
        ["transition returned k; the model declares the states k, z (look at z)"],
        ["steady state", "definitions", "residuals"],
    ),
    "a wrong shape": (
        altered(definitions=returning("definitions", y=lambda now: tf.ones((7, 7), tf.float64))),
        "definitions",
        ["definitions returned 'y' with shape [7, 7]; expected [1, 2]"],
        ["declarations", "expectation", "steady state"],
    ),
    "names and bounds, both wrong": (
        altered(policies=(Policy("s", 1, 0), Policy("k"))),
        "declarations",
        ["the variable 'k' is declared 2 times", "policy 's': lower bound 1 is not below upper bound 0"],
        ["parameters"],
    ),
    "multipliers that belong to nothing": (
        altered(policies=(
            Policy("s", 0, 1), Multiplier("a", "r"), Multiplier("b", "s", "left"), Multiplier("c", "s", size=2),
        )),
        "declarations",
        ["multiplier 'a' is on the policy 'r', which is not declared; the policies are s",
         "multiplier 'b' is on the bound 'left'; allowed are lower, upper",
         "multiplier 'c' has size 2, its policy 's' has size None"],
        ["parameters"],
    ),
    "a multiplier on a bound that is not there": (
        altered(policies=(Policy("s", 0), Multiplier("m", "s", "upper"))),
        "declarations",
        ["multiplier 'm' is on the upper bound of 's', which has none"],
        ["parameters"],
    ),
    "a range of no parameter": (
        altered(ranges={"gama": "(0, inf)"}),
        "declarations",
        ["ranges has 'gama': did you mean 'gamma'? the parameters are alpha, beta, gamma, delta, rho, sigma, "
         "k_box, tfp_box"],
        [],
    ),
    "a steady state out of bounds and box": (
        altered(policies=(Policy("s", 0.5, 1),), states=(State("k", 1, 2), State("z", -1, 1))),
        "steady state",
        [f"steady_state returned s={S} outside its bounds [0.5, 1]",
         f"the steady state [{K:.8f} 0.        ] lies outside the box from [ 1. -1.] to [2. 1.]"],
        ["definitions", "transition", "residuals", "compilation", "gradients"],
    ),
    "a flipped sign": (
        equation(euler=lambda now, nxt, E: 0.99 * E(nxt.R * nxt.c) / now.c - 1.5),
        "zero residuals",
        ["residuals: equation 'euler' is 0.5 at steady_state, not zero"],
        ["steady state", "gradients", "units", "closed form"],
    ),
    "numpy in an equation": (
        altered(definitions=returning("definitions", y=lambda now: np.exp(now.z) * now.k**0.36)),
        "compilation",
        ["compilation failed (test_contract.py, line ", "): NotImplementedError: Cannot convert a symbolic tf.Tensor",
         "; TensorFlow compiles its own functions alone: tf.exp for np.exp, tf.where for if"],
        ["definitions", "residuals"],
    ),
    "a policy and an equation too many": (
        altered(
            policies=(Policy("s", 0, 1), Policy("h", 0, 1)),
            steady_state=returning("steady_state", h=lambda: 0.5),
            residuals=returning("residuals", labor=lambda now, nxt, E: 0 * now.z),
        ),
        "gradients",
        ["policy 'h' enters no equation: residuals have no derivative in it, today or by way of tomorrow's states",
         "equation 'labor' depends on no policy: training cannot change it"],
        ["zero residuals", "units"],
    ),
    "an explosive state": (
        altered(transition=returning("transition", z=lambda now, shock: 1.02 * now.z + 0.04 * shock.eps)),
        "roots",
        ["near the steady state the model has 1 stable root"],
        ["zero residuals", "gradients", "units", "closed form"],
    ),
    "no number at a corner": (
        defining(m=lambda now: tf.sqrt(now.k - 0.51 * K)),
        "box",
        [f"residuals: equation 'euler' is nan at the {CORNER} of the box, where m is nan; expected is a finite "
         "number at every point of it"],
        ["zero residuals", "roots", "network"],
    ),
    "no number tomorrow": (
        defining(m=lambda now: tf.sqrt(now.z + 0.3)),
        "box",
        [f"equation 'euler' is nan at the {CORNER} of the box, where tomorrow's m is nan at k=3."],
        ["zero residuals"],
    ),
    "a derivative that is no number": (
        defining(m=lambda now: tf.where(now.k > 4.0, (now.k - 4.0) ** 0.5, 0.0)),
        "box",
        [f"residuals: equation 'euler' has the derivative nan at the {CORNER} of the box; expected"],
        ["zero residuals"],
    ),
    "a wrong closed form": (
        altered(closed_form=lambda self, now: {"s": 0.3 + 0 * now.k}),
        "closed form",
        ["closed_form: equation 'euler' is 0.", " at k=", "; expected is zero"],
        ["box", "quadrature"],
    ),
    "a closed form of another name": (
        altered(closed_form=lambda self, now: {"S": now.k}),
        "closed form",
        ["closed_form failed: KeyError: 'S'; expected are the policies s, or None"],
        ["box", "quadrature"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named_in_its_line(mistake):
    model, name, messages, passing = WRONG[mistake]
    found = lines(model)
    text = "\n".join(map(str, found[name].failures))
    for message in messages:
        assert message in text
    assert all(found[other].passed for other in passing)
    assert all(line.passed or line.lacking for other, line in found.items() if other not in (name, "roots"))


WARNED = {
    "goods instead of shares": (
        equation(euler=lambda now, nxt, E: 1e4 * (now.s - S)),
        "units",
        f"residuals: a variable that moves by 1 % changes equation 'euler' by {1e4 * S / 100:.2g}, expected is about "
        "0.01: write it relative to consumption or output",
    ),
    "utility of the rich": (
        equation(euler=lambda now, nxt, E: 1e-5 * (now.s - S)),
        "units",
        f"changes equation 'euler' by {1e-5 * S / 100:.2g}, expected is about 0.01",
    ),
    "a forgotten shock": (
        altered(transition=returning("transition", z=lambda now, shock: 0.9 * now.z)),
        "transition",
        "transition: no state differs between the 5 outcomes of the shocks; is one forgotten?",
    ),
}


@pytest.mark.parametrize("mistake", WARNED)
def test_what_may_be_meant_is_warned_of_and_fails_nothing(mistake):
    model, name, message = WARNED[mistake]
    found = lines(model)
    assert message in "\n".join(found[name].warnings)
    assert all(line.passed for line in found.values())


def test_a_pole_on_the_very_edge_of_the_box_is_harmless():
    assert lines(defining(m=lambda now: (now.k - K / 2) ** -0.5))["box"].passed


def test_two_mistakes_are_both_found_and_what_builds_on_them_is_skipped():
    model = altered(
        transition=without("transition", "z"),
        residuals=returning("residuals", euler=lambda now, nxt, E: nxt.c / now.c - 1),
    )
    found = lines(model)
    assert "look at z" in str(found["transition"].failures[0])
    assert "is an expectation E missing?" in str(found["residuals"].failures[0])
    assert found["gradients"].lacking == "transition" and found["network"].lacking == "transition"
    assert found["steady state"].passed


def test_a_rule_too_coarse_for_the_tolerance_is_warned_of():
    found = lines(StochasticGrowth(gamma=20.0, sigma=0.2), "expectation.nodes=2")
    (warning,) = found["quadrature"].warnings
    assert "exceeds tolerance=1e-06; take a finer rule" in warning
    assert "product rule, 2 nodes; 5 change residuals by" in found["quadrature"].text
    assert not lines(StochasticGrowth())["quadrature"].warnings


def test_no_stable_root_is_a_warning_where_the_anchor_does_without():
    model = WRONG["an explosive state"][0]
    found = lines(model, "network.anchor=steady_state")
    assert found["roots"].passed and "1 stable root" in found["roots"].warnings[0] and found["box"].passed


def test_a_weight_of_no_equation_is_named():
    found = lines(StochasticGrowth(), "+loss.weights.eular=2")
    assert "loss.weights.eular: the model's equations are euler" in str(found["loss weights"].failures[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_models_that_come_along_pass(name):
    chosen = settings(f"model={name}")
    for line in run_checks(OneMember(make_model(chosen.model)), chosen):
        assert line.passed, f"{line.name}: {[*map(str, line.failures)] or line.lacking}"


def test_the_count_of_roots_and_the_closed_form_are_those_of_theory():
    """Log utility, full depreciation: the capital stock returns with root alpha, and the closed form is exact."""
    found = lines(StochasticGrowth(delta=1.0))
    assert found["roots"].text == f"2 stable, 2 states: up to 0.9, unstable from {1 / (0.36 * 0.99):.4g}"
    residual = float(found["closed form"].text.split()[3])
    assert residual < 1e-13 and found["network"].text == "mlp [16,16]: 337 weights"


def test_concerns_are_logged_before_training(tmp_path, monkeypatch):
    import deqn

    def stop(*_):
        raise InputError("far enough")

    monkeypatch.setattr("deqn.runs.run.list_concerns", lambda economy: ["a corner without a number"])
    monkeypatch.setattr("deqn.runs.run.train", stop)
    with pytest.raises(InputError, match="far enough"):
        deqn.solve("growth", folder=tmp_path / "run", quiet=True)
    assert "WARNING a corner without a number" in (tmp_path / "run" / "run.log").read_text()


def test_concerns_are_units_and_corners():
    sound = economy("model=stochastic_growth")
    assert list_concerns(sound) == []
    (concern,) = list_concerns(replace(sound, members=OneMember(WRONG["no number at a corner"][0])))
    assert f"at the {CORNER}" in str(concern)
    (concern,) = list_concerns(replace(sound, members=OneMember(WARNED["goods instead of shares"][0])))
    assert "write it relative" in concern


def deqn_check(folder, *arguments, **environment):
    code = "from deqn.commands.check import main; main()"
    env = {**os.environ, "COLUMNS": "80", **environment}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_guide_is_checked_in_an_empty_folder(tmp_path):
    """README's own files, right and with a mistake: a table within 80 columns, and nothing is left behind."""
    (tmp_path / "conf" / "model").mkdir(parents=True)
    source = next(b for b in blocks("python") if "class Mine" in b)
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(blocks("yaml")[0])
    line = next(line for b in blocks("") for line in b.splitlines() if line.startswith("deqn-check "))
    done = deqn_check(tmp_path, *line.split()[1:])
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "PASS mine: " in done.stdout and "found: k=3.843, z=0, s=0.2367" in done.stdout
    assert all(len(row) <= 80 for row in done.stdout.splitlines()) and "\x1b" not in done.stdout
    assert {p.name for p in tmp_path.iterdir()} <= {"conf", "mine.py", "__pycache__"}
    (tmp_path / "mine.py").write_text(source.replace("nxt.R / nxt.c", "nxt.R / nxt.C"))
    done = deqn_check(tmp_path, *line.split()[1:])
    assert done.returncode == 2 and "FAIL mine: " in done.stdout and "Traceback" not in done.stderr
    printed = [row.rstrip() for row in done.stdout.splitlines()]
    shown = next(b for b in blocks("text") if "check            result" in b)
    assert all(row in printed for row in shown.splitlines()) and "residuals failed (mine.py, line " in shown


BAD = {
    "model=growht": "did you mean 'growth'",
    "model.beta=1.2": "outside (0, 1)",
    "network.hiden=[3]": "did you mean 'network.hidden'",
    "--config-dir=nowhere": "no such folder",
    "--config-name=nope": "not supported",
    "-m": "it checks one model",
    "resume=run": "it checks one model",
}


@pytest.mark.parametrize("argument", BAD)
def test_bad_input_is_answered_before_tensorflow_is_imported(tmp_path, argument):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(CANARY)
    done = deqn_check(tmp_path, argument, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2 and done.stderr.startswith("deqn-check: ") and BAD[argument] in done.stderr
    assert len(done.stderr.splitlines()) <= 12 and done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["tensorflow"]


def test_a_function_that_is_not_defined_is_named(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: mine.Mine\n")
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n\nfrom deqn import Model\n\n\n"
        "@dataclass(frozen=True)\nclass Mine(Model):\n    states = policies = shocks = ()\n"
    )
    done = deqn_check(tmp_path, "--config-dir=conf", "model=mine")
    assert done.returncode == 2
    assert "model._target_=mine.Mine does not define residuals, transition" in done.stderr


def test_help_is_its_own(tmp_path):
    done = deqn_check(tmp_path, "--help")
    assert done.returncode == 0 and "deqn-check --config-dir conf model=mine" in done.stdout
    assert "Exit codes: 0 nothing is wrong, 2 something is, 6 too little memory." in done.stdout
    assert f"model: {', '.join(NAMES)} " in " ".join(done.stdout.split())
