"""What a reader is told beside the table: every FAIL has its reason and something to try, by what the summary says."""

from copy import deepcopy

import pytest

from command_line import LITTLE
from deqn.evaluation.summary import Summary
from deqn.reporting.advice import (
    describe_distance,
    describe_failure,
    describe_left_box,
    describe_sample,
    describe_stability,
    describe_start,
    explain_distance,
    explain_instability,
)  # fmt: skip

STABLE = {"decaying": 0.9, "spectral_radius": 0.9, "unit_roots": [], "tested": True, "return_spread": 1e-4,
          "return_periods": 80.0, "lost": 0.0}  # fmt: skip
DRIFT = {"kind": "drift", "states": ["m"], "value": 1.0}
FAILED = {
    "status": "not_converged", "tolerance": 1e-6, "dtype": "float64", "stability": STABLE, "constraints": {},
    "euler_errors": {"path": {"all": {"mean": 1e-4}}, "box": {"all": {"mean": 2e-4}}},
    "worst_equation": {"path": {"equation": "euler", "mean": 1e-4}, "box": {"equation": "euler", "mean": 2e-4}},
    "training": {"ended": "steps", "problem": None, "lost_paths": 0, "error": 1e-4, "anchor": "linear", "nodes": 5,
                 "hidden": [16, 24]},
    "first_order": {"euler_errors": {"path": {"all": {"mean": 1e-2}}}},
    "sample": {"at_rest": False, "periods": 200, "burn_in": 100, "needed": 100},
}  # fmt: skip


def changed(**changes):
    """The failed run's summary with some of its entries replaced, `a__b=c` for the entry b of a."""
    summary = deepcopy(FAILED)
    for key, value in changes.items():
        *path, last = key.split("__")
        entry = summary
        for name in path:
            entry = entry[name]
        entry[last] = value
    return Summary.from_json(summary)


def tried(**changes):
    """The line of a failed run that says what to try."""
    *_, last = describe_failure(changed(**changes))
    assert last.startswith("To try: ") and last.endswith(".")
    return last


@pytest.mark.parametrize("changes, word", [
    ({}, "more steps (optimizer.polish"),
    ({"training__ended": "seconds"}, "train.seconds"),
    ({"training__ended": "misled"}, "optimizer.states=8000"),
    ({"dtype": "float32"}, "dtype=float64"),
    ({"worst_equation__box__mean": 2e-6}, "a wider box"),
    ({"worst_equation__box__mean": 1e-8}, "network.anchor=steady_state, another start; optimizer.states=8000"),
    ({"worst_equation__path__mean": None, "worst_equation__box__mean": 1e-8}, "network.anchor=steady_state"),
    ({"worst_equation__path__mean": float("nan"), "worst_equation__box__mean": 1e-8}, "network.anchor=steady_state"),
    ({"worst_equation__path__mean": None}, "a box that the paths do not leave; network.anchor=steady_state"),
    ({"training__error": 1e-5, "training__nodes": 15}, "To try: expectation.nodes=29;"),
    ({}, "network.hidden=[32,48]"),
    ({"stability__unit_roots": [DRIFT], "worst_equation__path__mean": None}, "what drifts has a resting point"),
    ({"first_order__euler_errors__path__all__mean": 1e-5}, "the first-order solution is better"),
    ({"constraints": {"path": {"mu": {}}}}, "[32,48] and more nodes, since kinks"),
    ({"worst_equation__path__mean": 1e-9}, "deqn-irf"),
    ({"worst_equation__path__mean": 1e-9, "stability__decaying": 1.02}, "solutions that explode"),
])  # fmt: skip
def test_what_to_try_follows_from_what_went_wrong(changes, word):
    assert word in tried(**changes)


def test_a_run_that_is_stuck_is_not_advised_to_take_more_steps():
    lines = list(describe_failure(changed(training__ended="stuck", training__problem="stuck (bfgs after 3 steps)")))
    assert lines[0] == "Stuck (bfgs after 3 steps)." and "more steps" not in lines[-1]


def test_nothing_is_advised_that_is_set_already():
    escaped = {"worst_equation__path__mean": None, "worst_equation__box__mean": 1e-8}
    assert "another start" not in tried(**escaped, training__anchor="steady_state")
    assert "more nodes" not in tried(constraints={"path": {"mu": {}}}, training__nodes=None)


def test_a_policy_that_holds_in_the_box_alone_is_called_no_equilibrium():
    *_, reason, _ = describe_failure(changed(worst_equation__path__mean=None, worst_equation__box__mean=1e-8))
    assert reason.startswith("The policy solves the equations in the box (1.0e-08)") and "no equilibrium" in reason
    *_, reason, _ = describe_failure(changed(training__error=1e-5))
    assert "nodes are too few" in reason


@pytest.mark.parametrize("status", ["converged", "interrupted"])
def test_a_run_that_did_not_fail_gets_no_advice(status):
    assert not list(describe_failure(changed(status=status)))


@pytest.mark.parametrize("changes, reason", [
    ({"stability__decaying": 1.02}, "paths leave the steady state (eigenvalue 1.0200)"),
    (dict.fromkeys(("stability__decaying", "stability__spectral_radius")), "(eigenvalue not finite)"),
    ({"stability__decaying": None, "stability__spectral_radius": 1.1}, "(eigenvalue 1.1000)"),  # an earlier release
    ({"stability__decaying": 1 + 1e-6}, "paths leave the steady state (eigenvalue 1+1e-06)"),
    ({"stability__lost": 0.25}, "25% of dispersed starts lead to where there are no numbers"),
    ({"stability__return_spread": 0.5}, "dispersed starts end 5.0e-01 of the box apart"),
])  # fmt: skip
def test_an_instability_is_told(changes, reason):
    assert explain_instability(changed(**changes).stability).endswith(reason)


