"""The command as a user types it, in an empty folder: in a process of its own where that could matter."""

import json
import re
import time

import pandas as pd
import pytest

import deqn
from command_line import CANARY, LITTLE, SHORT, deqn_solve

AT_START = (
    "optimizer=adam",
    "train.steps=0",
    "model.delta=0.5",
    *(word for word in LITTLE if not word.startswith("tolerance")),
)


@pytest.mark.slow
def test_the_main_job(tmp_path):
    done = deqn_solve(tmp_path, "model=growth", "train.steps=2000")
    assert done.returncode == 0 and done.stderr == ""
    assert "PASS growth: mean path error" in done.stdout and "k_next - closed form" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if str(tmp_path) not in line)
    assert "\x1b" not in done.stdout
    (folder,) = (tmp_path / "outputs" / "growth").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.name)
    assert (folder / ".hydra" / "config.yaml").exists() and len(list((folder / "figures").glob("*.png"))) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["outputs"]
    recorded = json.loads((folder / "environment.json").read_text())
    assert recorded["overrides"] == ["model=growth", "train.steps=2000"] and recorded["seed"] == 0
    total = json.loads((folder / "summary.json").read_text())["seconds"]
    assert total["total"] >= sum(v for k, v in total.items() if k != "total") * 0.99 > 1


def test_the_canary_sings(tmp_path):
    """A valid job does import TensorFlow, so the test above can fail."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(CANARY)
    assert "TensorFlow was imported" in deqn_solve(tmp_path, *SHORT, PYTHONPATH=str(tmp_path)).stderr


def test_pseudo_states_need_no_plus(tmp_path):
    done = deqn_solve(tmp_path, "model=growth", "pseudo_states.beta=[0.9,0.95]", "--cfg", "job")
    assert done.returncode == 0 and "pseudo_states:\n  beta:\n  - 0.9\n  - 0.95\n" in done.stdout


def test_help_lists_models_and_groups_at_once(tmp_path):
    started = time.monotonic()
    done = deqn_solve(tmp_path, "model=nope", "--help", "seed=3")
    assert time.monotonic() - started < 5  # 0.7 s when the machine is idle
    assert done.returncode == 0
    for word in ("growth", "olg_analytic", "stochastic_growth", "optimizer: ", "sampling: box, ergodic, mixture"):
        assert word in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "alpha" in deqn_solve(tmp_path, "--cfg", "job").stdout
    lost = deqn_solve(tmp_path, "--help", "--config-dir", "lost")
    assert lost.returncode == 2 and lost.stderr == "deqn-solve: --config-dir lost: there is no such folder\n"


@pytest.mark.slow
def test_a_sweep_ends_with_one_table(forks, tmp_path):
    code, output = forks.run(
        tmp_path, "-m", "seed=0,1", "network.hidden=[4],[8]", "model.beta=0.9", "model.delta=0.5",
                "optimizer=levenberg_marquardt", "optimizer.iterations=2", "optimizer.polish=0",
                "optimizer.states=100", *LITTLE)  # fmt: skip
    assert code == 0, output
    table = output[output.index(" job ") :]
    assert all(word in table for word in ("seed", "hidden", "status", "mean error", "max error", "seconds"))
    assert "model.beta" not in table and table.count("converged") == 4
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    rows = pd.read_csv(folder / "summary.csv")
    assert list(rows["seed"]) == [0, 0, 1, 1] and list(rows["network.hidden"]) == ["[4]", "[8]"] * 2
    assert rows["model.beta"].eq(0.9).all() and rows["mean"].between(0, 0.1).all() and rows["mean"].nunique() == 4


@pytest.mark.slow
def test_a_sweep_with_a_failed_job_runs_the_others_and_says_so(forks, tmp_path):
    code, output = forks.run(tmp_path, "-m", "tolerance=0.1,1e-16", *AT_START)
    assert code == 4 and output.count("PASS") == 1 and output.count("FAIL") == 1
    code, output = forks.run(tmp_path, "-m", "tolerance=0.1", "+loss.weights={nope:1},{euler:1}", *AT_START)
    assert code == 2 and "job 0: loss.weights.nope" in output and output.count("PASS") == 1


@pytest.mark.slow
def test_resume_refuses_other_settings_and_allows_more_steps(here, tmp_path):
    assert here(*SHORT, "hydra.run.dir=run").returncode == 0
    refused = here("resume=run", "model.beta=0.9", "seed=3")
    assert refused.returncode == 2 and "model.beta: 0.99 became 0.9; seed: 0 became 3" in refused.stderr
    again = here("hydra.run.dir=run", *SHORT)
    assert again.returncode == 5 and "already holds a run" in again.stderr
    longer = here("resume=run", "train.steps=600")
    assert (
        longer.returncode == 0 and json.loads((tmp_path / "run" / "summary.json").read_text())["steps"]["adam"] == 600
    )


@pytest.mark.slow
def test_a_model_of_ones_own_in_a_folder_of_ones_own(forks, tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: mine.Mine\nalpha: 0.3\n")
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom deqn.models.growth import Growth\n\n"
        '@dataclass(frozen=True)\nclass Mine(Growth):\n    """Mine."""\n'
    )
    done = deqn_solve(tmp_path, "model=mine", "--config-dir", "conf", "model.alpha=0.33", *SHORT)  # in any order
    assert done.returncode == 0 and "PASS mine" in done.stdout
    (folder,) = (tmp_path / "outputs" / "mine").iterdir()
    code, output = forks.run(tmp_path, f"resume={folder}", "train.steps=500")
    assert code == 0 and "PASS mine" in output
    assert json.loads((folder / "summary.json").read_text())["parameters"]["alpha"] == 0.33


@pytest.mark.parametrize("arguments", [(), ("-m",), ("hydra.run.dir=outputs/x",), ("-m", "hydra.sweep.dir=outputs/x")])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, arguments):
    (tmp_path / "outputs").write_text("")
    done = deqn_solve(tmp_path, *arguments, *SHORT)
    assert done.returncode == 5 and "outputs" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_damaged_run_is_refused(here, tmp_path):
    assert here(*SHORT, "hydra.run.dir=run").returncode == 0
    (tmp_path / "run" / "config.yaml").write_text("model: [")
    done = here("resume=run")
    assert done.returncode == 5 and "config.yaml" in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(deqn.FileError, match="does not hold a finished run"):
        deqn.load(tmp_path / "run")
    done = here("resume=nowhere")
    assert done.returncode == 5 and done.stderr == "deqn-solve: nowhere: there is no run in this folder\n"
