"""What a run says of itself, and what it leaves alone in the process that called it."""

import json
import subprocess
import warnings

import keras
import numpy as np
import pytest

import deqn
from command_line import ONE_STAGE, assert_identical
from deqn.runs.record import find_revision

GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")


@pytest.fixture
def repository(tmp_path):
    """A repository with one committed file and one that is ignored, as the packages of an environment are."""
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "installed.py").write_text("")
    for words in (["init", "-q"], ["add", "mine.py"], ["commit", "-qm", "one"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    return tmp_path


def test_the_revision_is_that_of_the_files_own_repository(repository, monkeypatch):
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True).stdout.strip()
    assert find_revision(str(repository / "mine.py")) == head and len(head) == 40
    monkeypatch.chdir(repository)  # whose revision is not that of everything that runs in it
    assert find_revision(str(repository / "env" / "installed.py")) is None
    assert find_revision(deqn.__file__) != head
    assert find_revision("/no/such/file.py") is None and find_revision(None) is None


@pytest.mark.slow
def test_a_notebooks_own_networks_are_left_alone(one_stage, tmp_path):
    """Layers from before and after have different names, the earlier model trains and saves, and bits stay equal."""
    layer = keras.layers.Dense(2)
    earlier = keras.Sequential([keras.Input((3,)), layer])
    earlier.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((4, 3)), np.zeros((4, 2))
    deqn.solve("growth", ONE_STAGE[1:], folder=tmp_path / "run", quiet=True)
    assert_identical(one_stage, tmp_path / "run")
    later = keras.layers.Dense(1)
    assert later.name != layer.name
    both = keras.Sequential([earlier, later])
    assert both(x).shape == (4, 1)
    assert earlier.fit(x, y, verbose=0, epochs=2).history["loss"][1] >= 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras's own saving with a newer numpy
        earlier.save(tmp_path / "earlier.keras")
        loaded = keras.saving.load_model(tmp_path / "earlier.keras", compile=False)
    np.testing.assert_array_equal(loaded(x), earlier(x))
    record = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert record["git_revision"] == record["model_git_revision"]  # a shipped model lies in the package's repository
