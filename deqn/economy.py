"""An economy under a policy function: what training changes and what evaluation measures."""

from dataclasses import dataclass

import tensorflow as tf

from deqn.expectation import Expectation
from deqn.model import Model
from deqn.network import PolicyNetwork
from deqn.residuals import residuals
from deqn.steady_state import SteadyState


@dataclass(frozen=True)
class Economy:
    """What is solved: a model, its steady state, the policy function that is trained, and the expectation."""

    model: Model
    steady: SteadyState
    policy: PolicyNetwork
    expectation: Expectation

    def residuals(self, states: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Residuals by equation at packed states [batch, n_states]."""
        return residuals(self.model, lambda s: self.policy(s, training=training), self.expectation, states)