@pytest.mark.parametrize("changes, words", [
    ({}, "dispersed starts end 1e-04 of the box apart"),
    ({"stability__tested": False, "stability__decaying": 0.9999}, "not tested whether dispersed starts meet"),
    ({"stability__tested": False, "stability__unit_roots": [DRIFT]}, "m drifts (eigenvalue 1"),
    ({"stability__unit_roots": [DRIFT | {"kind": "exogenous"}]}, "m has a unit root that no policy moves"),
    ({"stability__unit_roots": [DRIFT | {"kind": "conserved"}]}, "A combination of m is conserved"),
])  # fmt: skip
def test_stability_is_told(changes, words):
    assert words in " ".join(describe_stability(changed(**changes).stability))


def test_a_sample_that_remembers_its_start_is_called_so():
    assert not list(describe_sample(changed().sample))
    assert "moments that grow" in " ".join(describe_sample(changed(sample__at_rest=True).sample))
    assert not list(describe_sample(changed(sample__needed=float("inf")).sample))
    assert "forgotten after 3,000 dates" in " ".join(describe_sample(changed(sample__needed=3000).sample))


@pytest.mark.slow
def test_a_fail_ends_with_its_reason_and_what_to_try(forks, tmp_path):
    """Single precision cannot reach the tolerance."""
    words = (*LITTLE[:5], "optimizer.iterations=10", "optimizer.polish=0", "optimizer.states=200")
    code, output = forks.run(tmp_path, "model=stochastic_growth", "dtype=float32", "tolerance=1e-9", *words)
    assert code == 4 and "FAIL stochastic_growth" in output
    assert "To try: dtype=float64" in output.split("FAIL stochastic_growth")[1]


RUNGS = [{"stage": "time_iteration", "steps": 29, "seconds": 45.2, "error": 1e-3},
         {"stage": "bfgs", "steps": 2000, "seconds": 12.0, "error": 1e-5}]  # fmt: skip


def test_a_start_that_is_not_the_first_order_solution_is_told_with_the_way_that_was_taken():
    start = {"taken": "none", "errors": {"linear": None, "none": 1.2}, "rungs": RUNGS}
    assert [*describe_start(changed(start=start))] == [
        "Start: none, mean error 1.2e+00 (linear -); then time_iteration 29 in 45 s, bfgs 2,000 in 12 s."
    ]
    easy = {"taken": "linear", "errors": {"linear": 1e-3}, "rungs": RUNGS[1:]}
    assert not [*describe_start(changed(start=easy, status="converged"))] and not [*describe_start(changed())]
    again = {**easy, "rungs": RUNGS}  # the first-order solution led nowhere
    assert [*describe_start(changed(start=again))][0].startswith("Start: linear, mean error 1.0e-03; then time_it")
    misled = start | {"errors": {"linear": 0.03, "none": 1.2}, "misled": ["linear"]}
    assert "(linear 3.0e-02, whose paths leave); then" in next(describe_start(changed(start=misled)))
    solved = start | {"solved": {"none": 0.943}}
    assert next(describe_start(changed(start=solved))).startswith("Start: none, mean error 1.2e+00, solves 94% of the ")


def test_paths_that_leave_the_box_are_told_with_their_side():
    side = {"below": 0.03, "above": 0.002, "lowest": 0.1, "highest": 1.2, "lower": 0.5, "upper": 1.0}
    told = "Paths leave the box: n below 0.5 on 3.0% of dates, down to 0.1"
    assert [*describe_left_box(changed(left_box={"n": side}, status="converged"))] == [f"{told}."]
    more = "; n above 1 on 0.2% of dates, up to 1.2."
    assert [*describe_left_box(changed(left_box={"n": side}, status="not_converged"))] == [told + more]
    assert not [*describe_left_box(changed(left_box={}))] and not [*describe_left_box(changed())]


def test_points_at_which_paths_settle_are_named_with_their_shares():
    points = [{"states": {"k": 2.567, "z": 0.0}, "share": 0.75, "spectral_radius": 0.33},
              {"states": {"k": 0.5237, "z": 0.0}, "share": 0.25, "spectral_radius": 0.43}]  # fmt: skip
    (line,) = describe_stability(changed(stability={**STABLE, "rest_points": points}).stability)
    assert line.endswith("dispersed starts settle at k=2.567, z=0 (75%); k=0.5237, z=0 (25%).")


@pytest.mark.parametrize("radius, share, reason, line, advice", [
    (0.9, 1e-3, [], "estimated: 1.0e-02 in the mean (c, 1.0e-03 of its size)", None),
    (0.99, 0.16, ["c is about 16% from the solution"], "1.6e-01 of its size", "tolerance=1e-08"),
    (1.05, 1e-3, ["expectations feed on themselves (eigenvalue 1.0500)"], "by a factor of 1.050", "a stricter rule"),
])  # fmt: skip
def test_how_far_the_policies_are_is_told_and_why_that_fails(radius, share, reason, line, advice):
    far = {"c": {"mean": 1e-2, "max": 1.0, "share": share}, "m": {"mean": 1.0, "max": 1.0, "share": 1.0}}
    small = {f"worst_equation__{where}__mean": 1e-9 for where in ("path", "box")}
    summary = changed(distance={"radius": radius, "policies": far, "multipliers": ["m"]}, **small)
    assert list(explain_distance(summary)) == reason
    assert line in " ".join(describe_distance(summary))
    assert advice is None or advice in " ".join(describe_failure(summary))
    assert not list(describe_distance(changed()))
