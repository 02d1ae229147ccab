import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import pytest
from omegaconf import OmegaConf

from conftest import MODELS, make_model, settings
from deqn.configuration.composition import compose, find_value, split_sweep
from deqn.configuration.job import prepare_job, recall_overrides
from deqn.configuration.loading import PATHS, assign, to_hydra_syntax
from deqn.configuration.validation import validate
from deqn.models.growth import Growth
from deqn.runs.run import solve
from deqn.settings import schema as allowed
from deqn.system.errors import FileError, InputError
from deqn.system.files import claim_new_folder


@dataclasses.dataclass(frozen=True)
class Greek(Growth):
    """Growth with parameters that have Greek names."""

    β: float = 0.9
    σ_ε: float = 0.1
    μ: float = 0.0


BOX_SHARES = {"box": 1.0, "ergodic": 0.0, "mixture": None, "tails": 0.3, "mostly_ergodic": 0.1}

BAD = {
    "model=growht": "did you mean 'growth'",
    "optimizer=sgdd": "did you mean 'sgd'",
    "network.hiden=[3]": "did you mean 'network.hidden'",
    "modle=growth": "did you mean 'model'",
    "model.bta=0.9": "did you mean 'model.beta'",
    "+model.x=1": "unknown key 'model.x'",
    "model.beta=1.2": r"model.beta=1.2 is outside \(0, 1\)",
    "model.beta=abc": "not a number",
    "network.hidden=[]": "empty",
    "network.hidden=[0]": r"outside \[1, 65536\]",
    "network.activation=rellu": "did you mean 'relu'",
    "network.dropout=1": r"outside \[0, 1\)",
    "train.batch=-1": r"outside \[1, inf\)",
    "train.batch=abc": "Integer",
    "train.batch=100000": "sampling.paths x sampling.periods",
    "seed=1.5": "Integer",
    "expectation.degree=3": "not used by auto; it belongs to monomial",
    "schedule.final=null": "cosine needs it",
    "optimizer=adam optimizer.options.beta_1=abc": "neither a number",
    "optimizer=levenberg_marquardt optimizer.options.beta_1=0.9": "beta_1 is new in optimizer.options",
    "model=null": "model can be",
    "train=null": "train",
    "a b": "key=value",
    "loss.weights={euler: -1}": "loss.weights",
}


@pytest.mark.parametrize("override", BAD)
def test_a_mistake_is_named(override):
    with pytest.raises(InputError, match=BAD[override]) as refusal:
        settings(*override.split())
    assert len(str(refusal.value)) < 700


@pytest.mark.parametrize("choice, message", [("monte_carlo expectation.draws=3", "odd"),
                                             ("monomial expectation.degree=4", "allowed are 3, 5")])  # fmt: skip
def test_rules_check_their_own_settings(choice, message):
    with pytest.raises(InputError, match=message):
        settings(*f"expectation={choice}".split())


def test_both_ways_of_clipping_are_refused():
    with pytest.raises(InputError, match="clip_norm"):
        settings("optimizer.clip_norm=1.0", "optimizer.clip_value=1.0")


@pytest.mark.parametrize("model", MODELS)
def test_every_yaml_lists_every_parameter_with_its_default(model):
    """One source of truth: the defaults of the class and the values of the YAML are the same."""
    parameters = settings(f"model={model}").model
    built = make_model(parameters)
    assert set(parameters) - {"_target_"} == {f.name for f in dataclasses.fields(built)}
    assert built == type(built)()


def test_a_broken_yaml_file_is_named_with_the_line(tmp_path):
    (tmp_path / "model").mkdir()
    for text in ("alpha: [0.3\nbeta: 1\n", "alpha: 0.3\nalpha: 0.4\n"):
        (tmp_path / "model" / "mine.yaml").write_text(text)
        with pytest.raises(InputError, match=r"mine.yaml.*, line \d"):
            compose(["model=mine"], str(tmp_path))


def test_only_a_model_may_be_named(tmp_path):
    for target in ("os.system", "builtins.dict", "deqn.model.declaration.State", "no.such.Thing"):
        with pytest.raises(InputError, match="_target_"):
            validate(compose([f"++model._target_={target}"]).config)


