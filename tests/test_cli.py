"""The command as a user types it: a subprocess in an empty folder."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import deqn

SHORT = (
    "optimizer=adam",
    "network.hidden=[8]",
    "train.steps=400",
    "train.report_every=100",
    "evaluation.figures=false",
    "tolerance=0.1",
)
CANARY = "raise SystemExit('TensorFlow was imported')\n"


def command(*arguments):
    return [sys.executable, "-c", "from deqn.cli import main; main()", *arguments]


def deqn_solve(folder, *arguments, **environment):
    env = {**os.environ, "COLUMNS": "80", **environment}
    return subprocess.run(command(*arguments), cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def test_the_main_job(tmp_path):
    done = deqn_solve(tmp_path, "model=growth", "train.steps=2000")
    assert done.returncode == 0 and done.stderr == ""
    assert "PASS growth: mean path error" in done.stdout and "s - closed form" in done.stdout
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


BAD = {
    "--config-name=nope": "not supported",
    "network.hiden=[3]": "did you mean 'network.hidden'",
    "model.beta=abc": "not a number",
    "model.beta=1.2": "outside (0, 1)",
    "network.hidden=[]": "empty",
    "train.batch=-1": "outside [1, inf)",
    "pseudo_states.beta=[0.9,1.5]": "outside (0, 1)",
    "model=growht": "did you mean 'growth'",
    "+model.x=1": "unknown key 'model.x'",
    "not an override": "key=value",
    "resume=nowhere": "no run in this folder",
    "--config-dir=nowhere": "no such folder",
}


@pytest.mark.parametrize("argument", BAD)
@pytest.mark.parametrize("sweep", [False, True])
def test_bad_input_is_answered_in_a_few_lines(tmp_path, argument, sweep):
    """Exit code 2 (5 for files), no traceback, no folder, and TensorFlow not imported, which the canary would show."""
    if sweep and argument.startswith(("-", "resume")):
        pytest.skip("not part of a sweep")
    (tmp_path / "canary" / "tensorflow").mkdir(parents=True)
    (tmp_path / "canary" / "tensorflow" / "__init__.py").write_text(CANARY)
    arguments = ("-m", "seed=0,1", argument) if sweep else (argument,)
    done = deqn_solve(tmp_path, *arguments, PYTHONPATH=str(tmp_path / "canary"))
    assert done.returncode == (5 if argument.startswith("resume") else 2)
    assert BAD[argument] in done.stderr and len(done.stderr.splitlines()) <= 12
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["canary"]


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
    done = deqn_solve(tmp_path, "--help")
    assert time.monotonic() - started < 5  # 0.7 s when the machine is idle
    assert done.returncode == 0
    for word in ("growth", "olg_analytic", "stochastic_growth", "optimizer: ", "sampling: box, ergodic, mixture"):
        assert word in done.stdout
    lists = ("optimizer", "model")
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith(lists))
    assert "alpha" in deqn_solve(tmp_path, "--cfg", "job").stdout


def test_a_sweep_ends_with_one_table(tmp_path):
    done = deqn_solve(tmp_path, "-m", "seed=0,1", "network.hidden=[4],[8]", "model.beta=0.9", "model.delta=0.5",
                      SHORT[0], *SHORT[2:], "evaluation.reference=false")  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index(" job ") :]
    assert all(word in table for word in ("seed", "network.hidden", "status", "mean error", "max error", "seconds"))
    assert "model.beta" not in table and table.count("converged") == 4
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    rows = pd.read_csv(folder / "summary.csv")
    assert list(rows["seed"]) == [0, 0, 1, 1] and list(rows["network.hidden"]) == ["[4]", "[8]"] * 2
    assert rows["model.beta"].eq(0.9).all() and rows["mean"].between(0, 0.1).all() and rows["mean"].nunique() == 4


def test_a_sweep_with_a_failed_job_runs_the_others_and_says_so(tmp_path):
    done = deqn_solve(tmp_path, "-m", "tolerance=0.1,1e-16", "+loss.weights.euler=1,1", *SHORT[:-1])
    assert done.returncode == 4 and done.stdout.count("PASS") == 2 and done.stdout.count("FAIL") == 2
    done = deqn_solve(tmp_path, "-m", "tolerance=0.1", "+loss.weights.euler=1", "+loss.weights.nope=1", *SHORT[:-1])
    assert done.returncode == 2 and "failed" in done.stdout and "job 0: loss.weights.nope" in done.stdout


def test_a_run_that_misses_its_tolerance_exits_with_4(tmp_path):
    done = deqn_solve(tmp_path, "model=stochastic_growth", *SHORT[:-1], "tolerance=1e-12")
    assert done.returncode == 4 and "FAIL stochastic_growth: mean path error" in done.stdout


def test_a_run_that_diverges_exits_with_3_and_names_the_equation(tmp_path):
    done = deqn_solve(tmp_path, "optimizer=sgd", "optimizer.learning_rate=1e12", "schedule=constant",
                      "network.hidden=[8]", "train.steps=400")  # fmt: skip
    assert done.returncode == 3 and "diverged at step" in done.stdout and "'euler' is not finite at k=" in done.stdout
    (folder,) = (tmp_path / "outputs" / "growth").iterdir()
    assert json.loads((folder / "summary.json").read_text())["status"] == "diverged"
    assert "diverged; mean path error" in (folder / "report.html").read_text()
    assert len(list((folder / "figures").glob("*.png"))) >= 4


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_training_and_resume_goes_on_bit_identically(tmp_path, number, code):
    arguments = (
        "optimizer=adam",
        "network.hidden=[8]",
        "train.steps=6000",
        "train.report_every=200",
        "evaluation.figures=false",
    )
    whole = deqn_solve(tmp_path, *arguments, "hydra.run.dir=whole run")
    assert whole.returncode == 0
    running = subprocess.Popen(command(*arguments, "hydra.run.dir=part"), cwd=tmp_path, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "part" / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(number)
    out, err = running.communicate(timeout=120)
    assert running.returncode == code and "FAIL growth: interrupted" in out and err == ""
    assert json.loads((tmp_path / "part" / "summary.json").read_text())["status"] == "interrupted"
    assert "interrupted; mean path error" in (tmp_path / "part" / "report.html").read_text()
    assert len(pd.read_csv(tmp_path / "part" / "metrics.csv")) < 30
    assert deqn_solve(tmp_path, "resume=part").returncode == 0
    one, other = (pd.read_csv(tmp_path / f / "metrics.csv").drop(columns="seconds") for f in ("whole run", "part"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    states = {"k": np.linspace(0.1, 0.3, 64)}
    one, other = (deqn.load(tmp_path / f).policy(states) for f in ("whole run", "part"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_resume_refuses_other_settings_and_allows_more_steps(tmp_path):
    assert deqn_solve(tmp_path, *SHORT, "hydra.run.dir=run").returncode == 0
    refused = deqn_solve(tmp_path, "resume=run", "model.beta=0.9", "seed=3")
    assert refused.returncode == 2 and "model.beta: 0.99 became 0.9; seed: 0 became 3" in refused.stderr
    again = deqn_solve(tmp_path, "hydra.run.dir=run", *SHORT)
    assert again.returncode == 5 and "already holds a run" in again.stderr
    longer = deqn_solve(tmp_path, "resume=run", "train.steps=600")
    assert (
        longer.returncode == 0 and json.loads((tmp_path / "run" / "summary.json").read_text())["steps"]["adam"] == 600
    )


def test_a_model_of_ones_own_in_a_folder_of_ones_own(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: mine.Mine\nalpha: 0.3\n")
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom deqn.models.growth import Growth\n\n"
        '@dataclass(frozen=True)\nclass Mine(Growth):\n    """Mine."""\n'
    )
    done = deqn_solve(tmp_path, "--config-dir", "conf", "model=mine", "model.alpha=0.33", *SHORT)
    assert done.returncode == 0 and "PASS mine" in done.stdout
    (folder,) = (tmp_path / "outputs" / "mine").iterdir()
    again = deqn_solve(tmp_path, f"resume={folder}", "train.steps=500")
    assert again.returncode == 0 and "PASS mine" in again.stdout
    assert json.loads((folder / "summary.json").read_text())["parameters"]["alpha"] == 0.33


@pytest.mark.parametrize("arguments", [(), ("-m",), ("hydra.run.dir=outputs/x",), ("-m", "hydra.sweep.dir=outputs/x")])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, arguments):
    (tmp_path / "outputs").write_text("")
    done = deqn_solve(tmp_path, *arguments, *SHORT)
    assert done.returncode == 5 and "outputs" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_in_use_is_refused(tmp_path):
    """A second resume while the first one runs."""
    assert deqn_solve(tmp_path, *SHORT, "hydra.run.dir=run").returncode == 0
    with (tmp_path / "run" / "run.log").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = deqn_solve(tmp_path, "resume=run", "train.steps=500")
    assert done.returncode == 5 and "in use by another run" in done.stderr


def test_a_damaged_run_is_refused(tmp_path):
    assert deqn_solve(tmp_path, *SHORT, "hydra.run.dir=run").returncode == 0
    (tmp_path / "run" / "config.yaml").write_text("model: [")
    done = deqn_solve(tmp_path, "resume=run")
    assert done.returncode == 5 and "config.yaml" in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(deqn.FileError, match="does not hold a finished run"):
        deqn.load(tmp_path / "run")
