"""What is asked of a run that is finished, by the commands as a user types them."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml

import deqn
from conftest import economy
from deqn.commands import evaluate, irf
from deqn.configuration.job import list_differences, prepare_job
from deqn.economy.domain import Box, SobolPoints
from deqn.evaluation import responses

SHORT = ("optimizer.iterations=3", "optimizer.polish=0", "evaluation.figures=false", "tolerance=1",
         "train.finish=true")  # fmt: skip


def deqn_irf(folder, *arguments):
    program = [sys.executable, "-c", "from deqn.commands.irf import main; main()", *arguments]
    env = {**os.environ, "COLUMNS": "80"}
    return subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    folder = tmp_path_factory.mktemp("revisit") / "run"
    return deqn.solve("growth", [*SHORT, "model.head=share", "pseudo_states.beta=[0.9,0.95]"], folder, quiet=True)


@pytest.mark.slow
def test_responses_are_drawn_and_tabulated(family):
    done = deqn_irf(family.folder.parent, "run=run", "shock=k", "size=0.1", "periods=12", "beta=0.92")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(family.folder / "impulse_responses" / "k_0.1_beta=0.92.csv").pivot(
        index="period", columns="variable"
    )
    expected = family.irf("k", 0.1, 12, beta=0.92)
    np.testing.assert_allclose(table["deviation"]["k"], expected["k"], rtol=1e-12, atol=1e-15)
    assert "beta" not in expected and len(expected) == 13
    row = next(line for line in done.stdout.splitlines() if line.startswith(" k ")).split()
    assert row[1:3] == ["0.000", "10.000"] and float(row[3]) == pytest.approx(3.491, abs=0.01)  # 1.1^alpha - 1
    assert (family.folder / "impulse_responses" / "k_0.1_beta=0.92.png").read_bytes()[:4] == b"\x89PNG"
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_one_entry_of_a_vector_is_moved():
    """Of three shocks of two countries the last is common; capital of one country leaves the other's alone."""
    irbc = economy("model=irbc", "optimizer.polish=0")
    own, calm = responses.impulse_response(irbc, "eps[1]", -2.0, 3)
    assert own["z[1]"][1] - calm["z[1]"][1] == pytest.approx(-0.02) and own["z[0]"][1] == calm["z[0]"][1]
    common, _ = responses.impulse_response(irbc, "eps[2]", 1.0, 3)
    assert common["z[0]"][1] == common["z[1]"][1] == pytest.approx(0.01)
    moved, calm = responses.impulse_response(irbc, "k[0]", 0.1, 3)
    assert moved["k[0]"][1] == pytest.approx(1.1 * calm["k[0]"][1]) and moved["k[1]"][1] == calm["k[1]"][1]
    with pytest.raises(
        KeyError, match=r"no shock or state 'eps\[3\]'; there are eps\[0\] to eps\[2\], k\[0\] to k\[1\]"
    ):
        responses.impulse_response(irbc, "eps[3]", 1.0, 3)


