"""Fixtures shared by all tests: checked settings, built economies, and solutions that are solved once a session."""

import logging.config
import os
import signal
import sys
import time
from collections import namedtuple

import pytest

from deqn.postponed import load_tensorflow

load_tensorflow()

from deqn import evaluate  # noqa: E402
from deqn.cli import main  # noqa: E402
from deqn.config import checked, composed  # noqa: E402
from deqn.progress import Display  # noqa: E402
from deqn.run import solve  # noqa: E402
from deqn.solution import build  # noqa: E402

Done = namedtuple("Done", "returncode stdout stderr")
MODELS = ("growth", "stochastic_growth", "olg_analytic")


def settings(*overrides):
    """The checked settings that the overrides make."""
    return checked(composed(list(overrides))[0])


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
    found, shown, stability = Sender(), Display.update, evaluate.stability
    found.plan("nowhere")
    monkeypatch.setattr(Display, "update", lambda self, s, loss: (shown(self, s, loss), found.meet(s.name)))
    monkeypatch.setattr(evaluate, "stability", lambda economy: (found.meet("evaluation"), stability(economy))[1])
    return found


@pytest.fixture(scope="session")
def growth(tmp_path_factory):
    """Growth at its closed form, which the linear anchor would be already."""
    overrides = ["network.anchor=steady_state", "optimizer.iterations=60"]
    return solve("growth", overrides, folder=tmp_path_factory.mktemp("growth"), quiet=True)


@pytest.fixture(scope="session")
def stochastic(tmp_path_factory):
    """Stochastic growth, solved with the recommended numerics but a shorter polish."""
    folder = tmp_path_factory.mktemp("stochastic_growth")
    return solve("stochastic_growth", ["optimizer.polish=500"], folder=folder, quiet=True)


@pytest.fixture(scope="session")
def olg(tmp_path_factory):
    """Overlapping generations with share heads."""
    overrides = ["network.anchor=steady_state", "network.hidden=[16,16]", "optimizer.states=1024"]
    return solve("olg_analytic", overrides, folder=tmp_path_factory.mktemp("olg"), quiet=True)
