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
    """Growth at its closed form, solved with the recommended numerics."""
    return solve("growth", ["train.steps=4000"], folder=tmp_path_factory.mktemp("growth"), quiet=True)


@pytest.fixture(scope="session")
def stochastic(tmp_path_factory):
    """Stochastic growth, solved with the recommended numerics but fewer steps."""
    folder = tmp_path_factory.mktemp("stochastic_growth")
    return solve("stochastic_growth", ["train.steps=8000"], folder=folder, quiet=True)


@pytest.fixture(scope="session")
def olg(tmp_path_factory):
    """Overlapping generations with share heads."""
    overrides = ["train.steps=3000", "network.hidden=[32,32]", "sampling.paths=128"]
    return solve("olg_analytic", overrides, folder=tmp_path_factory.mktemp("olg"), quiet=True)