def command(main, monkeypatch, folder, line):
    """The exit code of a command, called as the console script calls it, in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["deqn", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def evaluated(folder):
    """The newest evaluation of the run."""
    return json.loads((max((folder / "evaluations").iterdir(), key=os.path.getmtime) / "summary.json").read_text())


@pytest.mark.slow
def test_an_evaluation_repeats_the_verdict_and_another_seed_changes_it(family, monkeypatch, capsys):
    before = {p: p.read_bytes() for p in family.folder.iterdir() if p.is_file()}
    stored = json.loads((family.folder / "summary.json").read_text())
    assert command(evaluate.main, monkeypatch, family.folder.parent, "run=run") == 0
    again = evaluated(family.folder)
    for key in ("euler_errors", "policy_errors", "stability", "errors_by_thirds", "status"):
        assert again[key] == stored[key], key
    line = "run=run seed=5 evaluation.paths=7 evaluation.periods=3 tolerance=1e-30"
    assert command(evaluate.main, monkeypatch, family.folder.parent, line) == 4
    other = evaluated(family.folder)
    assert other["euler_errors"] != stored["euler_errors"] and other["status"] == "not_converged"
    assert "FAIL growth" in capsys.readouterr().out and other["overrides"] == line.split()[1:]
    assert before == {p: p.read_bytes() for p in family.folder.iterdir() if p.is_file()}


@pytest.mark.slow
def test_a_run_that_was_interrupted_is_judged_by_its_errors_alone(family, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(family.folder, tmp_path / "run")
    stored = json.loads((run / "summary.json").read_text())
    stale = {"status": "interrupted", "signal": 2, "reference": {"mean": 1.0, "max": 1.0}}
    (run / "summary.json").write_text(json.dumps(stored | stale))
    assert command(evaluate.main, monkeypatch, tmp_path, "run=run evaluation.paths=3") == 0
    found = evaluated(run)
    assert found["status"] == "converged" and "reference" not in found
    assert "PASS growth" in capsys.readouterr().out


def test_a_run_from_before_a_setting_came_is_read(family, tmp_path):
    run = shutil.copytree(family.folder, tmp_path / "run")
    text = (run / "config.yaml").read_text()
    assert "  box_scale: 1.0\n" in text
    (run / "config.yaml").write_text(text.replace("  box_scale: 1.0\n", ""))
    assert deqn.load(run).settings.evaluation.box_scale == 1.0
    now = yaml.safe_load(prepare_job(family_words(run)).config_yaml)
    assert not list_differences(now, run / "config.yaml")


def family_words(run):
    """The overrides that a run was made with."""
    return json.loads((run / "environment.json").read_text())["overrides"]


@pytest.mark.slow
def test_another_box_can_be_judged(stochastic, tmp_path, monkeypatch, capsys):
    """Errors grow towards the edges of the box and beyond."""
    run = shutil.copytree(stochastic.folder, tmp_path / "run")
    largest = []
    for scale in (0.5, 1, 1.3):
        words = f"run={run} evaluation.box_scale={scale} evaluation.paths=2 evaluation.reference=false"
        assert command(evaluate.main, monkeypatch, tmp_path, words) == 0
        largest.append(evaluated(run)["euler_errors"]["box"]["all"]["max"])
    assert largest[0] < largest[1] < largest[2]
    own = economy("model=stochastic_growth").model
    k = SobolPoints(Box(own), 64, 0, tf.float64, 0.5).points().numpy()[:, 0] / own.steady_state()["k"]
    assert 0.5 + 0.25 * 1.1 < k.min() and k.max() < 1.6 - 0.25 * 1.1


@pytest.mark.slow
def test_the_nodes_that_judge_can_be_chosen(tmp_path, monkeypatch):
    """Two nodes in place of many: a rule that is visibly wrong; many more: the same errors."""
    deqn.solve(
        "stochastic_growth", [*SHORT, "evaluation.reference=false", "model.sigma=0.2"], tmp_path / "run", quiet=True
    )
    means = {}
    for nodes in (1, 12, 24):
        plus = "++" * (nodes == 24)  # as Hydra takes it, too
        command(evaluate.main, monkeypatch, tmp_path, f"run=run {plus}expectation.nodes={nodes}")
        means[nodes] = evaluated(tmp_path / "run")["euler_errors"]["path"]["all"]["mean"]
    assert means[12] == pytest.approx(means[24], rel=1e-6) and abs(means[1] / means[24] - 1) > 0.2


BAD = {
    "shock=k": (2, "run=... is missing"),
    "run=run": (2, "shock=... is missing"),
    "run=nowhere shock=k": (5, "no finished run"),
    "run=run shock=q": (2, "no shock or state 'q'; there are k, beta"),
    "run=run shock=k size=abc": (2, "size=abc is not a number"),
    "run=run shock=k periods=inf": (2, "periods=inf is not finite"),
    "run=run shock=k size=-5": (2, "the response to k, -5 leads to where k is no number"),
    "run=run shock=k size=1 outcome=1": (2, "size and outcome are both given"),
    "run=run shock=k outcome=1": (2, "'k' has no outcomes; discrete shocks are none"),
    "run=run shock=k outcome=-1": (2, "outcome=-1 is not a whole number of at least 0"),
    "run=run shock=k periods=0": (2, "periods=0 is not a whole number of at least 1"),
    "run=run shock=k bta=.92": (2, "did you mean 'beta'?"),
    "run=run shock=k beta=.99": (2, "outside [0.9, 0.95]"),
    "run=run shock": (2, "key=value"),
}
BAD_EVALUATION = {
    "seed=1": (2, "run=... is missing"),
    "run=nowhere": (5, "no finished run"),
    "run=run model.alpha=0.3": (2, "model.alpha: of a run that is finished only evaluation, expectation"),
    "run=run evaluation.boxx=3": (2, "did you mean 'evaluation.box'?"),
    "run=run evaluation.box_scale=9": (2, "evaluation.box_scale=9 leads the state k to -"),
    "run=run evaluation.paths=0": (2, "outside [1, inf)"),
}


@pytest.mark.parametrize("main, line", [(irf.main, b) for b in BAD] + [
    (evaluate.main, b) for b in BAD_EVALUATION
])  # fmt: skip
def test_bad_input_is_answered_in_a_line(family, monkeypatch, capsys, main, line):
    code, message = (BAD | BAD_EVALUATION)[line]
    assert command(main, monkeypatch, family.folder.parent, line) == code
    out, err = capsys.readouterr()
    assert message in err and len(err.splitlines()) == 1 and out == ""


@pytest.mark.parametrize("main", [irf.main, evaluate.main])
def test_help_fits_a_terminal(monkeypatch, capsys, tmp_path, main):
    assert command(main, monkeypatch, tmp_path, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 8 and max(map(len, lines)) <= 80
