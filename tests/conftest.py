"""Fixtures shared by all tests: checked settings, built economies, and solutions that are solved once a session."""

import fcntl
import logging.config
import os
import signal
import sys
import time
from collections import namedtuple
from copy import deepcopy
from functools import cache, partial

import pytest

from command_line import ONE_STAGE, THREE_STAGES, Forks
from deqn.system.lazy_tensorflow import load_tensorflow

load_tensorflow()

from deqn.commands.solve import main  # noqa: E402
from deqn.configuration.composition import compose  # noqa: E402
from deqn.configuration.model_class import build_model, find_model_class  # noqa: E402
from deqn.configuration.validation import validate  # noqa: E402
from deqn.evaluation import closed_loop  # noqa: E402
from deqn.families.pseudo_states import gather_members  # noqa: E402
from deqn.runs import solution  # noqa: E402
from deqn.runs.ensemble import load  # noqa: E402
from deqn.runs.run import solve  # noqa: E402
from deqn.training.progress import Display  # noqa: E402

Done = namedtuple("Done", "returncode stdout stderr")
MODELS = ("growth", "stochastic_growth", "olg_analytic")


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="run the slow tests, too")


def pytest_collection_modifyitems(config, items):
    """Slow tests run with --all, with a choice of markers, or where one is named."""
    if config.getoption("--all") or config.option.markexpr or any("::" in word for word in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if item not in slow]
    config.hook.pytest_deselected(items=slow)


@cache
def validate_once(*overrides):
    return validate(compose(list(overrides)).config)[0]


def settings(*overrides):
    """The validated settings that the overrides make."""
    return deepcopy(validate_once(*overrides))


def make_model(parameters):
    """The model of `settings(...).model`."""
    return build_model(find_model_class(parameters["_target_"]), parameters)


def build(chosen, members=None, steady=None):
    """An untrained economy under some settings: of their own model, or of other members."""
    members = members or gather_members(make_model(chosen.model), chosen.pseudo_states)
    return solution.build_economy(members, chosen.network, chosen.expectation, chosen.seed, chosen.dtype, steady)


def economy(*overrides):
    """An untrained economy."""
    return build(settings(*overrides))


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """deqn-solve in this process, in an empty folder: what a subprocess would return, without its import."""

    monkeypatch.setattr(logging.config, "_clearExistingHandlers", lambda: None)  # one of them would close stderr

    def solve_here(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["deqn-solve", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return solve_here


class Sender:
    """Sends this process a signal when a stage, or the evaluation, has been met so many times since `plan`."""

    def plan(self, place: str, meetings: int = 0, number: int = signal.SIGTERM) -> None:
        self.place, self.left, self.number = place, meetings, number

    def meet(self, place: str) -> None:
        if place == self.place:
            if self.left == 0:
                self.sent = time.time()
                os.kill(os.getpid(), self.number)
            self.left -= 1


@pytest.fixture
def sender(monkeypatch):
    """Signals to this process at a place of the run."""
    found, shown = Sender(), Display.update
    found.plan("nowhere")
    monkeypatch.setattr(Display, "update", lambda self, s, loss: (shown(self, s, loss), found.meet(s.name)))
    assess = closed_loop.assess_stability
    monkeypatch.setattr(closed_loop, "assess_stability", lambda *asked: (found.meet("evaluation"), assess(*asked))[1])
    return found


@pytest.fixture(scope="session")
def forks():
    """deqn-solve in processes that need not import TensorFlow anew."""
    found = Forks()
    yield found
    found.close()


@pytest.fixture(scope="session")
def once(tmp_path_factory, testrun_uid):
    """Makes a run folder once for all test processes: the first that asks for it makes it, another waits."""

    def made(name, make):
        folder = tmp_path_factory.getbasetemp().parent / testrun_uid / name
        folder.parent.mkdir(exist_ok=True)
        with open(folder.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                make(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def one_stage(once, forks):
    """The folder of a run of ONE_STAGE that nothing interrupted."""
    return once("one_stage", partial(whole, forks, ONE_STAGE))


@pytest.fixture(scope="session")
def three_stages(once, forks):
    """The folder of a run of THREE_STAGES that nothing interrupted."""
    return once("three_stages", partial(whole, forks, THREE_STAGES))


def whole(forks, words, folder):
    code, output = forks.run(folder.parent, *words, f"hydra.run.dir={folder}")
    assert code == 0, output


@pytest.fixture(scope="session")
def solved(once):
    """Solves a model once for all test processes."""

    def solve_once(model, *overrides):
        return load(once(model, lambda folder: solve(model, overrides, folder=folder, quiet=True)))

    return solve_once


@pytest.fixture(scope="session")
def growth(solved):
    """Growth by savings shares, at its closed form, which the linear anchor would be already."""
    return solved("growth", "model.head=share", "network.anchor=steady_state", "optimizer.iterations=60")


@pytest.fixture(scope="session")
def stochastic(solved):
    """Stochastic growth, solved with the recommended numerics but a shorter polish."""
    return solved("stochastic_growth", "optimizer.polish=500")


@pytest.fixture(scope="session")
def olg(solved):
    """Overlapping generations with share heads."""
    return solved("olg_analytic", "network.anchor=steady_state", "network.hidden=[16,16]", "optimizer.states=1024")
