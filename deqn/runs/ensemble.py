"""An ensemble: solutions of one economy from several seeds, or networks, as one; their mean and how far they spread.

The policies of the mean are the mean of the policies. The spread of a number is the standard deviation of the same
number across the solutions: what a seed, and not the economy, decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deqn.economy.exact import Truth
from deqn.evaluation.judgements import judge
from deqn.evaluation.moments import tabulate_moments
from deqn.evaluation.responses import percent_deviations
from deqn.evaluation.summary import Summary
from deqn.policies.network import EnsemblePolicy
from deqn.runs import verdict
from deqn.runs.solution import Solution, load_solution
from deqn.system.clock import Clock
from deqn.system.errors import InputError


@dataclass(frozen=True)
class Ensemble:
    """Solutions of one economy; their mean answers as a `Solution` does, with a column `<name>_spread` for each other.

    Raises InputError for fewer than two solutions, or where they are not of one economy and type of numbers.
    """

    solutions: tuple[Solution, ...]

    def __post_init__(self):
        if len(self.solutions) < 2:
            raise InputError("an ensemble has at least two solutions")
        for one in self.solutions[1:]:
            check_alike(self.solutions[0], one)

    def __repr__(self) -> str:
        return f"Ensemble({len(self.solutions)} solutions of {self.solutions[0].summary['model']})"

    @cached_property
    def mean(self) -> Solution:
        """The solution whose policies are the mean, not judged yet; evaluation and seed are those of the first."""
        first = self.solutions[0]
        policy = EnsemblePolicy([one.economy.policy for one in self.solutions])
        return replace(first, economy=replace(first.economy, policy=policy), result=first.result.begin_anew())

    def policy(self, states: Mapping[str, Any], **parameters: Any) -> pd.DataFrame:
        """Policies and definitions at given states, one row each, as `Solution.policy` has them."""
        return self.with_spread(lambda one: one.policy(states, **parameters))

    def irf(self, name: str, size: float = 1.0, periods: int = 40, **parameters: float) -> pd.DataFrame:
        """Deviations, in levels, of every variable from the baseline path, as `Solution.irf` has them."""
        return self.with_spread(lambda one: one.irf(name, size, periods, **parameters))

    def moments(self, periods: int = 200, paths: int = 100, seed: int = 1, **parameters: float) -> pd.DataFrame:
        """Moments along simulated paths with the same shocks, as `Solution.moments` has them."""
        return self.with_spread(lambda one: one.moments(periods, paths, seed, **parameters))

    def simulate(self, periods: int = 200, paths: int = 100, seed: int = 1, **parameters: float) -> pd.DataFrame:
        """Paths under the mean policies, as `Solution.simulate` has them."""
        return self.mean.simulate(periods, paths, seed, **parameters)

    def euler_errors(self, seed: int | None = None) -> pd.DataFrame:
        """Absolute residuals of the mean policies, as `Solution.euler_errors` has them, and the solutions' spread."""
        return self.with_spread(lambda one: one.euler_errors(seed))

    def with_spread(self, table: Callable[[Solution], pd.DataFrame]) -> pd.DataFrame:
        """A table of the mean, each column followed in the same order by one of its spread across the solutions."""
        return table(self.mean).join(measure_spread([table(one) for one in self.solutions]).add_suffix("_spread"))


def publish_ensemble(ensemble: Ensemble, folder: Path) -> Summary:
    """Judge the mean as any solution is judged, and write its tables and figures, with bands. Raises FileError."""
    clock, mean = Clock(), ensemble.mean
    with clock.phase("evaluate"):
        case = verdict.compose_case(mean, mean.finer_economy)
        summary = judge(case)
    with clock.phase("report"):
        folder.mkdir(parents=True, exist_ok=True)
        verdict.write_errors(folder, summary, case.compared)
        evaluation, seed = mean.settings.evaluation, mean.settings.seed
        simulate = lambda one: one.simulate(evaluation.periods, evaluation.paths, seed)
        simulated, each = simulate(mean), [tabulate_moments(simulate(one)) for one in ensemble.solutions]
        tabulated = tabulate_moments(simulated).join(measure_spread(each).add_suffix("_spread"))
        verdict.write_simulation(folder, simulated, tabulated)
        if evaluation.figures:
            verdict.draw_figures(folder, case, simulated, compute_bands(ensemble, case.exact))
    summary = replace(summary, seconds=clock.seconds())
    verdict.write_summary(folder, summary)
    return summary


def compute_bands(ensemble: Ensemble, exact: Truth | None) -> verdict.Curves:
    """The curves of the mean, with their spread across the solutions."""
    mean = verdict.compute_curves(ensemble.mean.economy, exact)
    each = [verdict.compute_curves(one.economy) for one in ensemble.solutions]
    slices = {}
    for state, table in mean.slices.items():
        spread = measure_spread([one.slices[state] for one in each])
        slices[state] = table.join(spread.drop(columns=state).add_prefix("spread "))
    deviations = [{label: percent_deviations(*paths) for label, paths in one.responses.items()} for one in each]
    spreads = {label: measure_spread([one[label] for one in deviations]) for label in mean.responses}
    return replace(mean, slices=slices, spreads=spreads)


def measure_spread(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The standard deviation of each number across tables of one shape."""
    spread = np.std([table.to_numpy(float) for table in tables], axis=0, ddof=1)
    return pd.DataFrame(spread, tables[0].index, tables[0].columns)


def load(folder: str | Path | Sequence[str | Path]) -> Solution | Ensemble:
    """The solution that a run left in its folder, or the ensemble of those in several folders.

    `gallery:NAME` is a folder, too: that of a solved economy which comes with the package.

    Raises FileError where a folder is incomplete or damaged, InputError where the solutions are not of one economy.
    """
    if isinstance(folder, str | Path):
        return load_solution(folder)
    return Ensemble(tuple(map(load_solution, folder)))


def check_alike(first: Solution, other: Solution) -> None:
    """Two solutions are of one economy. Raises InputError naming what differs."""
    for key in ("model", "parameters", "pseudo_states", "dtype"):
        ours, theirs = first.summary[key], other.summary[key]
        pairs = [(key, ours, theirs)]
        if isinstance(ours, Mapping):
            pairs = [(f"{key} {name}", ours.get(name), theirs.get(name)) for name in {**ours, **theirs}]
        for what, one, two in pairs:
            if one != two:
                raise InputError(f"an ensemble is of one economy: {first.folder} and {other.folder} differ in {what}, "
                                 f"{one} and {two}")  # fmt: skip
