"""What is judged: a solution on fresh states, and what several judgements need of it."""

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.economy import exact as exact_policies
from deqn.economy.anchors import linear_rule
from deqn.economy.economy import Economy
from deqn.evaluation import evaluate
from deqn.evaluation.reference import Reference, reference
from deqn.evaluation.summary import Summary
from deqn.perturbation.first_order import LinearSolution, linear_solution
from deqn.perturbation.modes import Modes
from deqn.policies.protocol import PolicyFunction
from deqn.settings.schema import Evaluation, Quadrature
from deqn.system.errors import InputError

log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Case:
    """A solution and its fresh states. The properties are measured when they are first asked for, and once.

    `finer`: the economy with the expectation that judges; `quadrature` is the setting of training's. `sets`: packed
    states [n, n_states] of `path` and `box`. `loop`: the modes of the closed loop, if it has a steady state.
    `trained`: the summary as training left it.
    """

    economy: Economy
    finer: Economy
    sets: dict[str, tf.Tensor]
    loop: Modes | None
    evaluation: Evaluation
    quadrature: Quadrature
    trained: Summary

    @cached_property
    def errors(self) -> dict[str, dict[str, np.ndarray]]:
        """Absolute residuals [n, states] by set and equation."""
        return {where: evaluate.euler_errors(self.finer, states) for where, states in self.sets.items()}

    @cached_property
    def linear(self) -> tuple[LinearSolution, PolicyFunction] | None:
        """The first-order solution, and its policy function, in a family that of each member; None where none is."""
        if self.economy.steady is None:
            return None
        try:
            solution = linear_solution(self.economy.model, self.economy.steady)
        except InputError as error:
            log.info("no first-order solution: %s", error)
            return None
        return solution, linear_rule(self.economy.members, self.economy.steady, self.economy.policy.dtype)

    @cached_property
    def closed_form(self) -> exact_policies.Truth | None:
        """The exact policies; None where the model has none for its parameters."""
        return exact_policies.closed_form(self.economy.model, self.economy.center)

    @cached_property
    def reference(self) -> Reference | None:
        """The reference solution; None where there is a closed form, where none is asked for, and after divergence."""
        if self.closed_form is not None or not self.evaluation.reference or self.trained.status == "diverged":
            return None
        return reference(self.finer, self.sets)

    @cached_property
    def exact(self) -> exact_policies.Truth | None:
        """What the policies are compared with: the closed form, else the reference solution."""
        return self.reference.exact() if self.reference is not None else self.closed_form

    @cached_property
    def compared(self) -> pd.DataFrame | None:
        """The comparison with it, see `evaluate.comparison`."""
        if self.exact is None:
            return None
        rule = None if self.linear is None else self.linear[1]
        return evaluate.comparison(self.economy, rule, self.exact, self.sets)
