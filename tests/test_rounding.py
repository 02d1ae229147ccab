import numpy as np
import pytest
import tensorflow as tf

from deqn.optimizers.residual_function import is_precise, nudge


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_round_off_is_that_of_the_type_or_what_is_measured(dtype):
    """Five times the rounding error, as a root mean square; or the noise of the residuals, where that is more."""
    eps = np.finfo(dtype.as_numpy_dtype).eps
    assert is_precise((4 * eps) ** 2, dtype) and not is_precise((6 * eps) ** 2, dtype)
    assert is_precise(1.9e-3, dtype, noise=1e-3) and not is_precise(2.1e-3, dtype, noise=1e-3)
    moved = nudge(tf.constant([1.0, -3.0, 0.0], dtype)).numpy()
    assert moved[0] == 1 + 2 * eps and moved[1] < -3 and moved[2] == 0
