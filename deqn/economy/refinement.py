"""Whose error a residual is: that of the policies, or that of the rule for the expectation.

The residual of exact policies is the error of the rule alone. It falls as the rule grows finer, if slowly where a kink
meets Gauss's nodes; what is wrong with the policies stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from deqn.economy.exact import Exact, exact_residuals
from deqn.equations.expectation import expectation, finer_rule, gauss_hermite, normal_count, rule
from deqn.model.declaration import Model
from deqn.settings.schema import Quadrature

NODES, MOST = 4096, 128  # of the finest product rule: in all, and for one shock
FALLS = 0.75  # of the mean residual, from each rule to the next with twice the nodes for each shock


@dataclass(frozen=True)
class Refined:
    """Mean residuals of one equation under rules that grow finer, and the largest and its state under the finest."""

    means: list[float]
    largest: float
    at: int
    nodes: int

    @property
    def falls(self) -> bool:
        """Whether the residual is the rule's own error."""
        return len(self.means) > 1 and all(b < FALLS * a for a, b in zip(self.means, self.means[1:], strict=False))


def refined(model: Model, exact: Exact, quadrature: Quadrature, states: tf.Tensor) -> dict[str, Refined]:
    """The residuals of exact policies, all of them given, by equation at packed states [n, n_states]."""
    dimension = normal_count(model)
    found, nodes = {}, 0
    for normal_rule in rules(quadrature, dimension):
        over = expectation(model, normal_rule)
        nodes = over.nodes
        for name, r in exact_residuals(model, exact, over, states).items():
            found.setdefault(name, []).append(np.abs(np.reshape(r, (-1, states.shape[0]))).max(0))  # [states]
    return {
        name: Refined([float(s.mean()) for s in sizes], float(sizes[-1].max()), int(np.argmax(sizes[-1])), nodes)
        for name, sizes in found.items()
    }


def rules(quadrature: Quadrature, dimension: int) -> Sequence:
    """Rules that grow finer: product rules in a few shocks, else those of training and evaluation."""
    if not dimension:
        return [partial(finer_rule, quadrature)]
    finest = min(MOST, int(NODES ** (1 / dimension) + 1e-9))
    if finest < 8:
        return [partial(rule, quadrature), partial(finer_rule, quadrature)]
    return [partial(gauss_hermite, nodes=finest // part) for part in (4, 2, 1)]
