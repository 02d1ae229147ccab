"""Equal seeds give equal bits: in a process of its own, and after another job in this one."""

import hashlib

import pytest

from command_line import ONE_STAGE, THREE_STAGES, metrics, weights


def digest(folder):
    """Of the final weights and of every row of metrics.csv, seconds left out."""
    found = hashlib.sha256(metrics(folder).to_csv().encode())
    for w in weights(folder):
        found.update(w)
    return found.hexdigest()


@pytest.mark.slow
def test_hashes_are_identical_within_and_across_processes(here, forks, tmp_path):
    code, output = forks.run(tmp_path, *THREE_STAGES, "seed=5", "hydra.run.dir=one")
    assert code == 0, output
    assert here("model=stochastic_growth", *ONE_STAGE[2:], "seed=1", "hydra.run.dir=another").returncode == 0
    assert here(*THREE_STAGES, "seed=5", "hydra.run.dir=two").returncode == 0
    found = {name: digest(tmp_path / name) for name in ("one", "two", "another")}
    assert found["one"] == found["two"] != found["another"]
