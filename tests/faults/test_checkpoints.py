"""Damaged and foreign checkpoints, foreign settings, one folder for two runs: the checkpoint before with a warning, or
exit code 5 with one line; never a silent fresh start, never two logs in one."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from command_line import LITTLE, ONE_STAGE, SHORT, assert_identical, metrics, wait_for
from deqn.runs import verdict
from deqn.system.files import claim_new_folder

FOREIGN = {  # runs whose checkpoints are put in the place of this run's
    "width": (*ONE_STAGE, "network.hidden=[9]"),
    "model": ("model=stochastic_growth", *ONE_STAGE[3:], "model.delta=0.5"),
    "dtype": (*ONE_STAGE, "dtype=float32", "tolerance=10"),
}
AT_ONCE = ("train.seconds=1e-9",)  # stops after the first chunk, with a checkpoint from before it and one from after

AGAIN = """
from deqn.commands import solve
from deqn.sweeps import launch
launch.choose_folder = lambda key, overrides, parent: overrides  # a cluster asks for the folder once
solve.main()
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, forks):
    """The folder of a run that stopped at its second checkpoint."""
    folder = tmp_path_factory.mktemp("checkpoints")
    assert forks.run(folder, *ONE_STAGE, *AT_ONCE, "hydra.run.dir=part")[0] == 0
    assert sorted(p.name for p in folder.rglob("ckpt-*.index")) == ["ckpt-1.index", "ckpt-2.index"]
    return folder / "part"


@pytest.fixture
def part(stopped, tmp_path):
    """A copy of the stopped run."""
    return shutil.copytree(stopped, tmp_path / "part")


def damage(folder, number, how):
    """Damage one checkpoint of a run."""
    (data,) = (folder / "checkpoints").glob(f"ckpt-{number}.data*")
    content = bytearray(data.read_bytes())
    if how == "flip":
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
    elif how == "truncate":
        data.write_bytes(content[: len(content) // 2])
    elif how == "pickle":  # one that would leave a file behind
        data.write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    else:
        (folder / "checkpoints" / f"ckpt-{number}.{'index' if how == 'index' else data.suffix[1:]}").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["flip", "truncate", "pickle", "index"])
def test_the_checkpoint_before_a_damaged_one_is_taken_with_a_warning(one_stage, part, forks, how):
    damage(part, 2, how)
    code, output = forks.run(part.parent, "resume=part", "train.seconds=null")
    assert code == 0 and "Traceback" not in output, output
    assert "part/checkpoints/ckpt-2 is incomplete" in output and "warning: " in output
    assert "going on from the one before" in output
    assert_identical(one_stage, part)
    assert not [*part.parent.rglob("canary")]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["flip", "index"])
def test_without_a_whole_one_the_run_is_refused(part, forks, how):
    before = metrics(part)
    for number in (1, 2):
        damage(part, number, how)
    code, output = forks.run(part.parent, "resume=part", "train.seconds=null")
    said = [line for line in output.splitlines() if line.startswith("deqn-solve")]
    assert code == 5 and len(said) == 1 and "ckpt-1" in said[0] and "Traceback" not in output, output
    assert metrics(part).equals(before)


@pytest.mark.slow
def test_a_run_that_goes_on_has_no_old_verdict(here, part, monkeypatch):
    """So that a kill leaves none beside other weights."""
    seen = []
    judge = verdict.judge
    monkeypatch.setattr(verdict, "judge", lambda *a: (seen.append((part / "summary.json").exists()), judge(*a))[1])
    assert (part / "summary.json").exists()
    assert here("resume=part", "train.seconds=null").returncode == 0
    assert seen == [False] and (part / "summary.json").exists()


@pytest.mark.slow
def test_a_job_that_a_cluster_starts_again_goes_on(forks, tmp_path):
    words = ("-m", "seed=0", *ONE_STAGE, "hydra.sweep.dir=sweep")
    code, output = forks.run(tmp_path, *words, *AT_ONCE)
    assert code == 0, output
    stopped = metrics(tmp_path / "sweep" / "0")
    done = subprocess.run([sys.executable, "-c", AGAIN, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = metrics(tmp_path / "sweep" / "0")
    assert len(whole) > len(stopped) and whole[: len(stopped)].equals(stopped)
    assert (tmp_path / "sweep" / "0" / "run.log").read_text().count("INFO deqn-solve ") == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOREIGN)
def test_checkpoints_of_another_run_are_refused(part, forks, kind):
    code, output = forks.run(part.parent, *FOREIGN[kind], *AT_ONCE, "hydra.run.dir=other")
    assert code in (0, 4), output
    shutil.rmtree(part / "checkpoints")
    shutil.copytree(part.parent / "other" / "checkpoints", part / "checkpoints")
    code, output = forks.run(part.parent, "resume=part", "train.seconds=null")
    said = [line for line in output.splitlines() if line.startswith("deqn-solve")]
    assert code == 5 and len(said) == 1 and "of another model or network" in said[0], output
    assert "Traceback" not in output


@pytest.mark.slow
def test_other_settings_are_refused_by_name(here, part):
    for word in ("model.beta=0.9", "network.hidden=[9]", "seed=3", "sampling=ergodic", "dtype=float32"):
        done = here("resume=part", word)
        assert done.returncode == 2 and word.split("=")[0].split(".")[0] in done.stderr, done.stderr
        assert "the run was made with other settings" in done.stderr and len(done.stderr.splitlines()) == 1
    done = here("resume=part", "model=stochastic_growth")
    assert done.returncode == 2 and "model.head" in done.stderr  # a parameter of the run that the other model lacks


@pytest.mark.slow
def test_two_runs_never_share_a_folder(forks, here, tmp_path):
    endless = ("model.delta=0.5", "optimizer=adam", "train.steps=10000000", "hydra.run.dir=run")
    pid = forks.start(tmp_path, *endless, *LITTLE)
    wait_for((tmp_path / "run" / "metrics.csv").exists)
    rows = len((tmp_path / "run" / "run.log").read_text().splitlines())
    for words in ((*SHORT, "hydra.run.dir=run"), ("resume=run",)):
        done = here(*words)
        assert done.returncode == 5 and len(done.stderr.splitlines()) == 1, done.stderr
        assert "already holds a run" in done.stderr or "in use by another run" in done.stderr
    os.kill(pid, signal.SIGTERM)
    assert forks.wait()[0] == 143
    log = (tmp_path / "run" / "run.log").read_text()
    assert len(log.splitlines()) > rows and log.count("deqn-solve ") == 1


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        found = [*pool.map(claim_new_folder, [str(tmp_path / "2026-01-31_12-00-00")] * 16)]
    assert len(set(found)) == 16
