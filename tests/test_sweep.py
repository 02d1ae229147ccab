"""Sweeps: the summary of whatever became of the jobs, and launchers that run them beside each other."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_html_report import Page

from command_line import SHORT, deqn_solve
from deqn.reporting.figures import draw_against_setting, draw_sweep
from deqn.sweeps.sweep import summarize


def finished(folder, status, mean, seconds):
    """What a job that came to its end leaves behind, as far as the summary of a sweep reads it."""
    folder.mkdir()
    found = {
        "status": status, "tolerance": 1e-4, "signal": None, "stable": mean != 1e-7,
        "euler_errors": {"path": {"all": {"mean": mean, "max": mean and 3 * mean}}},
        "seconds": {"total": seconds, "import": 2.0}, "stability": {"decaying": 1.02},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(found))


def test_the_summary_tells_what_became_of_each_job(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    statuses = ("converged", "not_converged", "not_converged", "diverged")
    for n, (status, mean) in enumerate(zip(statuses, (1e-6, 2e-3, 1e-7, None), strict=True)):
        finished(tmp_path / str(n), status, mean, 5.0 + n)
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "failure.json").write_text(json.dumps({"code": 2, "reason": "loss.weights.nope: [equations]"}))
    (tmp_path / "5").mkdir()
    finished(tmp_path / "7", "converged", 1e-6, 3.0)  # and failed after its verdict
    (tmp_path / "7" / "failure.json").write_text(json.dumps({"code": 5, "reason": "cannot write figures/policies.png"}))
    (tmp_path / "1" / "report.html").write_text("")
    jobs = [[f"seed={n}", "network.activation=[relu]", "+loss.weights.euler=1", "hydra/launcher=x"] for n in range(8)]
    assert summarize(tmp_path, jobs) == 5
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines() if str(tmp_path) not in line)
    assert "seed" in shown and "network.activation" not in shown
    shown = " ".join(shown.split())
    for line in (
        "job 1: mean path error 2.0e-03, tolerance 0.0001",
        "job 2: mean path error 1.0e-07, tolerance 0.0001; paths leave the steady state ",
        "job 3: diverged; mean path error -, tolerance 0.0001",
        "job 4: loss.weights.nope: [equations]",
        "job 5: it has no result",
        "job 7: cannot write figures/policies.png",
        "job 6: it did not run",
    ):
        assert line in shown
    rows = pd.read_csv(tmp_path / "summary.csv")
    assert list(rows["status"]) == [*statuses, "failed", "failed", "not_run", "failed"]
    assert list(rows["code"]) == [0, 4, 4, 3, 2, 1, 1, 5] and list(rows["loss.weights.euler"]) == [1] * 8
    page = Page((tmp_path / "report.html").read_text())
    assert page.rows[2][1:] == ["1", "not_converged", "2.0e-03", "6.0e-03", "6"]
    assert ["4", "loss.weights.nope: [equations]"] in page.rows
    assert [a["href"] for a in page.all("a")] == ["1/report.html"]
    assert [i["src"][:22] for i in page.all("img")] == ["data:image/png;base64,"]
    assert "hydra/launcher" not in rows and (tmp_path / "figure.png").stat().st_size > 1000


def panel(values, errors):
    """The axes on which errors stand against one setting."""
    ax = Figure().subplots()
    draw_against_setting(ax, pd.DataFrame({"x": values, "mean": errors}), "x")
    return ax


def test_numbers_have_a_numeric_axis_and_seeds_are_pooled_to_a_median():
    ax = panel(["0.001", "1.0", "0.001", "0.001"], [1e-3, 1e-5, 2e-3, 9e-3])
    assert ax.get_xscale() == "log"
    (dots,) = (line for line in ax.lines if line.get_label() == "each")
    assert list(dots.get_xdata()) == [0.001, 1.0, 0.001, 0.001]
    (medians,) = (line for line in ax.lines if line.get_label() == "median")
    np.testing.assert_allclose(medians.get_ydata(), [2e-3, 1e-5])
    assert panel(["1", "2"], [1e-3, 1e-4]).get_xscale() == "linear"


def test_words_stand_beside_each_other():
    ax = panel(["[16]", "[8,8]", "[16]"], [1e-3, 1e-5, 2e-3])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["[16]", "[8,8]"]
    assert list(ax.lines[0].get_xdata()) == [0, 1, 0]


@pytest.mark.parametrize("varied", [[], ["seed"], ["seed", "a"], [f"k{i}" for i in range(12)]])
def test_the_figure_has_room_for_any_sweep(tmp_path, varied):
    rows = pd.DataFrame({name: ["1", "2", "x"] for name in varied} | {
        "mean": [1e-3, 0.0, None], "seconds": [3.0, 4.0, None], "import_seconds": [2.0, 0.0, None],
    })  # fmt: skip
    draw_sweep(rows, varied, "3 jobs", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_beside_each_other_end_with_the_same_summary(tmp_path, launcher):
    words = ("-m", f"hydra/launcher={launcher}", "+loss.weights={euler:1},{nope:1}", *SHORT)
    limit = ("hydra.launcher.n_jobs=2",) if launcher == "joblib" else ("hydra.launcher.timeout_min=5",)
    done = deqn_solve(tmp_path, *words, *limit, OMP_NUM_THREADS="1")
    assert done.returncode == 2 and done.stderr == "", done.stderr
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    rows = pd.read_csv(folder / "summary.csv")
    assert list(rows["status"]) == ["converged", "failed"] and list(rows["code"]) == [0, 2]
    assert rows["reason"][1] == "loss.weights.nope: the model's equations are euler"
    assert f"job 1: {rows['reason'][1]}" in done.stdout
    logs = done.stdout if launcher == "joblib" else "".join(p.read_text() for p in folder.glob(".submitit/*/*_log.out"))
    lines = sorted(line for line in logs.splitlines() if line.startswith("["))
    assert re.match(r"\[0\] .*: converged, mean path error \S+, \d+ s$", lines[0])
    assert re.match(r"\[1\] .*: failed: loss.weights.nope: ", lines[1]) and len(lines) == 2
    recorded = json.loads((folder / "0" / "environment.json").read_text())
    assert recorded["command_line"][1:3] == list(words[:2]) and recorded["threads"]["intra_op"] == 1


@pytest.mark.parametrize("launcher, extra", [("joblib", "joblib"), ("submitit_slurm", "submitit")])
def test_a_launcher_that_is_not_installed_names_its_extra(tmp_path, launcher, extra):
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "__init__.py").write_text("")  # hides those that are installed
    done = deqn_solve(tmp_path, "-m", f"hydra/launcher={launcher}", "seed=0,1", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        f'deqn-solve: hydra/launcher={launcher} needs an extra of the package: pip install "deqn[{extra}]"\n'
    )


@pytest.mark.slow
def test_what_a_launcher_cannot_do_is_said_in_a_line(tmp_path):
    """There is no Slurm here."""
    done = deqn_solve(tmp_path, "-m", "hydra/launcher=submitit_slurm", "seed=0,1", PATH="")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "srun" in done.stderr
    assert done.stdout.count("it did not run") == 2
