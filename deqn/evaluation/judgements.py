"""The verdict: a list of judgements, each of which measures one thing; some of them decide whether a run passes.

A new judgement is a function that measures, an entry of JUDGEMENTS, a field of `Summary` for its numbers, and its rows
in the report. A low residual is necessary, not sufficient: the closed loop must be stable, too.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.checks.diagnosis import CLOSED_FORM_RESIDUAL
from deqn.checks.undefined import count_affordable
from deqn.economy import exact as truths
from deqn.economy.anchors import linear_rule
from deqn.economy.economy import Economy
from deqn.evaluation import closed_loop, evaluate
from deqn.evaluation.constraints import find_binding, summarize_constraints
from deqn.evaluation.distance import estimate_distance
from deqn.evaluation.records import ClosedForm, FirstOrder
from deqn.evaluation.reference import Reference, solve_reference
from deqn.evaluation.summary import Summary
from deqn.model.layout import box, labels
from deqn.perturbation.first_order import LinearSolution, linear_solution
from deqn.perturbation.modes import Modes
from deqn.policies.network import PolicyFunction, PolicyNetwork
from deqn.settings.schema import Evaluation, Quadrature
from deqn.system.errors import InputError

ROUNDING = 1e-6  # of the box, by which a state outside it counts as inside
EXACT_STATES = 1000  # at which a closed form is put into the equations
log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Case:
    """A solution and its fresh states. Each property is measured once, when it is first asked for."""

    economy: Economy
    finer: Economy  # with the expectation that judges
    sets: dict[str, tf.Tensor]  # packed states [n, n_states] of `path` and `box`
    loop: Modes | None  # the modes of the closed loop, if it has a steady state
    evaluation: Evaluation
    quadrature: Quadrature  # the setting of training
    trained: Summary  # as training left it

    @cached_property
    def errors(self) -> dict[str, dict[str, np.ndarray]]:
        """Absolute residuals [n, states] by set and equation."""
        return {where: self.finer.euler_errors(states) for where, states in self.sets.items()}

    @cached_property
    def linear(self) -> tuple[LinearSolution, PolicyFunction] | None:
        """The first-order solution and its policy function, in a family that of each member; None if there is none."""
        if self.economy.steady is None:
            return None
        try:
            solution = linear_solution(self.economy.model, self.economy.steady)
        except InputError as error:
            log.info("no first-order solution: %s", error)
            return None
        return solution, linear_rule(self.economy.members, self.economy.steady, self.economy.policy.dtype)

    @cached_property
    def closed_form(self) -> truths.Truth | None:
        """The exact policies; None where the model has none for its parameters."""
        return truths.closed_form(self.economy.model, self.economy.center)

    @cached_property
    def reference(self) -> Reference | None:
        """The reference solution; None if there is a closed form, if none is asked for, and after divergence."""
        if self.closed_form is not None or not self.evaluation.reference or self.trained.status == "diverged":
            return None
        return solve_reference(self.finer, self.sets)

    @cached_property
    def exact(self) -> truths.Truth | None:
        """What the policies are compared with: the closed form, else the reference solution."""
        return self.closed_form if self.reference is None else self.reference.exact

    @cached_property
    def compared(self) -> pd.DataFrame | None:
        """A row for each set of states and policy, see `evaluate.compare`."""
        if self.exact is None:
            return None
        return evaluate.compare(self.economy, self.linear and self.linear[1], self.exact, self.sets)


@dataclass(frozen=True)
class Judgement:
    """One thing that is measured: `measure` returns fields of the summary, those of a set under the set's name."""

    name: str
    measure: Callable[[Case], dict[str, Any]]
    applies: Callable[[Case], bool] = lambda case: True
    passes: Callable[[Summary], bool | None] = lambda summary: None  # None: the judgement does not decide


def measure_errors(where: str, case: Case) -> dict[str, Any]:
    worst, statistics = evaluate.find_worst_equation(case.errors[where]), evaluate.summarize_errors(case.errors[where])
    return {"worst_equation": {where: worst}, "euler_errors": {where: statistics}}


def measure_stability(case: Case) -> dict[str, Any]:
    measured = closed_loop.assess_stability(case.economy, case.loop)
    return {"stability": measured, "stable": measured.contracts}


def measure_nearness(case: Case) -> dict[str, Any]:
    """What the residuals add up to over time, an estimate of how far the policies are from the solution."""
    return {"distance": estimate_distance(case.economy, case.sets["path"], case.finer)}


def is_near(summary: Summary) -> bool | None:
    """Whether sweeps of time iteration lead to the policies, and none is far from where they lead; None: unknown."""
    found = summary.distance
    return found and found.is_limit and not found.list_far(summary.tolerance)


def measure_first_order(case: Case) -> dict[str, Any]:
    """Residuals of the first-order solution on the same states: what the network adds to it."""
    if case.linear is None:
        return {"first_order": FirstOrder()}
    linear, rule = case.linear
    measured, defined = {}, {}
    for where, states in case.sets.items():
        errors = replace(case.finer, policy=rule).euler_errors(states)
        usable = np.isfinite(np.concatenate(list(errors.values()))).all(0)  # cut at bounds, a rule may have none
        defined[where] = float(usable.mean())
        if usable.any():
            measured[where] = evaluate.summarize_errors({equation: e[:, usable] for equation, e in errors.items()})
    return {"first_order": FirstOrder(measured, defined, linear.moduli.tolist(), linear.note)}


