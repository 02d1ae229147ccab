"""What a parameter may be: deqn-check and deqn-solve refuse the same, by name, before anything is trained."""

import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from test_contract import altered

import deqn
from conftest import build, make_model, settings
from deqn.configuration.job import load_stored, prepare_job
from deqn.economy.members import OneMember
from deqn.economy.simulation import simulate_path
from deqn.model.findings import find_origin, locate_line
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.runs.check import run_checks
from deqn.system.errors import InputError

FILE = """
    from dataclasses import dataclass, field

    import numpy as np

    from deqn import Model
    from deqn.models.stochastic_growth import StochasticGrowth


    @dataclass({frozen})
    class Mine({base}):
        {field}
"""
REFUSED = {
    "array": ("frozen=True", "w: np.ndarray = field(default_factory=lambda: np.eye(2))", "", "model.w is a ndarray; "),
    "dict": ("frozen=True", "w: dict = field(default_factory=dict)", "", "model.w is a dict; a parameter is a number"),
    "list": ("frozen=True", "w: list = field(default_factory=lambda: [1.0])", "", "model.w is a list; a parameter is"),
    "set in a tuple": ("frozen=True", "w: tuple = ({1, 2}, 3)", "", "model.w is a tuple; a parameter is a number"),
    "dict in YAML": ("frozen=True", "w: tuple = None", "w: {a: 1}", "model.w is a dict; a parameter is a number"),
    "matrix of another shape": (
        "frozen=True", "w: tuple = ((0.9, 0.1), (0.2, 0.8))", "w: [[1, 2, 3]]",
        "model.w=[[1,2,3]] is not like its default, [[0.9,0.1],[0.2,0.8]]",
    ),
    "not frozen": ("", "w: float = 1.0", "", "can be changed after it was made; write @dataclass(frozen=True)"),
    "its own check": (
        "frozen=True", "def __post_init__(self): raise ValueError('alpha + beta exceed one')", "",
        "the model failed (mine_{}.py, line 12): ValueError: alpha + beta exceed one",
    ),
}  # fmt: skip


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Makes a user's model; each with a module of its own, since Python imports a name once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])

    def make(number, frozen, field, line=""):
        name = f"mine_{number}"
        (tmp_path / f"{name}.py").write_text(
            textwrap.dedent(FILE.format(frozen=frozen, field=field, base="StochasticGrowth" if frozen else "Model"))
        )
        (tmp_path / "conf" / "model").mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(f"_target_: {name}.Mine\n{line}\n")
        return name

    return make


@pytest.mark.parametrize("case", REFUSED)
def test_what_deqn_check_refuses_deqn_solve_refuses(case, mine, tmp_path):
    number = list(REFUSED).index(case)
    frozen, field, line, message = REFUSED[case]
    name = mine(number, frozen, field, line)
    with pytest.raises(InputError) as by_check:
        prepare_job([f"model={name}"], "conf")
    with pytest.raises(InputError) as by_solve:
        deqn.solve(name, config_dir="conf", quiet=True, folder="run")
    assert message.format(number) in str(by_check.value) and str(by_solve.value) == str(by_check.value)
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_matrix_is_a_parameter(mine, tmp_path):
    """As a tuple of tuples, from its default and from YAML; it can be stored, compared and hashed."""
    name = mine(100, "frozen=True", "w: tuple = ((0.9, 0.1), (0.2, 0.8))", "w: [[0.5, 0.5], [1, 0]]")
    job = prepare_job([f"model={name}"], "conf")
    assert job.model.w == ((0.5, 0.5), (1.0, 0.0)) and hash(job.model) == hash(make_model(job.settings.model))
    assert job.settings.model["w"] == [[0.5, 0.5], [1.0, 0.0]]
    name = mine(101, "frozen=True", "w: tuple = ((0.9, 0.1), (0.2, 0.8))\n        x: float = np.float64(2)")
    job = prepare_job([f"model={name}"], "conf")
    assert job.settings.model["w"] == [[0.9, 0.1], [0.2, 0.8]] and np.shape(job.model.w) == (2, 2)
    (tmp_path / "config.yaml").write_text(job.config_yaml)
    assert load_stored(tmp_path) == (job.settings, job.model)


