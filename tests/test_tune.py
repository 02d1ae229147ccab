"""Searches: what can be declared, what is pruned and what is best, and a search that is killed and goes on."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console

from command_line import CANARY
from deqn.configuration.composition import compose
from deqn.evaluation.summary import Summary
from deqn.sweeps import tune
from deqn.sweeps.space import declare_search
from deqn.sweeps.trial import Outcome, nest_overrides
from deqn.system.errors import FileError, InputError
from deqn.system.files import lock_file

SHORT = (
    "model=growth",
    "model.delta=0.5",  # without a closed form, which the anchor would be already
    "network.anchor=steady_state",
    "optimizer=adam",
    "train.steps=200",
    "train.report_every=100",
    "evaluation.box=64",
    "evaluation.figures=false",
    "tolerance=0.5",
    "train.finish=true",
)


def deqn_tune(*arguments):
    return [sys.executable, "-c", "from deqn.commands.tune import main; main()", *arguments]


def search(*words):
    """A declared search on top of short trials."""
    return declare_search([*SHORT, *words], None)


def test_the_space_is_declared_in_hydras_words():
    space = search(
        "network.hidden=choice([4],[8,8])",
        "network.activation=tanh,silu",
        "optimizer.learning_rate=tag(log,interval(1e-4,1e-1))",
        "train.batch=interval(16,64)",
        "train.epochs=range(1,8,2)",
        "sampling.box_share=range(0,1,0.25)",
    ).space
    assert space == {
        "network.hidden": CategoricalDistribution(("[4]", "[8,8]")),
        "network.activation": CategoricalDistribution(("tanh", "silu")),
        "optimizer.learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "train.batch": IntDistribution(16, 64),
        "train.epochs": IntDistribution(1, 7, step=2),
        "sampling.box_share": FloatDistribution(0, 0.75, step=0.25),
    }
    assert tune.list_points(space["sampling.box_share"]) == [0, 0.25, 0.5, 0.75]


BAD = {
    (): "nothing to search",
    ("network.hiden=[4],[8]",): "did you mean 'network.hidden'",
    ("optimizer=adam,adma",): "optimizer=adma",
    ("train.steps=choice(1",): "cannot read",
    ("train.steps=range(5,1)",): "no number in this range",
    ("optimizer.learning_rate=interval(1,0.1)",): "lower end is not below",
    ("optimizer.learning_rate=interval(0,0.1)",): "outside (0, inf)",
    ("optimizer.learning_rate=tag(log,interval(0,1))",): "above zero",
    ("train.batch=interval(1.5,8)",): "train.batch",
    ("train.batch=16,1000000",): "exceeds the states of a cycle",
    ("network.hidden=[4],[8]", "optimizer.damping=interval(1e-4,1)"): "not used by adam",
    ("network.hidden=[4],[8]", "trials=0"): "trials=0",
    ("network.hidden=[4],[8]", "~train.seconds"): "no meaning in a search",
    ("network.hidden=[4],[8]", "hydra/launcher=joblib"): "no meaning in a search",
    ("seed=0,1",): "seed cannot be searched",
    ("expectation.nodes=1,5",): "how errors are measured",
    ("model.beta=interval(0.9,0.99)",): "what is solved",
}


@pytest.mark.parametrize("words", BAD)
def test_a_space_that_makes_no_sense_is_refused(words):
    with pytest.raises(InputError) as refused:
        search(*words)
    assert BAD[words] in str(refused.value)


@pytest.mark.parametrize("argument", ["seed=0,1", "-m", "resume=somewhere"])
def test_bad_input_is_answered_in_a_line_and_without_tensorflow(tmp_path, argument):
    (tmp_path / "canary" / "tensorflow").mkdir(parents=True)
    (tmp_path / "canary" / "tensorflow" / "__init__.py").write_text(CANARY)
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "canary")}
    done = subprocess.run(deqn_tune(argument), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["canary"]


def test_without_optuna_the_extra_is_named(tmp_path):
    words = "import sys; sys.modules['optuna'] = None; from deqn.commands.tune import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", words, "train.steps=1,2"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == 'deqn-tune: deqn-tune needs an extra of the package: pip install "deqn[tune]"\n'


def test_a_database_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "study.db").write_text("no database")
    with pytest.raises(FileError, match="study.db"):
        tune.run_search(search("train.steps=1,2", f"study={tmp_path}"), Console(quiet=True))


def test_a_folder_holds_one_search_at_a_time(tmp_path):
    one, other = search("train.steps=1,2", f"study={tmp_path}"), search("train.steps=1,3", f"study={tmp_path}")
    tune.open_study(one)
    tune.open_study(dataclasses.replace(one, trials=7))  # more trials are the same search
    with pytest.raises(InputError, match="holds another search"):
        tune.open_study(other)
    with lock_file(tmp_path / "lock", "search"), pytest.raises(FileError, match="in use"):
        tune.run_search(one, Console(quiet=True))


def test_a_trial_is_behind_after_as_much_training_and_not_before():
    others = [{0: 1.0, 1000: x, 9000: 1e-9} for x in (1e-4, 2e-4, 3e-4, 4e-4, 1.0)]
    assert tune.is_behind({500: 1.0, 2000: 3.1e-3}, others)
    assert not tune.is_behind({500: 1.0, 2000: 2.9e-3}, others)
    assert not tune.is_behind({500: 2.9e-3, 2000: 1.0}, others)  # the best counts
    assert not tune.is_behind({500: 3e-3}, others)  # the others were at 1, too
    assert tune.is_behind({500: math.inf, 2000: math.inf}, others)  # errors that are not finite
    assert not tune.is_behind({0: math.inf, 2000: 1e-5}, others)
    assert not tune.is_behind({2000: 1.0}, others[1:])  # too few to know


def test_an_error_that_is_not_finite_is_a_failure_and_counts(tmp_path):
    study = tune.open_study(search("train.steps=1,2", f"study={tmp_path}"))
    summary = {"euler_errors": {"path": {"all": {"mean": math.nan, "max": math.nan}}}, "status": "not_converged",
               "seconds": {"total": 3.0, "import": 1.0}}  # fmt: skip
    assert "not finite" in tune.tell_outcome(study, study.ask(), Outcome(summary=Summary.from_json(summary)))
    assert len(tune.list_ended(study)) == 1 and study.trials[0].user_attrs["reason"]


def test_zero_is_no_count_where_the_setting_is_a_share():
    space = search("optimizer=sgd", "optimizer.options.momentum=interval(0,0.9)").space
    assert space == {"optimizer.options.momentum": FloatDistribution(0.0, 0.9)}


def known(words, value, seconds, key="train.steps", **reports):
    """A trial that has ended."""
    return create_trial(
        params={key: words}, value=value, intermediate_values=reports.get("reports"),
        distributions={key: CategoricalDistribution(("1", "2"))},
        user_attrs={"status": "converged", "max": value, "seconds": seconds, "import_seconds": 2.0},
    )  # fmt: skip


def test_of_equal_errors_the_faster_is_the_best(tmp_path):
    study = tune.open_study(search("train.steps=1,2", f"study={tmp_path}"))
    for n, (error, seconds) in enumerate([(2e-6, 3.0), (1.04e-6, 9.0), (1.01e-6, 12.0), (1.0e-6, 11.0)]):
        study.add_trial(known("12"[n % 2], error, seconds))
    assert [t.value for t in tune.rank_trials(study)] == [1.04e-6, 1.0e-6, 1.01e-6, 2e-6]


def test_a_trial_far_behind_is_pruned(tmp_path, monkeypatch):
    chosen = search("train.steps=2000,4000", f"study={tmp_path}")
    study = tune.open_study(chosen)
    for _ in range(tune.AT_LEAST):
        study.add_trial(known("1", 1e-9, 3.0, key="seed", reports={0: 1e-9}))
    monkeypatch.setattr(
        tune, "solve_trial", lambda composition, folder, console, name, judge: Outcome(reason=judge(1.0, 0.5))
    )
    assert tune.run_trial(study, chosen, Console(quiet=True)) is None
    (pruned,) = study.get_trials(states=[TrialState.PRUNED])
    assert "s of training" in pruned.user_attrs["reason"] and len(pruned.intermediate_values) == 1


TRIALS = """
import sys
from pathlib import Path
from rich.console import Console
from deqn.configuration.composition import compose
from deqn.system.lazy_tensorflow import import_tensorflow
import_tensorflow()
from deqn.sweeps.trial import solve_trial
words = sys.argv[1:]
for case in ("all", "pruned", "killed"):
    seen = []
    def judge(error, seconds):
        seen.append(error)
        if case == "killed":
            import os, signal
            (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
        return "far behind" if case == "pruned" and len(seen) == 2 else None
    outcome = solve_trial(compose(words), Path(case), Console(quiet=True), case, judge)
    print(case, len(seen), outcome.reason, outcome.code, outcome.summary and outcome.summary.status, sep="|")
"""


@pytest.mark.slow
def test_a_trial_reports_from_a_process_of_its_own(tmp_path):
    done = subprocess.run([sys.executable, "-c", TRIALS, *SHORT], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    everything, pruned, killed = (line.split("|") for line in done.stdout.splitlines())
    assert int(everything[1]) >= 2 and everything[2:] == ["None", "None", "converged"]
    assert pruned[1:] == ["2", "far behind", "None", "None"]
    assert killed[2:] == ["its process was killed by SIGKILL; was there too little memory?", "1", "None"]


def test_the_best_is_written_as_hydra_reads_it(tmp_path):
    overrides = ["optimizer=adam", "optimizer.learning_rate=0.5", "+loss.weights.euler=2", "network.hidden=[4,4]",
                 "sampling=ergodic", "model.delta=0.5", "seed=3", "pseudo_states.beta=[0.9,0.95]"]  # fmt: skip
    overrides = ["++" + o if o.startswith("pseudo") else o for o in overrides]
    (tmp_path / "tuned").mkdir()
    file = tmp_path / "tuned" / "best.yaml"
    content = OmegaConf.to_yaml(OmegaConf.create(nest_overrides("growth", overrides, None)))
    file.write_text(f"# @package _global_\n{content}")
    again = compose(["tuned=best", "seed=3"], str(tmp_path))
    assert again.name == "growth" and again.config == compose(["model=growth", *overrides]).config


@pytest.mark.slow
def test_a_killed_search_goes_on_and_its_best_is_solved_by_deqn_solve(forks, tmp_path):
    words = (*SHORT, "evaluation.reference=false", "network.hidden=choice([4],[8])", "study=here")
    running = subprocess.Popen(deqn_tune(*words), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "here" / "trials" / "1" / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.communicate()[0].count("trial") == 1
    done = subprocess.run(deqn_tune(*words), cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("trial 2: ") == 1 and "trial 3" not in done.stdout  # the space has two points
    rows = pd.read_csv(tmp_path / "here" / "trials.csv")
    assert sorted(rows["trial"]) == [0, 2] and set(rows["network.hidden"]) == {"[4]", "[8]"}
    assert rows["mean"].is_monotonic_increasing and (tmp_path / "here" / "figure.png").exists()
    best, hidden = rows["trial"][0], rows["network.hidden"][0]
    fresh = json.loads((tmp_path / "here" / f"best_trial_{best}" / "summary.json").read_text())
    assert fresh["seed"] == 1 and f"best: network.hidden={hidden}" in done.stdout
    both = (rows["mean"][0], fresh["euler_errors"]["path"]["all"]["mean"])
    assert f"mean path error {both[0]:.1e} under seed 0, which chose it; {both[1]:.1e} under seed 1" in done.stdout
    command = done.stdout.splitlines()[-1].split()
    assert command[0] == "deqn-solve"
    code, output = forks.run(tmp_path, *command[1:], "seed=1", "hydra.run.dir=again")
    assert code == 0, output
    again = json.loads(Path(tmp_path / "again" / "summary.json").read_text())
    assert again["euler_errors"] == fresh["euler_errors"]
