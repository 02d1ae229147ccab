"""What a policy function is. A trained network, a linear rule, a polynomial, an ensemble are the same to the engine."""

from typing import Protocol

import tensorflow as tf


class PolicyFunction(Protocol):
    """Packed states [n, n_states] -> packed policies [n, n_policies], in levels and inside their bounds."""

    dtype: tf.DType

    @property
    def floats(self) -> int:
        """Numbers that one state needs on its way through the function."""

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The policies at states; `training` switches noise such as dropout on."""


class Anchor(Protocol):
    """Where a policy function starts: packed states [n, n_states] -> outputs [n, outputs], before the bounds."""

    @property
    def floats(self) -> int:
        """Numbers that one state needs on its way through the anchor."""

    def __call__(self, states: tf.Tensor) -> tf.Tensor:
        """The outputs at states."""
