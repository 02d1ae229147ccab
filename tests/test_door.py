"""The walk of one run: composed once, its model's class looked up once, its model built once."""

import json
import sys

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

import deqn
from deqn.commands import solve
from deqn.configuration import model_class
from deqn.configuration.composition import split_sweep
from deqn.models.growth import Growth
from deqn.system.errors import InputError


class FarEnough(Exception):
    """Ends a run before it is trained."""


@pytest.fixture
def counts(monkeypatch):
    """How often a configuration was composed, a class looked up, and a model built, until training would begin."""
    found = dict.fromkeys(("composed", "looked up", "built"), 0)

    def count(name, function):
        def counted(*args, **kwargs):
            found[name] += 1
            return function(*args, **kwargs)

        return counted

    def stop(*_):
        raise FarEnough

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", count("composed", ConfigLoaderImpl.load_configuration))
    monkeypatch.setattr(model_class, "get_class", count("looked up", model_class.get_class))
    monkeypatch.setattr(Growth, "__init__", count("built", Growth.__init__))
    monkeypatch.setattr("deqn.runs.run.train", stop)
    return found


@pytest.mark.parametrize("words, compositions", [([], 1), (["tolerance=1e-3", "model.beta=0.95"], 2)])
def test_a_run_is_composed_once_and_its_defaults_where_words_could_differ_from_them(
    counts, tmp_path, words, compositions
):
    with pytest.raises(FarEnough):
        deqn.solve("growth", words, folder=tmp_path / "run", quiet=True)
    assert counts == {"composed": compositions, "looked up": 1, "built": 1}


@pytest.mark.parametrize("words, compositions", [([], 1), (["tolerance=1e-3"], 2)])
def test_the_command_composes_no_more_than_the_function(counts, tmp_path, monkeypatch, words, compositions):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["deqn-solve", "model=growth", *words])
    with pytest.raises(FarEnough):
        solve.main()
    assert counts == {"composed": compositions, "looked up": 1, "built": 1}
    (folder,) = (tmp_path / "outputs" / "growth").iterdir()
    record = {p.name: p.read_text() for p in (folder / ".hydra").iterdir()}
    assert sorted(record) == ["config.yaml", "hydra.yaml", "overrides.yaml"]
    assert record["overrides.yaml"] == "".join(f"- {word}\n" for word in ["model=growth", *words])
    assert f"    - hydra.run.dir='{folder.relative_to(tmp_path)}'\n    - hydra.mode=RUN\n" in record["hydra.yaml"]
    assert json.loads((folder / "environment.json").read_text())["overrides"] == ["model=growth", *words]


SWEEPS = ["seed=0,1", "model.beta=choice(0.9,0.95) seed=3 +loss.weights={euler:1},{euler:2}",
          "train.steps=range(1,9,3)", "network.hidden=[4],[8,8] model=growth,irbc", "a=b seed=1,2 a=c,d",
          "seed=glob(*)", "++model.gamma=null,2"]  # fmt: skip


@pytest.mark.parametrize("line", SWEEPS)
def test_a_sweep_is_split_as_hydra_splits_it(line):
    words = line.split()
    try:
        (expected,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(words), None)
    except Exception:
        with pytest.raises(InputError):
            split_sweep(words)
        return
    assert split_sweep(words) == expected


@pytest.mark.parametrize("word", ["seed=interval(0,1)", "seed=range(1,5,0)", "seed=choice(1"])
def test_what_is_no_sweep_is_named(word):
    with pytest.raises(InputError, match="seed="):
        split_sweep([word])
