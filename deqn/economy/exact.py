"""Exact policies: the closed form of a model, and the residual that it leaves.

That residual is the error of the expectation's rule alone. It falls as the rule grows finer, if slowly where a kink
meets Gauss's nodes; what is wrong with the policies stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from deqn.equations import quadrature as rules
from deqn.equations.expectation import Expectation, build_expectation
from deqn.equations.residuals import residuals
from deqn.model.declaration import Model
from deqn.model.layout import named_point
from deqn.perturbation.steady_state import SteadyState
from deqn.settings.schema import Quadrature

NODES, MOST_NODES = 4096, 128  # of the finest product rule: in all, and for one shock
RULE_FALL = 0.75  # of the mean residual, from each rule to the next with twice the nodes for each shock


@dataclass(frozen=True)
class Truth:
    """What a policy is compared with: `closed_form`, or `reference`, a far more accurate numerical solution.

    `values` maps packed states [n, n_states] to policies by name, [1, n] or [size, 1, n]; `covers` says where it holds.
    """

    kind: str
    values: Callable[[tf.Tensor], dict[str, np.ndarray]]
    covers: Callable[[tf.Tensor], np.ndarray]


def exact_residuals(
    model: Model, exact: Truth, expectation: Expectation, states: tf.Tensor
) -> dict[str, tf.Tensor] | None:
    """Residuals by equation of exact policies, zero where they are; None where they leave out a policy."""

    def policy(at: tf.Tensor) -> tf.Tensor:
        values = exact.values(at)
        columns = np.concatenate([values[p.name].reshape(-1, at.shape[0]) for p in model.policies])
        return tf.constant(columns.T, states.dtype)

    if any(p.name not in exact.values(states[:1]) for p in model.policies):
        return None
    return residuals(model, policy, expectation, states)


def closed_form(model: Model, steady: SteadyState) -> Truth | None:
    """The exact policies; None where the model has none for its parameters."""

    def values(states: tf.Tensor) -> dict[str, np.ndarray] | None:
        n, sizes = states.shape[0], {p.name: p.size for p in model.policies}
        anything = tf.constant(np.tile(steady.policies, (n, 1)), states.dtype)
        exact = model.closed_form(named_point(model, states, anything))
        shapes = {name: (1, n) if size is None else (size, 1, n) for name, size in sizes.items()}
        return exact and {name: np.broadcast_to(np.asarray(x), shapes[name]) for name, x in exact.items()}

    if values(tf.constant(steady.states[None])) is None:
        return None
    return Truth("closed_form", values, lambda states: np.ones(states.shape[0], bool))


@dataclass(frozen=True)
class Refinement:
    """Mean residuals of one equation under rules that grow finer, and the largest and its state under the finest."""

    means: list[float]
    largest: float
    at: int
    nodes: int

    @property
    def falls(self) -> bool:
        """Whether the residual is the rule's own error."""
        return len(self.means) > 1 and all(b < RULE_FALL * a for a, b in zip(self.means, self.means[1:], strict=False))


def measure_refinement(model: Model, exact: Truth, quadrature: Quadrature, states: tf.Tensor) -> dict[str, Refinement]:
    """The residuals of exact policies, all of them given, by equation at packed states [n, n_states]."""
    found, nodes = {}, 0
    for normal_rule in list_finer_rules(quadrature, model):
        over = build_expectation(model, normal_rule)
        nodes = over.nodes
        for name, r in exact_residuals(model, exact, over, states).items():
            found.setdefault(name, []).append(np.abs(np.reshape(r, (-1, states.shape[0]))).max(0))  # [states]
    return {name: Refinement([float(s.mean()) for s in sizes], float(sizes[-1].max()), int(sizes[-1].argmax()), nodes)
            for name, sizes in found.items()}  # fmt: skip


def list_finer_rules(quadrature: Quadrature, model: Model) -> Sequence[rules.NormalRule]:
    """Rules that grow finer: product rules in a few shocks, else those of training and evaluation."""
    dimension = rules.count_normals(model)
    if not dimension:
        return [rules.choose_finer_rule(quadrature, model)]
    finest = min(MOST_NODES, int(NODES ** (1 / dimension) + 1e-9))
    if finest < 8:
        return [choose(quadrature, model) for choose in (rules.choose_rule, rules.choose_finer_rule)]
    return [partial(rules.gauss_hermite, nodes=finest // part) for part in (4, 2, 1)]