def measure_closed_form(case: Case) -> dict[str, Any]:
    """Distance to the closed form, and the residual of the closed form itself."""
    measured = {"policy_errors": {"closed_form": pool_sets(case.compared)}}
    parts = [truths.exact_residuals(case.finer.model, case.closed_form, case.finer.expectation, part)
             for part in case.finer.slices(case.sets["path"][:EXACT_STATES])]  # fmt: skip
    if parts[0] is None:
        return measured
    sizes = np.abs(np.concatenate([np.ravel(r) for part in parts for r in part.values()]))
    mean, wrong = float(sizes.mean()), None
    if not mean <= case.trained.tolerance:  # unsolved is what stays as the quadrature grows finer
        few = case.sets["path"][: count_affordable(case.economy.model, case.economy.expectation)]
        residuals = truths.measure_refinement(case.economy.model, case.closed_form, case.quadrature, few)
        wrong = [name for name, r in residuals.items() if not r.falls and r.largest > CLOSED_FORM_RESIDUAL]
    return measured | {"closed_form": ClosedForm(mean, float(sizes.max()), wrong)}


def measure_reference(case: Case) -> dict[str, Any]:
    """Distance to the reference solution, and how well that one is known."""
    if case.reference.record.omitted is not None:
        log.info("%s", case.reference.record.omitted)
    pooled = {} if case.compared is None else pool_sets(case.compared)
    return {"policy_errors": {"reference": pooled}, "reference": case.reference.record}


def pool_sets(compared: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The comparison by policy over all states of path and box: mean and largest error, absolute and relative."""
    largest, means = compared.filter(like="max"), compared.filter(like="mean")
    weights = means.notna().mul(compared["states"], axis=0)  # an error relative to zero is none
    total, weight = ((x * weights).groupby(compared["policy"]).sum() for x in (means, 1.0))
    return largest.groupby(compared["policy"]).max().join(total / weight).to_dict("index")


def measure_constraints(case: Case) -> dict[str, Any]:
    binding = {where: find_binding(case.finer, states) for where, states in case.sets.items()}
    paths = {"path": case.evaluation.paths if case.economy.model.shocks else None}
    measured = {w: summarize_constraints(case.errors[w], b, paths.get(w)) for w, b in binding.items()}
    return {"constraints": measured}


def measure_left_box(case: Case) -> dict[str, Any]:
    """On which side of the box paths are, on what share of dates, and how far; states that stay inside are left out."""
    states, declared = case.sets["path"].numpy().astype(float), case.economy.model.states
    states, measured = states[np.isfinite(states).all(1)], {}
    if not len(states):
        return {"left_box": None}
    for name, x, low, high in zip(labels(declared), states.T, *box(declared), strict=True):
        margin = ROUNDING * (high - low)
        below, above = float((x < low - margin).mean()), float((x > high + margin).mean())
        if below or above:
            extremes = {"lowest": float(x.min()), "highest": float(x.max()), "lower": low, "upper": high}
            measured[name] = {"below": below, "above": above, **extremes}
    return {"left_box": measured}


def measure_terciles(case: Case) -> dict[str, Any]:
    model, errors = case.economy.model, case.errors
    return {"errors_by_thirds": {w: evaluate.summarize_terciles(model, errors[w], x) for w, x in case.sets.items()}}


JUDGEMENTS = (
    Judgement("path errors", partial(measure_errors, "path"), passes=lambda s: s.path_error.mean <= s.tolerance),
    Judgement("box errors", partial(measure_errors, "box"), applies=lambda case: "box" in case.sets),
    Judgement("stability", measure_stability, lambda case: case.loop is not None, lambda s: s.stable),
    Judgement("distance", measure_nearness, lambda case: isinstance(case.economy.policy, PolicyNetwork), is_near),
    Judgement("first order", measure_first_order),
    Judgement("closed form", measure_closed_form, applies=lambda case: case.closed_form is not None),
    Judgement("reference", measure_reference, applies=lambda case: case.reference is not None),
    Judgement("constraints", measure_constraints),
    Judgement("box left", measure_left_box),
    Judgement("terciles", measure_terciles),
    Judgement("sample", lambda c: {"sample": evaluate.choose_sample(c.economy.model, c.evaluation, c.loop)}),
)


def judge(case: Case, judgements: Sequence[Judgement] = JUDGEMENTS) -> Summary:
    """The summary with what all judgements that apply have measured, and the status that follows."""
    measured: dict[str, Any] = {"policy_errors": {"closed_form": {}, "reference": {}}}
    applied = [judgement for judgement in judgements if judgement.applies(case)]
    for judgement in applied:
        for field, value in judgement.measure(case).items():
            measured[field] = measured.get(field, {}) | value if isinstance(value, dict) else value
    summary = replace(case.trained, **measured)
    return replace(summary, status=decide_status(summary, (j.passes(summary) for j in applied)))


def decide_status(summary: Summary, decisions: Iterable[bool | None]) -> str:
    """The status of a run: what training left in the summary if that is final, else whether all that decide pass."""
    if summary.status == "interrupted":
        return "interrupted"
    if summary.status == "diverged" or not math.isfinite(summary.path_error.mean):
        return "diverged"
    return "converged" if all(passed for passed in decisions if passed is not None) else "not_converged"
