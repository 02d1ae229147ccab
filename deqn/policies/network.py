"""The policy function: states scaled by the box, a Keras network, and a map into each policy's bounds.

With x the scaled states and s* the steady state, policy = bound(u* + slope (s - s*) + net(x)), `bound` as in
deqn/policies/bounds.py. The last layer starts at zero, so that the untrained network is the anchor: the first-order
solution in the pre-image of the bounds, or, without a slope, the steady state everywhere.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from deqn.equations.expectation import Expectation
from deqn.equations.polynomials import chebyshev
from deqn.equations.residuals import residuals, stacked
from deqn.families.family import Family
from deqn.model.declaration import Model
from deqn.model.layout import box, coordinates, in_logs
from deqn.perturbation.first_order import linear_solution
from deqn.perturbation.second_order import curvature, risk_correction
from deqn.perturbation.steady_state import SteadyState
from deqn.policies.bounds import Bounds
from deqn.settings.schema import Network

NARROW, WIDER, WIDE = 16, 4, 32  # hidden units: up to two states, more for each further one, and at most


def approximator(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """The chosen Keras network [batch, inputs] -> [batch, outputs], its last layer zero."""
    if settings.name == "chebyshev":
        return chebyshev(inputs, outputs, settings.degree, dtype)
    return multilayer_perceptron(inputs, outputs, settings, dtype, seed)


def widths(inputs: int, settings: Network) -> list[int]:
    """Of the hidden layers, those that are set or, without, what as many state variables need."""
    return settings.hidden or [min(NARROW + WIDER * max(0, inputs - 2), WIDE)] * 2


def multilayer_perceptron(inputs: int, outputs: int, settings: Network, dtype: str, seed: int) -> keras.Model:
    """A Keras MLP, seeded on its own. Biases are spread, so that hidden units bend at different places of the box."""

    def fresh(offset: int) -> keras.initializers.Initializer:
        kind = type(keras.initializers.get(settings.initializer))
        return kind(seed=seed + offset) if "seed" in inspect.signature(kind).parameters else kind()

    penalty = keras.regularizers.L1L2(settings.l1, settings.l2) if settings.l1 or settings.l2 else None
    layers = [keras.Input((inputs,), dtype=dtype)]
    hidden = widths(inputs, settings)
    for i, units in enumerate(hidden):
        spread = keras.initializers.RandomUniform(-1, 1, seed=seed + len(hidden) + i)
        layers.append(
            keras.layers.Dense(
                units, kernel_initializer=fresh(i), bias_initializer=spread, kernel_regularizer=penalty, dtype=dtype
            )
        )
        layers.append(keras.layers.Activation(settings.activation, dtype=dtype))
        if settings.dropout:
            layers.append(keras.layers.Dropout(settings.dropout, seed=seed + i, dtype=dtype))
    layers.append(keras.layers.Dense(outputs, kernel_initializer="zeros", kernel_regularizer=penalty, dtype=dtype))
    return keras.Sequential(layers)


@dataclass(frozen=True)
class Chart:
    """Where the policy function starts and what its network reads, in coordinates (logarithms where declared).

    Arrays, or tensors whose first axis is the batch: `center`, `half_width` and `rest` (the steady state)
    [..., n_states]; `start` [..., outputs] and `slope` [..., n_states, outputs], the anchor before the bounds.
    """

    center: Any
    half_width: Any
    rest: Any
    start: Any
    slope: Any

    def packed(self) -> np.ndarray:
        """All numbers in one row."""
        return np.concatenate([np.ravel(getattr(self, f.name)) for f in fields(self)])

    def unpacked(self, rows: tf.Tensor) -> "Chart":
        """A chart of this one's shapes from rows [n, numbers]."""
        shapes = [np.shape(getattr(self, f.name)) for f in fields(self)]
        parts = tf.split(rows, [int(np.prod(shape)) for shape in shapes], axis=1)
        return Chart(*(tf.reshape(part, (-1, *shape)) for part, shape in zip(parts, shapes, strict=True)))


