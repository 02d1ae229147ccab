"""An independent solution of small models, and how far it can be trusted.

The same equations are solved by the projection method (projection.py), from the first-order solution on, with the
quadrature of the evaluation. It shares neither network nor training states with what it judges.

A small residual does not bound the distance from the truth: where a value is worth .999 of tomorrow's, the distance is
a thousand times the residual. So the equations are solved on larger regions with higher degrees. A distance is reported
only where two solutions in a row, and the quadrature with a finer one, agree ten times better than that distance.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from deqn.economy.economy import Economy
from deqn.economy.exact import Truth
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import count_normals, gauss_hermite
from deqn.evaluation.projection import Policies, Projection, evaluate_on_sets, evaluate_policies, measure_gaps
from deqn.evaluation.records import ReferenceSolution
from deqn.evaluation.region import Region, reach_tomorrow
from deqn.model.declaration import Model
from deqn.model.layout import coordinates, fixed, free_policies, in_logs, multipliers, width
from deqn.system.errors import InputError
from deqn.system.files import format_error

ATTEMPTS = {  # by the number of states: dates whose states the region holds, and degree of the polynomial
    1: ((1, 10), (2, 14), (1, 18), (2, 24)),
    2: ((1, 8), (2, 11), (1, 14), (2, 16)),
}
COEFFICIENTS = 1000  # of all policies together, at most
AGREEMENT = 0.1  # of the distance that is reported, within which two solutions agree
STEP_SHARE = 0.01  # of that distance: smaller steps change nothing
FINER_NODES = {1: 24, 2: 14, 3: 9, 4: 5, 5: 4, 6: 3}  # nodes of the finer quadrature, by the number of normal shocks
JUDGED = 256  # states of each set that tell whether a fit still moves


@dataclass(frozen=True)
class Reference:
    """What the summary tells of a solution by projection, and the policies that it can judge, if there are any."""

    record: ReferenceSolution
    policies: tuple[str, ...] = ()
    exact: Truth | None = None

    @classmethod
    def omit(cls, reason: str) -> "Reference":
        """A reference of no policy."""
        return cls(ReferenceSolution(omitted=f"No reference solution: {reason}."))


def solve_reference(economy: Economy, sets: Mapping[str, tf.Tensor]) -> Reference:
    """The solution around the simulated states `sets["path"]`, of policies that it knows better than the economy does.

    The sets [n, n_states] count where that region covers them. The expectation of `economy` is that of the solution.
    """
    model, path = economy.model, sets["path"].numpy().astype(float)
    reason = find_obstacle(model) if economy.steady is not None else "it starts from the solution near a steady state"
    with np.errstate(invalid="ignore", divide="ignore"):
        numbers = np.isfinite(coordinates(path, in_logs(model.states))).all()
    if reason is None and not numbers:
        reason = "some simulated paths lead to where there are no numbers"
    if reason is not None:
        return Reference.omit(reason)
    region = Region.enclose(path, in_logs(model.states))
    covered = {n: x for n, s in sets.items() if len(x := tf.cast(s, tf.float64)[region.covers(s)])}
    learned, spread = evaluate_on_sets(economy, covered), {n: s[:: -(-len(s) // JUDGED)] for n, s in covered.items()}
    few = tf.concat(list(spread.values()), 0)
    regions, outside, near = [region], region.find_outermost(path), evaluate_policies(economy, few)
    for _ in range(max(dates for dates, _ in ATTEMPTS[path.shape[1]])):
        outside = region.find_outermost(reach_tomorrow(economy, outside))
        regions.append(regions[-1].enlarge(outside))
    values = differing = projection = None
    for dates, degree in list_attempts(model):
        try:
            attempt = Projection(economy, regions[dates], degree)
        except InputError as error:
            return Reference.omit(str(error))
        if not attempt.solve(few, near, STEP_SHARE):
            continue
        projection, before, values = attempt, values, evaluate_on_sets(attempt.economy, covered)
        if before is not None:
            differing = measure_gaps(values, before)
            if not find_doubtful(differing, measure_gaps(values, learned)):
                break
    if differing is None:
        return Reference.omit("the projection method did not converge")
    finer = build_expectation(model, partial(gauss_hermite, nodes=FINER_NODES.get(count_normals(model))))
    shift = projection.estimate_shift(finer, covered)
    differing = {s: {p: x + shift[s][p] for p, x in named.items()} for s, named in differing.items()}
    return judge_policies(projection.economy, region, covered, differing, measure_gaps(values, learned))


def list_attempts(model: Model) -> list[tuple[int, int]]:
    """Those of ATTEMPTS that have few enough coefficients."""
    n, outputs = (sum(map(width, declared)) for declared in (model.states, free_policies(model.policies)))
    return [a for a in ATTEMPTS[n] if outputs * math.comb(n + a[1], n) <= COEFFICIENTS]


def find_obstacle(model: Model) -> str | None:
    """Why a model has no reference solution, None where it may have one."""
    n = sum(map(width, model.states))
    if n not in ATTEMPTS:
        return f"it is made for up to {max(ATTEMPTS)} states, and the model has {n}"
    if fixed(model.states).any():
        return "it is made for one economy, and this is a family"
    if multipliers(model):
        return "a polynomial does not follow the kink of a constraint that binds at times"
    if len(list_attempts(model)) < 2:
        return "it is made for fewer policies"
    if count_normals(model) > max(FINER_NODES):
        return f"it is made for up to {max(FINER_NODES)} normal shocks, and the model has {count_normals(model)}"
    return None


def find_doubtful(differing: Policies, distances: Policies) -> list[str]:
    """The policies whose distance, its mean or maximum on some set, is not known to AGREEMENT."""
    return [
        p for p in next(iter(distances.values()))
        if not all(statistic(differing[s][p]) <= AGREEMENT * statistic(named[p])
                   for s, named in distances.items() for statistic in (np.mean, np.max))
    ]  # fmt: skip


def judge_policies(
    economy: Economy, region: Region, states: Mapping[str, tf.Tensor], differing: Policies, distances: Policies
) -> Reference:
    """What a solution tells of the policies whose differences and distances at the states are given."""
    left_out, names = find_doubtful(differing, distances), list(next(iter(distances.values())))
    agreement, distance = (
        {p: {name: float(statistic([statistic(named[p]) for named in by_set.values()]))
             for name, statistic in (("mean", np.mean), ("max", np.max))} for p in names}
        for by_set in (differing, distances)
    )  # fmt: skip
    omitted = None
    if left_out:
        worst = max(left_out, key=lambda p: agreement[p]["max"] / max(distance[p]["max"], np.finfo(float).tiny))
        omitted = (f"No reference for {', '.join(left_out)}: two solutions by projection differ by up to "
                   f"{format_error(agreement[worst]['max'])}, and that is too much to judge a policy that is "
                   f"{format_error(distance[worst]['max'])} from them.")  # fmt: skip
        if not np.isfinite(agreement[worst]["max"]):
            omitted = f"No reference for {', '.join(left_out)}: a solution by projection has no numbers at some states."
    judged = tuple(p for p in names if p not in left_out)
    if not judged:
        return Reference(ReferenceSolution(agreement, omitted=omitted))
    values = lambda at: {p: v for p, v in evaluate_policies(economy, at).items() if p in judged}
    parts = [economy.residuals(part[:JUDGED]) for part in states.values()]
    sizes = np.abs(np.concatenate([np.ravel(r) for part in parts for r in part.values()]))
    record = ReferenceSolution(agreement, float(sizes.mean()), float(sizes.max()), omitted)
    return Reference(record, judged, Truth("reference", values, region.covers))