def test_numbers_reach_the_model():
    model = make_model(settings("model.beta=0.95", "model.gamma=2", "model.k_box=[0.9,1.1]").model)
    assert model == Growth(beta=0.95, gamma=2.0, k_box=(0.9, 1.1))


def test_lists_of_names_are_those_of_keras():
    assert all(callable(keras.activations.get(name)) for name in allowed.ACTIVATIONS)
    assert all(keras.initializers.get(name) is not None for name in allowed.INITIALIZERS)
    assert all(keras.optimizers.get(name) is not None for name in allowed.FIRST_ORDER)


def test_a_users_yaml_is_found_and_checked(tmp_path):
    (tmp_path / "model").mkdir()
    target = "_target_: deqn.models.growth.Growth\n"
    (tmp_path / "model" / "mine.yaml").write_text(target + "alpha: 0.3\n")
    job = prepare_job(["model=mine"], str(tmp_path))
    assert job.name == "mine" and job.model == Growth(alpha=0.3)
    (tmp_path / "model" / "wrong.yaml").write_text(target + "alhpa: 0.3\n")
    with pytest.raises(InputError, match="did you mean 'alpha'"):
        validate(compose(["model=wrong"], str(tmp_path)).config)
    with pytest.raises(InputError, match="no such folder"):
        compose(["model=mine"], str(tmp_path / "nowhere"))


GROUPS = {  # a file of the user's with the name of a shipped one, and what it changes
    "model/growth": ("_target_: deqn.models.growth.Growth\nbeta: 0.91\n", "model.beta", 0.91),
    "network/mlp": ("name: chebyshev\ndegree: 3\nanchor: linear\n", "network.degree", 3),
    "expectation/auto": ("rule: auto\nnodes: 3\n", "expectation.nodes", 3),
    "sampling/box": ("periods: 9\n", "sampling.periods", 9),
    "loss/mean_square": ("name: log_cosh\nweights: {}\n", "loss.name", "log_cosh"),
    "schedule/cosine": ("name: constant\n", "schedule.name", "constant"),
}  # fmt: skip


@pytest.mark.parametrize("file", GROUPS)
def test_a_users_file_comes_before_the_shipped_one_of_its_name(tmp_path, file):
    text, key, value = GROUPS[file]
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).with_suffix(".yaml").write_text(text)
    usual = OmegaConf.select(compose([]).config, key)
    assert OmegaConf.select(compose([], str(tmp_path)).config, key) == value != usual
    assert OmegaConf.select(compose([]).config, key) == usual  # and is forgotten with its folder
    if file.startswith("model"):
        assert list(prepare_job(["+model.alpha=0.3"], str(tmp_path)).changed) == ["model.alpha"]


@pytest.mark.parametrize("name", ["config", "schema"])
def test_what_would_take_the_place_of_the_primary_configuration_is_refused(tmp_path, name):
    (tmp_path / f"{name}.yaml").write_text("seed: 3\n")
    with pytest.raises(InputError, match=f"{name}.yaml cannot stand in the place of the package's own"):
        compose([], str(tmp_path))


ODD = ["My models (v2)", "Modèle", "Mode\u0300le", "a=b", "#1", "100%20", "it's", 'a"b', "[x]", "{y}", "a,b", "1e3",
       "?", "null ", "True", "choice(a)", "back\\slash", "ü=1,2", "a;b & c"]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "mine.yaml").write_text("_target_: deqn.models.growth.Growth\nalpha: 0.3\n")
    assert compose(["model=mine"], str(folder)).config.model.alpha == 0.3
    for key in PATHS:
        for text in (name, str(folder)):
            assert find_value(key, to_hydra_syntax([f"{key}={text}"])) == text
            assert find_value(key, to_hydra_syntax(to_hydra_syntax([f"{key}={text}"]))) == text


def test_a_path_may_be_in_quotes_or_null():
    assert find_value("resume", to_hydra_syntax(["resume='a b'"])) == "a b"
    assert find_value("resume", to_hydra_syntax(["resume=null"])) is None


