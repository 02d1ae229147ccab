"""Figures are files that a reader can open, whatever the numbers in them."""

import numpy as np
import pandas as pd
import pytest

from deqn.reporting import figures


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"path": 0, "period": range(50), "k": rng.normal(5, 1, 50), "s": 0.3} | {
        f"a[{i}]": rng.normal(i, 1, 50) for i in range(12)
    })  # fmt: skip


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("broken", [np.nan, *(pytest.param(x, marks=pytest.mark.slow) for x in (None, np.inf, 1e300))])
def test_every_figure_is_drawn_even_of_a_diverged_economy(tmp_path, table, broken):
    if broken is not None:
        table[["k", "s"]] = broken
    metrics = pd.DataFrame({
        "step": [1, 2], "stage": ["adam", "levenberg_marquardt"], "seconds": [0.5, 1.5], "mean_euler": [1e-3, 1e-4],
        "max_euler": [1e-2, broken or 1e-3],
    })  # fmt: skip
    errors = {
        name: {"euler": np.full((1, 9), broken) if broken else np.geomspace(1e-9, 1, 9)} for name in ("path", "box")
    }
    figures.draw_training_curve(metrics, tmp_path / "training.png")
    figures.draw_error_distribution(errors, tmp_path / "errors.png")
    figures.draw_ergodic_distribution(table, ["k", "s", "a"], tmp_path / "distribution.png")
    figures.draw_impulse_responses({"eps": (table, table * 1.01)}, tmp_path / "responses.png")
    slices = {"k": table.assign(**{"exact s": 0.3})}
    figures.draw_policy_functions(slices, ["s", "a"], tmp_path / "policies.png", "closed form")
    assert all(is_png(p) for p in tmp_path.iterdir()) and len(list(tmp_path.iterdir())) == 5


def test_long_vectors_are_thinned_evenly():
    assert figures.spread_evenly([f"a[{i}]" for i in range(56)], 3) == ["a[0]", "a[28]", "a[55]"]
    assert figures.spread_evenly(["k"], 3) == ["k"]


def test_components_are_found_by_name(table):
    assert figures.find_components(table, "k") == ["k"] and len(figures.find_components(table, "a")) == 12


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The figures that a test draws."""
    kept = []
    monkeypatch.setattr(figures, "save", lambda figure, path: kept.append(figure))
    return kept


def test_a_training_that_was_measured_once_is_seen(drawn):
    metrics = pd.DataFrame({"stage": ["bfgs"], "seconds": [0.5], "mean_euler": [1e-3], "max_euler": [1e-2]})
    figures.draw_training_curve(metrics, "training.png")
    assert [line.get_marker() for line in drawn[0].axes[0].lines] == [".", "."]  # a line needs two points


def test_policies_show_start_network_and_closed_form(drawn):
    k = np.linspace(1, 2, 5)
    values = {"s": k, "a[0]": k, "a[1]": 2 * k}
    lines = {"": 0.0, "start ": 0.1, "exact ": 0.0}
    table = {kind + name: value + shift for name, value in values.items() for kind, shift in lines.items()}
    slices = {"k": pd.DataFrame({"k": k} | table)}
    figures.draw_policy_functions(slices, ["s", "a"], "policies.png", "closed form")
    scalar, vector = drawn[0].axes
    assert [line.get_label() for line in scalar.lines] == ["start of training", "network", "closed form"]
    assert [line.get_label() for line in vector.lines][:3] == ["start of training", "a[0]", "closed form"]
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == ["start of training", "network", "closed form", "a[0]", "a[1]"]
    looks = {(line.get_color(), line.get_linestyle()) for line in scalar.lines}
    assert len(looks) == 3  # also without colour: dotted, solid, dashed
    np.testing.assert_allclose(scalar.lines[0].get_ydata() - scalar.lines[1].get_ydata(), 0.1)
