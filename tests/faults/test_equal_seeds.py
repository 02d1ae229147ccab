"""Equal seeds give equal bits: in processes of their own, and after another job in the same process."""

import hashlib

import pytest

from command_line import THREE_STAGES, Forks, metrics, weights


def digest(folder):
    """Of the final weights and of every row of metrics.csv, seconds left out."""
    found = hashlib.sha256(metrics(folder).to_csv().encode())
    for w in weights(folder):
        found.update(w)
    return found.hexdigest()


@pytest.mark.slow
def test_hashes_are_identical_within_and_across_processes(here, tmp_path):
    forks = Forks()
    for name in ("one", "two"):
        forks.start(tmp_path, *THREE_STAGES, "seed=5", f"hydra.run.dir={name}")
        code, output = forks.wait()
        assert code == 0, output
    forks.close()
    assert here("model=stochastic_growth", *THREE_STAGES[2:], "seed=1", "hydra.run.dir=another").returncode == 0
    assert here(*THREE_STAGES, "seed=5", "hydra.run.dir=third").returncode == 0
    found = {name: digest(tmp_path / name) for name in ("one", "two", "third", "another")}
    assert found["one"] == found["two"] == found["third"] != found["another"]