def test_parameters_have_names_in_any_alphabet(tmp_path):
    """Python stores identifiers in normal form KC: U+03F5 becomes epsilon, U+00B5 becomes mu."""
    (tmp_path / "model").mkdir()
    target = f"_target_: {__name__}.Greek\n"
    (tmp_path / "model" / "greek.yaml").write_text(target + "β: 0.96\nσ_\u03f5: 0.02\n\u00b5: 1.0\n")

    def parameters(*overrides):
        return prepare_job(["model=greek", *overrides], str(tmp_path)).model

    assert parameters() == Greek(β=0.96, σ_ε=0.02, μ=1.0)
    assert parameters("model.β=.95") == Greek(β=0.95, σ_ε=0.02, μ=1.0)
    for eps in "\u03f5ε":
        for mu in "\u00b5μ":
            assert parameters(f"model.σ_{eps}=0.5", f"model.{mu}=2") == Greek(β=0.96, σ_ε=0.5, μ=2.0)
    assert split_sweep(to_hydra_syntax(["model.β=.95,.96"])) == [["++model.β=0.95"], ["++model.β=0.96"]]
    for words, name, interval in (("pseudo_states.\u00b5=[1,2]", "μ", [1, 2]),
                                  ("+pseudo_states={β:[.9,.95]}", "β", [0.9, 0.95])):  # fmt: skip
        job = prepare_job(["model=greek", words], str(tmp_path))
        assert job.settings.pseudo_states == {name: interval}
    with pytest.raises(InputError, match="unknown key 'model.ββ': did you mean 'β'"):
        parameters("model.ββ=1")


def test_a_typo_in_the_numerics_of_a_users_yaml_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    text = "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\ntrain: {stepps: 10}\n"
    (tmp_path / "model" / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match="stepps"):
        compose(["model=mine"], str(tmp_path))


def test_paths_survive_as_override_values(tmp_path):
    for text in ("a b/c", "it's", "ü=1,2", "back\\slash"):
        assert find_value("resume", [assign("resume", text)]) == text


def test_resume_keeps_earlier_overrides(tmp_path):
    (tmp_path / "environment.json").write_text(
        '{"overrides": ["model=growth", "train.steps=100"], "config_dir": "conf"}'
    )
    now = ["train.steps=200", "resume=x"]
    assert recall_overrides(now, None, tmp_path) == (["model=growth", *now], "conf")
    for broken in ("[1]", "{}", "{", '{"overrides": 3, "config_dir": null}'):
        (tmp_path / "environment.json").write_text(broken)
        with pytest.raises(FileError, match="no run in this folder"):
            recall_overrides(now, None, tmp_path)


def test_folders_are_claimed_one_after_the_other(tmp_path):
    with ThreadPoolExecutor() as pool:
        claimed = list(pool.map(lambda _: claim_new_folder(str(tmp_path / "run")), range(8)))
    assert len(set(claimed)) == 8 and all(Path(c).is_dir() for c in claimed)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        claim_new_folder(str(tmp_path / "file" / "run"))


def test_the_configuration_is_completed_by_defaults():
    composition = compose(["model=growth", "~model.gamma"])
    assert "gamma" not in composition.config.model and validate(composition.config)[0].model["gamma"] == 1.0


@pytest.mark.parametrize("choice", BOX_SHARES)
@pytest.mark.parametrize("model", MODELS)
def test_the_chosen_sampling_is_the_one_that_runs(model, choice):
    """A model recommends a choice, and does not change what a choice means."""
    assert settings(f"model={model}", f"sampling={choice}").sampling.box_share == BOX_SHARES[choice]


def test_the_words_of_solve_are_a_list():
    """Before anything else is looked at."""
    for overrides, words in (("model.tau=.1", "['model.tau=.1']"), ({"model.tau": 0.1}, "['model.tau=0.1']"),
                             ([("model.tau", 0.1)], "")):  # fmt: skip
        with pytest.raises(InputError) as refused:
            solve("growth", overrides)
        assert "is not a list of words key=value" in str(refused.value) and words in str(refused.value)
    with pytest.raises(InputError, match="model is the name of a file in the folder model/"):
        solve(Growth())
