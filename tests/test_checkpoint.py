"""Checkpoints of other releases are refused by name; the final policy is read whatever training kept beside it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from deqn.system.errors import FileError
from deqn.training.checkpoint import Checkpoints, read_policy, write_policy


class Solver(tf.Module):
    """The damping under the name that a release gives to it."""

    def __init__(self, name):
        super().__init__()
        setattr(self, name, tf.Variable(1.0))


def network(value):
    found = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    for w in found.weights:
        w.assign(tf.fill(w.shape, value))
    return found


@pytest.mark.parametrize("names", [("damping", "shift"), ("shift", "damping")])
def test_a_checkpoint_of_another_release_is_refused(tmp_path, names):
    before, now = (Checkpoints(tmp_path, network(1.0), solver=Solver(name)) for name in names)
    before.save()
    with pytest.raises(FileError, match="ckpt-1 is incomplete, damaged, .* or of another release of deqn: ") as refused:
        now.restore()
    assert "\n" not in str(refused.value)
    assert Checkpoints(tmp_path, network(2.0), solver=Solver(names[0])).restore() == []


def test_a_policy_is_read_without_what_training_kept(tmp_path):
    write_policy(tmp_path, network(3.0))
    read = network(0.0)
    read_policy(tmp_path, read)
    np.testing.assert_array_equal([np.ravel(w) for w in read.weights], [[3.0], [3.0]])
