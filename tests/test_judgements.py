"""The verdict as a list of judgements: what each measures stands in the summary, and the status follows from all."""

import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from deqn.evaluation.judgements import JUDGEMENTS, Judgement, decide_status, judge, measure_left_box
from deqn.evaluation.records import Distance, Sample, WorstEquation
from deqn.model.layout import box
from deqn.runs.verdict import compose_case


@pytest.fixture(scope="module")
def case(growth):
    """A small case of a solution that has converged."""
    settings = replace(growth.settings, evaluation=replace(growth.settings.evaluation, paths=2, periods=5, box=16))
    return compose_case(replace(growth, settings=settings), growth.finer_economy)


@pytest.mark.parametrize("trained, error, decisions, status", [
    ("stopped", 1e-9, [True, True, None], "converged"),
    ("stopped", 1e-9, [None, None], "converged"),
    ("stopped", 1e-9, [True, False, None], "not_converged"),
    ("evaluated", 1e-9, [False], "not_converged"),
    ("stopped", math.nan, [True, True], "diverged"),
    ("stopped", math.inf, [False], "diverged"),
    ("diverged", 1e-9, [True], "diverged"),
    ("interrupted", 1e-9, [True], "interrupted"),
    ("interrupted", math.nan, [False], "interrupted"),
])  # fmt: skip
def test_the_status_follows_from_what_decides(growth, trained, error, decisions, status):
    worst = {"path": WorstEquation("euler", error)}
    assert decide_status(replace(growth.result, status=trained, worst_equation=worst), decisions) == status


def test_where_paths_leave_the_box_stands_in_the_summary(case):
    low, high = (x[0] for x in box(case.economy.model.states))
    inside = np.linspace(low, high, 96)
    path = tf.constant(np.concatenate([inside, [low - 1, high + 1, high + 2, np.nan]])[:, None])
    measured = measure_left_box(replace(case, sets={"path": path}))["left_box"]["k"]
    assert measured == {"below": 1 / 99, "above": 2 / 99, "lowest": low - 1, "highest": high + 2, "lower": low,
                        "upper": high}  # fmt: skip
    assert measure_left_box(replace(case, sets={"path": path[:96]})) == {"left_box": {}}
    assert measure_left_box(replace(case, sets={"path": path[-1:]})) == {"left_box": None}


def test_path_errors_stability_and_distance_decide_and_nothing_else(case):
    summary = judge(case)
    decisions = {j.name: j.passes(summary) for j in JUDGEMENTS}
    assert decisions.pop("path errors") is decisions.pop("stability") is decisions.pop("distance") is True
    assert set(decisions.values()) == {None} and summary.status == "converged"
    too_strict = replace(case, trained=replace(case.trained, tolerance=1e-30))
    unstable = [replace(j, measure=lambda case: {"stable": False}) if j.name == "stability" else j for j in JUDGEMENTS]
    assert judge(too_strict).status == judge(case, unstable).status == "not_converged"


@pytest.mark.parametrize("radius, mean, share, passes", [
    (1.03, 1e-9, 1e-9, False),  # expectations feed on themselves
    (1.01, 1e-9, 1e-9, True),
    (0.99, 1e-2, 0.06, False),  # six percent of the policy
    (0.99, 1e-2, 0.04, True),
    (0.99, 1e-6, 0.06, True),  # of nearly nothing
])  # fmt: skip
def test_small_residuals_that_add_up_to_large_distances_do_not_pass(case, radius, mean, share, passes):
    found = Distance(
        radius, {"s": {"mean": mean, "max": mean, "share": share}, "m": {"mean": 1.0, "share": 1.0}}, ["m"]
    )
    changed = [replace(j, measure=lambda case: {"distance": found}) if j.name == "distance" else j for j in JUDGEMENTS]
    assert (judge(case, changed).status == "converged") == passes


def test_a_judgement_that_does_not_decide_is_measured_and_changes_no_status(case):
    sample = Sample(periods=1, needed=None, at_rest=False, burn_in=0)
    new = Judgement("new", lambda case: {"sample": sample}, passes=lambda summary: None)
    found = judge(case, [*JUDGEMENTS, new])
    assert found.sample == sample and found.status == "converged"
    assert judge(case, [*JUDGEMENTS, replace(new, passes=lambda summary: False)]).status == "not_converged"


def test_what_does_not_apply_is_not_measured(case):
    """Growth has a closed form, so that no reference is asked for."""
    never = Judgement("never", lambda case: pytest.fail("it was measured"), applies=lambda case: False)
    found = judge(case, [*JUDGEMENTS, never])
    assert found.closed_form is not None and found.reference is None
    path = judge(replace(case, sets={"path": case.sets["path"]}))
    assert list(path.euler_errors) == list(path.worst_equation) == ["path"]