def test_a_parameter_without_a_default_may_be_given_by_a_word(mine):
    name = mine(102, "frozen=True, kw_only=True", "w: float")
    with pytest.raises(InputError, match="model.w has no default"):
        prepare_job([f"model={name}"], "conf")
    job = prepare_job([f"model={name}", "+model.w=2"], "conf")
    assert job.model.w == 2.0 and job.changed == {"model.w": {"value": 2.0, "default": None}}


@pytest.mark.parametrize("words, message", [
    ("optimizer=adam +optimizer.options.beta_9=0.5", "adam refuses: Argument(s) not recognized: {'beta_9': 0.5}"),
    ("evaluation.box_scale=5", "evaluation.box_scale=5 leads the state k to"),
])  # fmt: skip
def test_a_choice_that_this_economy_cannot_use_is_refused_by_both_before_training(words, message, tmp_path):
    chosen = settings("model=stochastic_growth", *words.split())
    found = {line.name: line for line in run_checks(OneMember(StochasticGrowth()), chosen)}["choices"]
    assert message in str(found.failures[0])
    with pytest.raises(InputError) as refused:
        deqn.solve("stochastic_growth", words.split(), folder=tmp_path / "run", quiet=True)
    assert str(refused.value) == str(found.failures[0]) and not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize("when", ["steady_state", pytest.param("closed_form", marks=pytest.mark.slow), "disk"])
def test_a_file_that_the_models_function_misses_is_the_models_failure(when, mine, tmp_path, monkeypatch):
    """With file and line, and exit code 2; a disk that is full stays one of the run's folder, exit code 5."""
    field = """def closed_form(self, now): return open("missing.csv")"""
    if when == "steady_state":
        field = """def steady_state(self): return np.loadtxt("missing.csv")"""
    name = mine(200 + len(when), "frozen=True", field)
    short = ["optimizer.iterations=1", "optimizer.polish=0", "expectation.nodes=2", "evaluation.figures=false"]
    if when == "disk":
        full = OSError(28, "No space left on device", "metrics.csv")
        monkeypatch.setattr("deqn.runs.run.train", lambda *given: (_ for _ in ()).throw(full))
        with pytest.raises(deqn.FileError, match="metrics.csv: No space left on device"):
            deqn.solve(name, short, config_dir="conf", quiet=True, folder="run")
        return
    with pytest.raises(InputError) as refused:
        deqn.solve(name, short, config_dir="conf", quiet=True, folder="run")
    assert f"failed ({name}.py, line 12): FileNotFoundError: " in str(refused.value)
    assert "missing.csv" in str(refused.value)


@pytest.mark.parametrize("function", ["definitions", "transition", "residuals"])
def test_the_line_of_a_failure_is_known_inside_compiled_functions(function):
    """Paths, steps and errors are compiled; what fails while they are traced keeps the model's file and line."""

    def transition(self, now, shock):
        return open("missing.csv")

    def definitions(self, now):
        return open("missing.csv")

    def residuals(self, now, nxt, E):
        return open("missing.csv")

    failing = {"transition": transition, "definitions": definitions, "residuals": residuals}[function]
    economy = build(settings("model=stochastic_growth"), OneMember(StochasticGrowth()))
    economy = replace(economy, members=OneMember(altered(**{function: failing})))
    states = tf.constant(economy.steady.states[None])
    walk = lambda: simulate_path(economy.model, economy.policy, states, 2, None)
    for use in [lambda: economy.euler_errors(states)] + [walk] * (function != "residuals"):
        with pytest.raises(Exception) as failed:  # noqa: B017, TensorFlow's own while it traces
            use()
        assert locate_line(failed.value).startswith(" (test_parameters.py, line ")
        assert isinstance(find_origin(failed.value), FileNotFoundError)
