import numpy as np
import pytest
import tensorflow as tf

from deqn.optimizers.weights import assign_flat, count_weights, flatten_weights, unflatten_weights


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_are_one_vector_in_their_order(dtype):
    variables = [tf.Variable(tf.zeros(shape, dtype)) for shape in ((2, 3), (3,), ())]
    numbers = np.arange(10.0) + 0.1
    assert count_weights(variables) == 10
    assign_flat(variables, numbers)
    np.testing.assert_array_equal(variables[0], np.array([[0, 1, 2], [3, 4, 5]], dtype) + np.array(0.1, dtype))
    assert float(variables[2]) == np.array(9.1, dtype)
    np.testing.assert_array_equal(flatten_weights(variables), numbers.astype(dtype))
    shapes = [(part.shape, part.dtype) for part in unflatten_weights(numbers, variables)]
    assert shapes == [(v.shape, v.dtype) for v in variables]
