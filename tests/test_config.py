import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import pytest

from conftest import MODELS, settings
from deqn import settings as allowed
from deqn.composition import assigned
from deqn.config import build_model, checked, completed, composed
from deqn.errors import FileError, InputError
from deqn.files import fresh_folder
from deqn.models.growth import Growth
from deqn.overrides import continued, value_of

BOX_SHARES = {"box": 1.0, "ergodic": 0.0, "mixture": 0.5, "tails": 0.3, "mostly_ergodic": 0.1}

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
    "optimizer.options.beta_1=abc": "neither a number",
    "model=null": "model can be",
    "train=null": "train",
    "a b": "key=value",
    "loss.weights={euler: -1}": "loss.weights",
}


@pytest.mark.parametrize("override", BAD)
def test_a_mistake_is_named(override):
    with pytest.raises(InputError, match=BAD[override]) as refusal:
        settings(override)
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
    built = build_model(parameters)
    assert set(parameters) - {"_target_"} == {f.name for f in dataclasses.fields(built)}
    assert built == type(built)()


def test_a_broken_yaml_file_is_named_with_the_line(tmp_path):
    (tmp_path / "model").mkdir()
    for text in ("alpha: [0.3\nbeta: 1\n", "alpha: 0.3\nalpha: 0.4\n"):
        (tmp_path / "model" / "mine.yaml").write_text(text)
        with pytest.raises(InputError, match=r"mine.yaml.*, line \d"):
            composed(["model=mine"], str(tmp_path))


def test_only_a_model_may_be_named(tmp_path):
    for target in ("os.system", "builtins.dict", "deqn.model.State", "no.such.Thing"):
        with pytest.raises(InputError, match="_target_"):
            checked(composed([f"++model._target_={target}"])[0])


def test_numbers_reach_the_model():
    model = build_model(settings("model.beta=0.95", "model.gamma=2", "model.k_box=[0.9,1.1]").model)
    assert model == Growth(beta=0.95, gamma=2.0, k_box=(0.9, 1.1))


def test_lists_of_names_are_those_of_keras():
    assert all(callable(keras.activations.get(name)) for name in allowed.ACTIVATIONS)
    assert all(keras.initializers.get(name) is not None for name in allowed.INITIALIZERS)
    assert all(keras.optimizers.get(name) is not None for name in allowed.FIRST_ORDER)


def test_a_users_yaml_is_found_and_checked(tmp_path):
    (tmp_path / "model").mkdir()
    target = "_target_: deqn.models.growth.Growth\n"
    (tmp_path / "model" / "mine.yaml").write_text(target + "alpha: 0.3\n")
    config, name = composed(["model=mine"], str(tmp_path))
    assert name == "mine" and build_model(checked(config).model) == Growth(alpha=0.3)
    (tmp_path / "model" / "wrong.yaml").write_text(target + "alhpa: 0.3\n")
    with pytest.raises(InputError, match="did you mean 'alpha'"):
        checked(composed(["model=wrong"], str(tmp_path))[0])
    with pytest.raises(InputError, match="no such folder"):
        composed(["model=mine"], str(tmp_path / "nowhere"))


def test_a_typo_in_the_numerics_of_a_users_yaml_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    text = "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\ntrain: {stepps: 10}\n"
    (tmp_path / "model" / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match="stepps"):
        composed(["model=mine"], str(tmp_path))


def test_paths_survive_as_override_values(tmp_path):
    for text in ("a b/c", "it's", "ü=1,2", "back\\slash"):
        assert value_of("resume", [assigned("resume", text)]) == text


def test_resume_keeps_earlier_overrides(tmp_path):
    (tmp_path / "environment.json").write_text(
        '{"overrides": ["model=growth", "train.steps=100"], "config_dir": "conf"}'
    )
    now = ["train.steps=200", "resume=x"]
    assert continued(now, None, tmp_path) == (["model=growth", *now], "conf")
    for broken in ("[1]", "{}", "{", '{"overrides": 3, "config_dir": null}'):
        (tmp_path / "environment.json").write_text(broken)
        with pytest.raises(FileError, match="no run in this folder"):
            continued(now, None, tmp_path)


def test_folders_are_claimed_one_after_the_other(tmp_path):
    with ThreadPoolExecutor() as pool:
        claimed = list(pool.map(lambda _: fresh_folder(str(tmp_path / "run")), range(8)))
    assert len(set(claimed)) == 8 and all(Path(c).is_dir() for c in claimed)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        fresh_folder(str(tmp_path / "file" / "run"))


def test_the_configuration_is_completed_by_defaults():
    config = composed(["model=growth", "~model.gamma"])[0]
    assert "gamma" not in config.model and completed(config).model.gamma == 1.0


@pytest.mark.parametrize("choice", BOX_SHARES)
@pytest.mark.parametrize("model", MODELS)
def test_the_chosen_sampling_is_the_one_that_runs(model, choice):
    """A model recommends a choice, and does not change what a choice means."""
    assert settings(f"model={model}", f"sampling={choice}").sampling.box_share == BOX_SHARES[choice]
