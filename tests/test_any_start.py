"""Economies whose linear rule is no start, or that are not given one, solved by the default command."""

import numpy as np
import pytest
from small_economies import Household

import deqn


def solve(tmp_path, name, *overrides):
    place = tmp_path / "conf" / "model"
    place.mkdir(parents=True, exist_ok=True)
    (place / "own.yaml").write_text(f"_target_: small_economies.{name}\n")
    words = ["evaluation.figures=false", *overrides]
    return deqn.solve("own", words, folder=tmp_path / "".join(overrides), config_dir=str(place.parent), quiet=True)


@pytest.mark.slow
def test_linear_paths_that_leave_the_box(tmp_path):
    found = solve(tmp_path, "SmallOpen")
    start = found.summary["start"]
    assert start["errors"]["linear"] > 1e3 and start["taken"] != "linear"
    assert found.summary["status"] == "converged" and found.result.path_error.mean < 2e-5
    assert found.summary["stability"]["spectral_radius"] == pytest.approx(0.9967, abs=2e-3)


@pytest.mark.slow
def test_a_limit_with_a_multiplier_and_one_by_hand_are_the_same(tmp_path):
    own, by_hand = solve(tmp_path, "Search"), solve(tmp_path, "Search", "+model.by_hand=true")
    at = {"n": [0.7, 0.9, 0.9, 0.955, 0.955], "a": [0.0, -0.06, 0.06, -0.05, 0.0]}
    v, other = own.policy(at)["v"], by_hand.policy(at)["v"]
    assert own.summary["status"] == by_hand.summary["status"] == "converged"
    assert np.abs(v - other).max() < 1e-4 and v.min() > 0.1
    assert min(own.summary["start"]["errors"].values()) > 0.1  # no start is near


@pytest.mark.slow
@pytest.mark.parametrize("model", ["growth", "stochastic_growth", "irbc"])
def test_without_a_linear_rule(model, tmp_path):
    words = ["network.anchor=steady_state", "evaluation.figures=false", "evaluation.reference=false"]
    found = deqn.solve(model, words, folder=tmp_path / "run", quiet=True)
    assert found.summary["status"] == "converged"  # to the tolerance of the shelf
    assert found.summary["start"]["taken"] == "steady_state"


def save_on_a_grid(model, points=2001, top=6.0):
    """What a household with two incomes saves, [incomes, points], by the endogenous grid method."""
    grid, incomes = np.linspace(0, top, points), np.array([model.low, model.high])
    chances = np.array([[model.stay, 1 - model.stay], [1 - model.stay, model.stay]])
    cash = (1 + model.r) * grid + incomes[:, None]
    c = cash / 2
    for _ in range(2000):
        wanted = 1 / (model.beta * (1 + model.r) * chances @ (1 / c))  # if tomorrow begins at a point of the grid
        before, c = c, np.stack([np.interp(x, own + grid, own) for x, own in zip(cash, wanted, strict=True)])
        c = np.minimum(c, cash)
        if np.abs(c - before).max() < 1e-11:
            break
    return grid, cash - c


@pytest.mark.slow
@pytest.mark.parametrize("guessed", ["false", "true"])
def test_a_linear_rule_that_knows_one_side_of_a_limit_is_not_taken(guessed, tmp_path):
    found = solve(tmp_path, "Household", f"+model.guessed={guessed}")
    start = found.summary["start"]
    assert start["errors"]["linear"] < 0.1 and start["taken"] == ("guess" if guessed == "true" else "none")
    assert found.summary["status"] == "converged" and found.summary["stability"]["rests_nowhere"]
    grid, saved = save_on_a_grid(Household())
    at = np.linspace(0, 3, 61)
    for y, exact in zip((0.8, 1.2), saved, strict=True):
        table = found.policy({"a": at, "y": y})
        assert np.abs(table["s"] * table["cash"] - np.interp(at, grid, exact)).max() < 2e-3
    with pytest.warns(UserWarning, match="y=1 is no outcome of its chain.*: 0.8; 1.2"):
        found.policy({"a": 1.0, "y": 1.0})
