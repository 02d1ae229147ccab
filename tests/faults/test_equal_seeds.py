"""Equal seeds give equal bits, in a process of its own and after another job in this one; other seeds do not."""

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
def test_hashes_are_identical_within_and_across_processes(here, one_stage, three_stages, tmp_path):
    assert here("model=stochastic_growth", *ONE_STAGE[3:], "seed=1", "hydra.run.dir=another").returncode == 0
    assert here(*THREE_STAGES, "hydra.run.dir=again").returncode == 0
    assert digest(three_stages) == digest(tmp_path / "again")
    assert here(*ONE_STAGE, "seed=1", "hydra.run.dir=other_seed").returncode == 0
    assert digest(one_stage) != digest(tmp_path / "other_seed")
