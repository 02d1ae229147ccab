"""Fixtures shared by all tests: checked settings, built economies, and solutions that are solved once a session."""

import pytest

from deqn.postponed import load_tensorflow

load_tensorflow()

from deqn.config import checked, composed  # noqa: E402
from deqn.run import solve  # noqa: E402
from deqn.solution import build  # noqa: E402

MODELS = ("growth", "stochastic_growth", "olg_analytic")


def settings(*overrides):
    """The checked settings that the overrides make."""
    return checked(composed(list(overrides))[0])


def economy(*overrides):
    """An untrained economy."""
    return build(settings(*overrides))


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
