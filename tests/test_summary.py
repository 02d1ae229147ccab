"""summary.json and its typed values: nothing is lost on the way, and an earlier release's is read."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

import deqn
from deqn.evaluation.summary import Summary, read_summary
from deqn.reporting.report import compose_rows, print_verdict

STATISTICS = dict.fromkeys(("mean", "median", "p90", "p99", "p999", "max"), 1e-7)
EARLIER = {  # without the worst equation, unit roots, the sample and the record of training
    "model": "growth", "parameters": {"alpha": 0.36}, "pseudo_states": {}, "changed": {}, "status": "not_converged",
    "tolerance": 1e-4, "seed": 0, "dtype": "float64",
    "seconds": dict.fromkeys(("total", "import", "compile", "train", "evaluate", "report"), 1.0),
    "steps": {"adam": 10, "levenberg_marquardt": 0}, "states_visited": 100,
    "euler_errors": {where: {"euler": STATISTICS, "all": STATISTICS} for where in ("path", "box")},
    "policy_errors": {"closed_form": {}, "reference": {}}, "stable": False,
    "stability": {"spectral_radius": 1.1, "return_spread": 0.5, "return_distance": 0.4, "return_periods": 50},
    "first_order": {}, "constraints": {"path": {"m": {"share": 0.25, "binding": STATISTICS}}, "box": {}},
    "errors_by_thirds": {"path": {}, "box": {}}, "signal": None,
}  # fmt: skip


@pytest.mark.parametrize("name", ["growth", "stochastic", "olg"])
def test_a_summary_that_is_read_and_written_again_is_the_same(name, request):
    """With its keys in their order: a closed form, a reference solution, and none."""
    text = (request.getfixturevalue(name).folder / "summary.json").read_text()
    assert json.dumps(Summary.from_json(json.loads(text)).to_json(), indent=1) + "\n" == text


def test_parts_are_typed(growth):
    found = read_summary(growth.folder)
    assert found.final and found.signal is None and found.status == "converged"
    assert found.path_error.equation == "euler" and found.path_error == found.worst_equation["path"]
    assert found.stability.decaying == growth.summary["stability"]["decaying"] and found.training.hidden == [16, 16]
    assert found.closed_form.wrong is None and found.reference is None and found.sample.burn_in == 0


def test_what_is_not_finite_is_null_in_the_file_alone(growth):
    worst = replace(growth.result.path_error, mean=math.nan)
    found = replace(growth.result, worst_equation={"path": worst}, final=False, signal=None)
    assert math.isnan(found.path_error.mean) and found.to_json()["worst_equation"]["path"]["mean"] is None
    assert "signal" not in found.to_json() and not Summary.from_json(found.to_json()).final  # figures are still to come


def test_the_summary_of_a_user_is_its_own(growth):
    growth.summary["status"] = "changed"
    assert growth.summary["status"] == growth.result.status == "converged"


def test_a_summary_of_an_earlier_release_is_read(capsys):
    found = Summary.from_json(EARLIER)
    assert found.path_error.equation == "all" and found.path_error.mean == 1e-7
    assert found.training is found.sample is found.worst_equation is found.stability.decaying is None
    assert {key: found.to_json()[key] for key in EARLIER if key not in ("stability", "constraints")} == {
        key: value for key, value in EARLIER.items() if key not in ("stability", "constraints")
    }
    assert "path: m binding, 25.0%" in [row.label for row in compose_rows(found)]
    print_verdict(Console(), found, "folder")
    shown = capsys.readouterr().out
    assert (
        "FAIL growth: mean path error 1.0e-07, tolerance 0.0001; paths leave the steady state (eigenvalue 1.1000)"
        in " ".join(shown.split())
    )


def test_a_run_of_an_earlier_release_is_loaded(growth, tmp_path):
    for name in ("config.yaml", "checkpoints"):
        (tmp_path / name).symlink_to(growth.folder / name)
    (tmp_path / "summary.json").write_text(json.dumps(EARLIER))
    again = deqn.load(tmp_path)
    assert again.summary["euler_errors"]["path"]["all"]["mean"] == 1e-7
    assert repr(again).startswith("Solution(FAIL growth, mean path error 1.0e-07, ")


def test_reading_needs_no_tensorflow():
    program = "import sys, deqn.evaluation.summary, deqn.reporting.report; assert 'tensorflow' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