class PolicyNetwork(tf.Module):
    """The policies [n, n_policies] at packed states [n, n_states], inside their bounds by construction."""

    def __init__(
        self,
        model: Model,
        steady: SteadyState,
        network: keras.Model,
        dtype: str,
        anchor: str,
        margin: float = 0.0,
        domain: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        """`anchor`: linear, quadratic or steady_state. `domain`, by default the box, made wider by the share `margin`,
        is scaled to [-1, 1] for the network. Raises InputError where there is no solution to be the anchor."""
        super().__init__()
        self.network = network
        self.dtype = tf.as_dtype(dtype)
        self._in_logs = in_logs(model.states)
        linear = None  # the first-order solution, in a family that of its usual member
        if anchor != "steady_state":
            linear = model.first_order[0] if isinstance(model, Family) else linear_solution(model, steady)
        impact = None if linear is None else linear.impact
        self._bounds = Bounds(model.policies, steady.policies, self.dtype, impact)
        self._interpolated, self._interpolation = None, 0  # the charts of a family, as a function of packed states
        if isinstance(model, Family):
            chart, self._interpolated = self._family_charts(model, linear is not None, margin)
            self._chart, self._interpolation = chart, model.floats + chart.packed().size
        else:
            slope = None if linear is None else linear.slope
            chart = self._charted(domain or box(model.states), steady, slope, margin)
            self._chart = chart.unpacked(tf.constant(chart.packed()[None], self.dtype))
        self._curvature = None  # of each output, [n_states, outputs * n_states]
        if anchor == "quadratic":
            exact = Bounds(model.policies, steady.policies, tf.float64, impact)
            Q = curvature(model, exact, chart.rest, chart.start, chart.slope.T)
            self._curvature = tf.constant(np.transpose(Q / 2, (1, 0, 2)).reshape(len(chart.rest), -1), self.dtype)

    @property
    def floats(self) -> int:
        """Numbers that one state needs on its way through the policy function, in all layers and the anchor."""
        kernels = [w.shape for w in self.network.trainable_variables if len(w.shape) == 2]
        anchor = 0 if self._curvature is None else self._curvature.shape[1]
        return sum(map(sum, kernels)) + anchor + self._interpolation

    def correct_for_risk(self, model: Model, expectation: Expectation, steady: SteadyState) -> None:
        """Move the quadratic anchor by the constant that its equations at the steady state ask for under risk."""

        def errors(shift: tf.Tensor) -> tf.Tensor:
            batch = shift.shape[0]
            states = tf.constant(np.tile(steady.states, (batch, 1)), self.dtype)
            added, chart = tf.cast(shift, self.dtype), self._chart
            moved = lambda s: self._anchored(self._coordinates(s), tf.tile(added, (s.shape[0] // batch, 1)), chart)
            return tf.cast(tf.transpose(stacked(residuals(model, moved, expectation, states), batch)), tf.float64)

        shift = risk_correction(errors, self._chart.start.shape[1], expectation.nodes * self.floats)
        self._chart = replace(self._chart, start=self._chart.start + tf.cast(shift, self.dtype))

    def _charted(self, corners: tuple, rest: SteadyState, slope: np.ndarray | None, margin: float) -> Chart:
        low, high, center = (coordinates(x, self._in_logs) for x in (*corners, rest.states))
        start = self._bounds.outputs(rest.policies)
        anchor = np.zeros((len(start), len(center)))
        if slope is not None:
            anchor = self._bounds.pre_image(slope * np.where(self._in_logs, rest.states, 1), start)
        return Chart((low + high) / 2, (1 + margin) * (high - low) / 2, center, start, anchor.T)

    def _family_charts(self, family: Family, linear: bool, margin: float) -> tuple[Chart, Callable]:
        """A chart of their common shapes, and the function that interpolates all of them."""
        zero = np.zeros((len(family.rests[0].policies), len(family.names)))  # parameters do not move from their rest
        charts = []
        for i, rest in enumerate(family.rests):
            slope = np.hstack([family.first_order[i].slope, zero]) if linear else None
            charts.append(self._charted([corner[i] for corner in family.corners], rest, slope, margin))
        return charts[0], family.interpolated(np.stack([chart.packed() for chart in charts]))

    def _chart_at(self, states: tf.Tensor) -> Chart:
        return self._chart if self._interpolated is None else self._chart.unpacked(self._interpolated(states))

    def __call__(self, states: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Policies at states; `training` switches dropout on."""
        x, chart = self._coordinates(states), self._chart_at(states)
        return self._anchored(x, self.network((x - chart.center) / chart.half_width, training=training), chart)

    def untrained(self, states: tf.Tensor) -> tf.Tensor:
        """Policies [n, n_policies] of the anchor alone: where training started."""
        x, chart = self._coordinates(states), self._chart_at(states)
        return self._anchored(x, tf.zeros((1, chart.start.shape[-1]), self.dtype), chart)

    def recorded(self, states: tf.Tensor, record: list) -> tf.Tensor:
        """Policies at states; each layer with weights is appended to `record`, with its inputs and outputs."""
        x, chart = self._coordinates(states), self._chart_at(states)
        a = (x - chart.center) / chart.half_width
        for layer in self.network.layers:
            z = layer(a)
            if layer.trainable_variables:
                record.append((layer, a, z))
            a = z
        return self._anchored(x, a, chart)

    def _coordinates(self, states: tf.Tensor) -> tf.Tensor:
        """The states, in logarithms where they are declared so."""
        return tf.where(self._in_logs, tf.math.log(tf.where(self._in_logs, states, 1)), states)

    def _anchored(self, x: tf.Tensor, u: tf.Tensor, chart: Chart) -> tf.Tensor:
        """Policies at coordinates [n, n_states], for a network that adds u [n, outputs] to the anchor."""
        away = x - chart.rest
        if self._interpolated is None:
            u = u + chart.start + tf.matmul(away, chart.slope[0])
        else:
            u = u + chart.start + tf.linalg.matvec(chart.slope, away, transpose_a=True)  # a slope of its own each
        if self._curvature is not None:
            turned = tf.reshape(tf.matmul(away, self._curvature), (-1, u.shape[1], away.shape[1]))
            u += tf.linalg.matvec(turned, away)  # x'Q x / 2 of each output
        return self._bounds(u)
