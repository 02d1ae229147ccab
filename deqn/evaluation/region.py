"""Regions of the state space that follow the states which an economy visits.

A box along the axes has corners that the economy never visits and where an explosive solution, or a bound, spoils a
fit; so a region is a box along the principal components. Source: Judd, Maliar and Maliar (2011).
"""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from deqn.economy.economy import Economy
from deqn.model.declaration import Normal
from deqn.model.layout import coordinates, pack, point

FARTHEST = 3  # standard deviations: normal shocks beyond do not decide which states are reached
DIRECTIONS = 64  # in which the outermost states are looked for
THIN = 1e-3  # a side of a region, at least, as a share of the longest


@dataclass(frozen=True)
class Region:
    """A box along the principal components of a cloud of states; logarithms are taken where states declare them."""

    in_logs: np.ndarray
    center: np.ndarray
    axes: np.ndarray  # [n_states, n_states], a component in each column, its half width included

    @classmethod
    def enclose(cls, states: np.ndarray, logs: np.ndarray) -> "Region":
        """The region that just holds packed states [n, n_states], whatever the units of the states are."""
        x = coordinates(states, logs)
        sizes = x.std(0)
        still = sizes <= 1e-12 * np.abs(x).max(0)
        sizes = np.where(still, THIN * (sizes.max() or 1.0), sizes)
        directions = np.linalg.eigh(np.cov((x / sizes).T).reshape(len(logs), -1))[1]
        return cls(logs, np.zeros(len(logs)), sizes[:, None] * directions).fit(states)

    def fit(self, states: np.ndarray) -> "Region":
        """The region along the same components that just holds packed states."""
        along = self.to_unit(states)
        low, high = along.min(0), along.max(0)
        half = np.maximum((high - low) / 2, THIN * np.max(high - low))
        return replace(self, center=self.center + self.axes @ ((low + high) / 2), axes=self.axes * half)

    def enlarge(self, states: np.ndarray) -> "Region":
        """The region that holds further packed states, too."""
        corners = self.to_states(np.array([[-1.0], [1.0]]) * np.ones(len(self.center)))
        return self.fit(np.concatenate([corners, states]))

    def to_states(self, unit: np.ndarray) -> np.ndarray:
        """Packed states at coordinates in [-1, 1], [n, n_states]; beyond it, outside the region."""
        x = self.center + unit @ self.axes.T
        return np.where(self.in_logs, np.exp(np.where(self.in_logs, x, 0)), x)

    def to_unit(self, states: np.ndarray) -> np.ndarray:
        """The coordinates of packed states, [n, n_states]."""
        return np.linalg.solve(self.axes, (coordinates(states, self.in_logs) - self.center).T).T

    def covers(self, states: tf.Tensor) -> np.ndarray:
        """Which of the packed states lie inside, [n]."""
        return np.abs(self.to_unit(np.asarray(states))).max(1) <= 1 + 1e-6

    def find_outermost(self, states: np.ndarray) -> np.ndarray:
        """Those of the packed states that lie furthest out in some direction, of one or two dimensions."""
        angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        directions = np.array([[1.0, -1.0]]) if len(self.center) == 1 else np.stack([np.cos(angles), np.sin(angles)])
        return states[np.unique(np.argmax(self.to_unit(states) @ directions, 0))]


def reach_tomorrow(economy: Economy, states: np.ndarray) -> np.ndarray:
    """Packed states to which the nodes of tomorrow lead from states [n, n_states], normal shocks up to FARTHEST."""
    model, nodes, today = economy.model, economy.expectation, tf.constant(states, economy.policy.dtype)
    now, shocks = point(model, economy.policy, today), nodes.shocks(today.dtype)
    tomorrow = pack(model.transition(now, shocks), model.states, nodes.nodes, len(states), today.dtype)
    possible = np.broadcast_to(nodes.weights_given(now, today.dtype), (nodes.nodes, len(states))) != 0
    for shock in model.shocks:
        if isinstance(shock, Normal):
            sizes = np.abs(getattr(shocks, shock.name).numpy()).reshape(-1, nodes.nodes)
            near = sizes.max(0) <= FARTHEST
            possible = possible & near[:, None]
    return tomorrow.numpy()[possible.ravel()].astype(float)
