"""Continuation: from an easier economy along a line of parameters, as far as residuals allow."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import deqn
from conftest import economy, settings
from deqn.configuration.composition import compose
from deqn.configuration.job import prepare_job
from deqn.configuration.validation import validate
from deqn.runs import continuation
from deqn.runs.continuation import GOOD, Line, NoWay, follow, measure_error, move
from deqn.system.errors import FileError, InputError

MISTAKES = {
    "continuation.gama=[1,2]": "unknown key 'continuation.gama': did you mean 'gamma'",
    "continuation.gamma=2": r"continuation.gamma=2 is no way; write continuation.gamma=\[FROM,TO\]",
    "continuation.gamma=[2]": "is no way",
    "continuation.gamma=[-1,2]": r"continuation.gamma=\[-1,2\] is outside",
    "continuation.gamma=[1,3]": "ends at 3, and model.gamma is 2.0; its last value has to be that",
    "continuation.gamma=[1,2] continuation.beta=[0.9,0.92,0.99]": "have 2 and 3 values; they move together",
    "continuation.gamma=[1,2] start=elsewhere": "start and continuation are both given",
    "continuation.gamma=[1,2] pseudo_states.beta=[0.94,0.99]": "continuation leads to one economy",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_named(words):
    given = ["model=stochastic_growth", "model.gamma=2", "model.beta=0.99", *words.split()]
    with pytest.raises(InputError, match=MISTAKES[words]):
        prepare_job(given)


def test_a_line_goes_through_all_values_of_all_parameters():
    line = Line({"a": [1, 2, 4], "b": [0, 10, 0]})
    assert line.end == 2 and line.at(0.5) == {"a": 1.5, "b": 5} and line.at(1.5) == {"a": 3, "b": 5}


def test_a_job_on_the_way_keeps_all_words_but_those_that_lead():
    words = ["model=stochastic_growth", "model.gamma=8", "continuation.gamma=[1,8]", "network.hidden=[5]"]
    job = move(prepare_job(words), {"gamma": 3.5})
    assert job.model.gamma == 3.5 and job.settings.continuation == {} and job.settings.network.hidden == [5]
    assert not job.settings.evaluation.figures and job.settings.train.target == job.settings.tolerance


def test_residuals_of_a_policy_in_another_economy_grow_with_the_distance():
    start = SimpleNamespace(economy=economy("model=stochastic_growth"), settings=settings("model=stochastic_growth"))
    gammas = (2, 2.5, 4)
    models = [validate(compose(["model=stochastic_growth", f"model.gamma={g}"]).config) for g in gammas]
    errors = [measure_error(start, kind(**parameters(chosen))) for chosen, kind in models]
    assert errors[0] < errors[1] < errors[2]


def parameters(chosen):
    return {name: value for name, value in chosen.model.items() if name != "_target_"}


@pytest.fixture
def way(monkeypatch):
    """`follow` on the way of gamma from 1 to 8 with solutions that are made up, and what it asked for.

    `far` and `reachable` are how far residuals allow to go from a solution, and how far one is solved.
    """

    def walk(folder, far, reachable, broken=(), stopped=None):
        asked = []

        def solve(job, place):
            asked.append((job.settings.start, job.model.gamma))
            place.mkdir(parents=True)
            before = 1.0 if job.settings.start is None else float(Path(job.settings.start).name.split("=")[1])
            status = "interrupted" if len(asked) == stopped else "converged"
            bad = job.model.gamma - before > reachable or job.model.gamma in broken
            result = SimpleNamespace(path_error=SimpleNamespace(mean=1.0 if bad else 1e-7), tolerance=1e-6,
                                     stable=True, status=status, final=True, seconds={"total": 0.4})  # fmt: skip
            return SimpleNamespace(result=result, folder=place, gamma=job.model.gamma)

        monkeypatch.setattr(continuation, "measure_error",
                            lambda solution, model: 2 * GOOD * (model.gamma - solution.gamma > far))  # fmt: skip
        said, words = [], ["model=stochastic_growth", "model.gamma=8", "continuation.gamma=[1,8]"]
        job = prepare_job(words)
        return follow(job, folder, solve, said.append), asked, said

    return walk


def test_the_run_starts_where_its_residuals_allow(way, tmp_path):
    reached, asked, said = way(tmp_path, far=10, reachable=10)
    assert [w.record.values for w in reached] == [{"gamma": 1.0}] and asked == [(None, 1.0)]
    assert len(said) == 1 and said[0].startswith("gamma=1: mean error 1.0e-07 after ")


def test_residuals_shorten_the_steps(way, tmp_path):
    reached, asked, _ = way(tmp_path, far=2, reachable=10)
    gammas = [w.record.values["gamma"] for w in reached]
    assert (np.diff(gammas) <= 2).all() and 8 - gammas[-1] <= 2 and len(gammas) > 3
    starts = [None, *(str(w.solution.folder) for w in reached[:-1])]
    assert [start for start, _ in asked] == starts


def test_a_step_that_is_not_solved_is_halved(way, tmp_path):
    reached, asked, said = way(tmp_path, far=5, reachable=2)
    gammas = [w.record.values["gamma"] for w in reached]
    assert gammas[:2] == [1.0, 2.75] and [gamma for _, gamma in asked[:3]] == [1.0, 4.5, 2.75]
    assert said[1].startswith("gamma=4.5: mean error 1.0e+00 after")


@pytest.mark.parametrize("stopped", [1, 2])
def test_a_signal_ends_the_way_where_it_is(way, tmp_path, stopped):
    """Also at a solution that it left unfinished, from which the run then starts and ends."""
    reached, asked, _ = way(tmp_path, far=2, reachable=1, stopped=stopped, broken=[1.0] if stopped == 1 else [])
    assert len(asked) == stopped == len(reached) and reached[-1].is_interrupted


def test_a_way_that_ends_says_how_far_it_came(way, tmp_path):
    with pytest.raises(NoWay, match=r"came as far as gamma=1: .*, in .*gamma=1; beyond it gamma=1.219") as failed:
        way(tmp_path, far=5, reachable=0.1)
    assert failed.value.exit_code == 4
    with pytest.raises(NoWay, match="does not begin: gamma=1: mean error 1.0e.00"):
        way(tmp_path / "again", far=5, reachable=2, broken=[1.0])


def test_solutions_of_a_run_that_was_stopped_are_read(way, tmp_path, monkeypatch):
    first, asked, _ = way(tmp_path, far=2, reachable=10)
    known = {w.solution.folder: w.solution for w in first}

    def load(folder):
        if folder not in known:
            raise FileError("none")
        return known[folder]

    monkeypatch.setattr(continuation, "load_solution", load)
    del known[first[-1].solution.folder]
    again, anew, _ = way(tmp_path, far=2, reachable=10)
    assert [w.record.values for w in again] == [w.record.values for w in first]
    assert anew == asked[-1:]


@pytest.mark.slow
def test_a_run_goes_over_solutions_that_can_be_loaded(tmp_path):
    words = ["model.gamma=6", "continuation.gamma=[1,3,6]", "evaluation.figures=false", "evaluation.reference=false"]
    solution = deqn.solve("stochastic_growth", words, folder=tmp_path / "run", quiet=True)
    record = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert record["status"] == "converged" and record["start"]["taken"] == "run"
    way = [waypoint["values"]["gamma"] for waypoint in record["start"]["continuation"]]
    assert way == [1.0, 3.0] and record["seconds"]["continuation"] > 1
    direct = deqn.solve("stochastic_growth", ["model.gamma=6", *words[2:]], folder=tmp_path / "direct", quiet=True)
    at = {"k": [4.0, 6.0, 8.0], "z": [-0.1, 0.0, 0.1]}
    np.testing.assert_allclose(solution.policy(at)["c"], direct.policy(at)["c"], rtol=1e-5)
    assert deqn.load(tmp_path / "run" / "continuation" / "gamma=3").result.parameters["gamma"] == 3
    assert deqn.load(tmp_path / "run").result.start.continuation[0].values == {"gamma": 1.0}
    more = ["resume=" + str(tmp_path / "run"), "optimizer.polish=2500"]
    resumed = deqn.solve("stochastic_growth", more, quiet=True)
    assert [waypoint.values for waypoint in resumed.result.start.continuation] == [{"gamma": 1.0}, {"gamma": 3.0}]
