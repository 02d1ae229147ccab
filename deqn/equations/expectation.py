"""Expectations: the sum over nodes for normal shocks, exact sums over discrete ones, and their product."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from deqn.equations.quadrature import ChosenRule, NormalRule, count_normals
from deqn.model.declaration import Discrete, Markov, Model, Normal, Point
from deqn.model.layout import outcome_count, probabilities, width


@dataclass(frozen=True)
class Expectation:
    """Nodes and weights over all shocks of a model together: the product of the normal rule and the discrete sums.

    `normals`: name -> the columns of a normal shock in `points` [nodes, d]; `turn`: an orthogonal matrix [d, d] by
    which the points are turned, None where they stay; `values`: name -> [nodes] or [n, nodes], of discrete shocks;
    `weights`: [nodes], the normal and i.i.d. part; `chains`: for each Markov shock, its declaration and the outcome
    that it has at each node.
    """

    normals: dict[str, int | slice]
    points: np.ndarray
    turn: tf.Variable | None
    values: dict[str, np.ndarray]
    weights: np.ndarray
    chains: tuple[tuple[Markov, np.ndarray], ...]

    @property
    def nodes(self) -> int:
        return len(self.weights)

    def place_normals(self, dtype) -> tf.Tensor:
        """The normal shocks at every node, [nodes, d]."""
        points = tf.constant(self.points, dtype)
        return points if self.turn is None else points @ tf.cast(self.turn, dtype)

    def shocks(self, dtype) -> Point:
        """The shocks at every node: [nodes, 1], or [n, nodes, 1] for vectors."""
        points = tf.transpose(self.place_normals(dtype))
        normals = {name: points[columns][..., None] for name, columns in self.normals.items()}
        discrete = {name: tf.constant(value[..., None], dtype) for name, value in self.values.items()}
        return Point(normals | discrete)

    def turn_as(self, other: "Expectation") -> "Expectation":
        """This expectation, with its points turned as those of another one of the same model."""
        if self.turn is not None:
            self.turn.assign(other.turn)
        return self

    def weights_given(self, now: Point, dtype) -> tf.Tensor:
        """The weight of every node given today, [nodes, batch], or [nodes, 1] where it is the same for all."""
        weights = tf.constant(self.weights[:, None], dtype)
        for chain, outcome in self.chains:
            weights = weights * tf.gather(probabilities(chain, now, dtype), outcome)
        return weights

    def operator(self, now: Point, dtype):
        """E: contracts the node axis with the weights given today, and keeps it with length one."""
        weights = self.weights_given(now, dtype)
        return lambda v: tf.reduce_sum(weights * v, -2, keepdims=True)


def build_expectation(model: Model, normal_rule: NormalRule) -> Expectation:
    """The expectation over all shocks of a model; a deterministic economy has one node."""
    normals = [s for s in model.shocks if isinstance(s, Normal)]
    discrete = [s for s in model.shocks if not isinstance(s, Normal)]
    dimension = count_normals(model)
    points, normal_weights = normal_rule(dimension) if normals else (np.zeros((1, 0)), np.ones(1))
    counts = [len(points), *(outcome_count(s) for s in discrete)]
    index = np.indices(counts).reshape(len(counts), -1)  # which node or outcome of each part, [parts, nodes]
    columns: dict[str, int | slice] = {}
    values, weights, chains, first = {}, normal_weights[index[0]], [], 0
    for s in normals:
        columns[s.name] = first if s.size is None else slice(first, first + s.size)
        first += width(s)
    for s, outcome in zip(discrete, index[1:], strict=True):
        values.update({name: np.asarray(v, float)[..., outcome] for name, v in s.values.items()})
        if isinstance(s, Discrete):
            weights = weights * np.asarray(s.probabilities, float)[outcome]
        else:
            chains.append((s, outcome))
    turns = dimension > 1 and isinstance(normal_rule, ChosenRule) and normal_rule.turns
    turn = tf.Variable(np.eye(dimension), trainable=False, name="turn") if turns else None
    return Expectation(columns, points[index[0]], turn, values, weights, tuple(chains))
