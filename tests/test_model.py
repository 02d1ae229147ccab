"""Declarations need no TensorFlow; points answer for what they do not have."""

import subprocess
import sys

import numpy as np
import pytest

from deqn.model.declaration import Discrete, Normal, Point, Policy, State
from deqn.model.layout import box, labels, outcome_count, pack_row, shock_names
from deqn.models.growth import Growth


def test_declaring_a_model_does_not_import_tensorflow():
    code = """
import sys
from deqn import Model, Normal, Policy, State
type("M", (Model,), {"states": (State("k", 1, 2),), "policies": (Policy("s"),), "shocks": (Normal("e"),)})
sys.exit("tensorflow" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_point_names_what_it_has():
    now = Point({"k": 1.0, "c": 2.0})
    assert now.also({"y": 3.0}).y == 3.0 and now.k == 1.0
    with pytest.raises(AttributeError, match="no variable 'K' at this point; there are: k, c"):
        _ = now.K


def test_vectors_and_scalars_pack_side_by_side():
    states = (State("k", [1, 2], [3, 4], size=2), State("z", -1, 1))
    assert labels(states) == ["k[0]", "k[1]", "z"]
    low, high = box(states)
    np.testing.assert_array_equal([low, high], [[1, 2, -1], [3, 4, 1]])
    np.testing.assert_array_equal(pack_row({"z": 5, "k": 7, "other": 0}, states), [7, 7, 5])
    assert labels([Policy("a", size=1)]) == ["a[0]"]


def test_shocks_are_named_by_their_outcomes():
    discrete = Discrete({"a": [1, 2, 3], "b": np.zeros((2, 3))}, [0.2, 0.3, 0.5])
    assert shock_names([Normal("e"), discrete]) == ["e", "a", "b"] and outcome_count(discrete) == 3


def test_a_model_must_be_complete():
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (Growth.__base__,), {"states": ()})()
