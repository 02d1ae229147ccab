"""What training lowers: the loss of an economy's equations at states, in the form that each optimizer asks for."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from deqn.economy.economy import Economy
from deqn.equations.residuals import loss, residuals, row_weights, stack_rows
from deqn.optimizers.residual_function import ResidualFunction
from deqn.settings.schema import Loss


@dataclass(frozen=True)
class Objective:
    """The weighted loss of the equations under the policy function, whose weights are to be found."""

    economy: Economy
    settings: Loss

    @property
    def weights(self) -> list[tf.Variable]:
        return [w.value for w in self.economy.policy.network.trainable_variables]

    @property
    def equations(self) -> int:
        """The number of equations, rows of vector equations counted one by one."""
        rest = tf.constant(self.economy.center.states[None], self.economy.policy.dtype)
        return stack_rows(self.economy.residuals(rest), 1).shape[0]

    def loss(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The loss at states [batch, n_states], a scalar; in `training` with dropout and the penalties on weights."""
        value = loss(self.economy.residuals(states, training), self.settings)
        penalties = self.economy.policy.network.losses if training else []
        return value + tf.cast(tf.add_n(penalties), value.dtype) if penalties else value

    def residual_function(self, memory: float, jit_compile: bool = True) -> ResidualFunction:
        """The residuals whose squares sum to the mean square loss times the batch; `memory` as that of the result."""
        policy = self.economy.policy
        values = lambda states: tf.transpose(self._rows(states, policy))
        jacobian = lambda states: layerwise_jacobian(self._rows, policy.record_layers, states)
        bytes_per_point = 8 * (self.economy.expectation.nodes + 1) * policy.floats  # both dates
        return ResidualFunction(values, self.weights, memory, bytes_per_point, jacobian, jit_compile)

    def _rows(self, states: tf.Tensor, policy: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Weighted residuals under any policy function, [equations, batch]."""
        errors = residuals(self.economy.model, policy, self.economy.expectation, states)
        return stack_rows(errors, states.shape[0]) * row_weights(errors, self.settings.weights)


def layerwise_jacobian(rows: Callable, recorded: Callable, states: tf.Tensor) -> tf.Tensor:
    """[batch, equations, weights]: the chain rule through each layer with weights, whose inputs are recorded.

    One backward pass an equation serves all states. `rows`: states, policy function -> [equations, batch]; `recorded`:
    the policy function of dense layers that keeps a record of them.
    """
    record, batch = [], states.shape[0]
    with tf.GradientTape(persistent=True) as tape:
        totals = tf.reduce_sum(rows(states, lambda s: recorded(s, record)), 1)
    outputs = [z for _, _, z in record]
    if totals.shape[0] == 1:
        slopes = [g[None] for g in tape.gradient(totals, outputs, unconnected_gradients="zero")]
    else:
        slopes = tape.jacobian(totals, outputs, unconnected_gradients="zero")
        # [equations, nodes * batch, units]: a state's own, as none mix
    kernels, biases = {}, {}
    for (layer, a, _), g in zip(record, slopes, strict=True):
        a = tf.reshape(a, (-1, batch, a.shape[-1]))  # [nodes, batch, inputs]
        g = tf.reshape(g, (totals.shape[0], -1, batch, g.shape[-1]))  # [equations, nodes, batch, units]
        kernels[layer] = kernels.get(layer, 0.0) + tf.einsum("qbi,eqbj->beij", a, g)
        biases[layer] = biases.get(layer, 0.0) + tf.einsum("eqbj->bej", g)
    parts = []
    for layer in kernels:
        parts += [tf.reshape(kernels[layer], (batch, totals.shape[0], -1)), *[biases[layer]] * layer.use_bias]
    return tf.concat(parts, 2)
