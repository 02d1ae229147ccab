"""The gallery: entries are those of today's models and settings, load from their name, and are judged as they were."""

import json
import os
import random
import re

import pytest

import deqn
import gallery
from deqn.commands import evaluate, irf
from deqn.configuration.gallery import find_folder, find_place, hash_text, list_entries
from deqn.system.errors import FileError

LIMIT = 300 * 1024  # bytes of weights
DRAWN = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))  # the same in every process of a run
PRINTED = re.compile(r"^ (?:path|box): .*$", re.M)


def test_every_economy_is_stored_and_nothing_else():
    assert sorted(list_entries()) == sorted(gallery.NAMES)


@pytest.mark.parametrize("name", gallery.NAMES)
def test_an_entry_is_that_of_todays_model_and_settings(name):
    assert not gallery.find_changes(name), f"python scripts/gallery.py {name}"


@pytest.mark.parametrize("name", gallery.NAMES)
def test_an_entry_is_small_and_names_no_folder(name):
    folder = find_folder(f"gallery:{name}")
    weights = list((folder / "checkpoints").iterdir())
    assert {file.stem for file in weights} == {"policy"} and sum(file.stat().st_size for file in weights) < LIMIT
    for file in folder.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r'"(/|\w:\\\\)(?!device)', text) and json.loads(text), file
    assert json.loads((folder / "summary.json").read_text())["status"] == "converged"


def test_a_changed_model_or_setting_is_found(monkeypatch):
    monkeypatch.setattr(gallery, "hash_model", lambda job: hash_text("another"))
    assert gallery.find_changes("growth") == ["model changed"]
    monkeypatch.setitem(gallery.WORDS, "growth", ("optimizer.polish=7",))
    assert gallery.find_changes("growth") == ["command changed", "model changed", "settings changed"]


def test_names():
    assert find_folder("gallery:growth") == list_entries()["growth"]
    assert find_folder("outputs/growth/x").parts == find_place("outputs/growth/x").parts == ("outputs", "growth", "x")
    assert find_place("gallery:growth").parts == ("outputs", "growth")
    with pytest.raises(FileError, match="gallery:grwth: did you mean 'growth'.*the gallery holds .*growth, "):
        find_folder("gallery:grwth")


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN.sample(gallery.NAMES, 2))
def test_an_entry_is_judged_as_it_was(name, tmp_path, monkeypatch, capsys):
    """Two drawn at random; on another machine, to the tolerance."""
    monkeypatch.chdir(tmp_path)
    assert evaluate.run_evaluate([f"run=gallery:{name}"]) == 0
    assert PRINTED.search(capsys.readouterr().out)
    (file,) = tmp_path.glob(f"outputs/{name}/evaluations/*/summary.json")
    stored, anew = (json.loads(f.read_text()) for f in (find_folder(f"gallery:{name}") / "summary.json", file))
    for where in ("path", "box"):
        was, now = (x["euler_errors"][where]["all"]["mean"] for x in (stored, anew))
        assert now == pytest.approx(was, rel=0.02, abs=1e-3 * stored["tolerance"])


@pytest.mark.slow
def test_questions_about_an_entry_leave_it_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(find_folder("gallery:stochastic_growth").rglob("*"))
    assert irf.run_irf(["run=gallery:stochastic_growth", "shock=eps"]) == 0
    assert list(tmp_path.glob("outputs/stochastic_growth/impulse_responses/*.csv"))
    assert deqn.load("gallery:stochastic_growth").summary["status"] == "converged"
    assert sorted(find_folder("gallery:stochastic_growth").rglob("*")) == before
