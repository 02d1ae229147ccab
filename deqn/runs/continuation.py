"""Homotopy: an economy that is hard to solve is reached from an easier one, along a line of parameters.

At the first values the economy is solved as any other. From a solution the parameters move as far along the line as its
residuals allow, and half as far where the economy is not solved there. Each solution on the way is a run of its own,
in `continuation/` of the run's folder, and the start of the next.

Source: Judd (1998, chapter 5) on homotopy methods.
"""

import logging
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deqn.configuration.job import Job, prepare_job
from deqn.economy.domain import Box, SobolPoints
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import choose_rule
from deqn.equations.residuals import residuals, stack_rows
from deqn.evaluation.records import WaypointRecord
from deqn.model.declaration import Model
from deqn.runs.solution import Solution, load_solution
from deqn.runs.start import GOOD, MOST
from deqn.system.errors import DeqnError, FileError
from deqn.system.files import format_error
from deqn.training.rules import NEAR

FOLDER = "continuation"
HALVED = 5  # times that a step may be halved, from the distance to the next of the values that are given
POINTS = 512  # of the box, at which residuals decide how far to go
REPLACED = ("start", "resume", "hydra", "continuation")  # words of a run that none on the way has
log = logging.getLogger("deqn")


class NoWay(DeqnError):
    """A continuation got stuck on its way; what it reached is there."""

    exit_code = 4


@dataclass(frozen=True)
class Line:
    """Straight lines between the values of each parameter, all of which change together."""

    values: dict[str, list[float]]

    @property
    def end(self) -> float:
        """The place of the last values; that of the first is zero, and they are one apart."""
        return len(next(iter(self.values.values()))) - 1.0

    def at(self, place: float) -> dict[str, float]:
        """The parameters at a place."""
        return {n: float(np.interp(place, np.arange(len(x)), x)) for n, x in self.values.items()}


@dataclass(frozen=True)
class Waypoint:
    """A solution on the way."""

    place: float
    solution: Solution
    record: WaypointRecord

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal ended it, which ends the way, too."""
        return self.solution.result.status == "interrupted"

    @property
    def is_usable(self) -> bool:
        """Whether the next may start from it, or has to."""
        result = self.solution.result
        solved = result.path_error.mean <= NEAR * result.tolerance and result.stable is not False
        return solved or self.is_interrupted


SolveAt = Callable[[Job, Path], Solution]


def follow(job: Job, folder: Path, solve: SolveAt, tell: Callable[[str], None]) -> list[Waypoint]:
    """The solutions on the way to a job with a `continuation`, from the last of which the job itself can start.

    `solve`: a job and a folder -> its solution. `tell` receives where it is. Those that an interrupted run has left are
    read. Raises NoWay where the way ends before.
    """
    line = Line(job.settings.continuation)
    arrive = lambda place, start: reach(job, line, place, folder, start, solve)
    reached = [arrive(0.0, None)]
    tell(describe(reached[0].record))
    if not reached[0].is_usable:
        raise NoWay(f"the continuation does not begin: {describe(reached[0].record)}; take other first values")
    while not reached[-1].is_interrupted:
        place, last = reached[-1].place, reached[-1]
        distance = math.floor(place) + 1.0 - place
        smallest = 2.0**-HALVED
        while distance > smallest and measure_error(last.solution, move(job, line.at(place + distance)).model) > GOOD:
            distance /= 2
        if place + distance >= line.end:
            break
        found = None
        while found is None or not found.is_usable:
            if distance < smallest:
                raise NoWay(f"the continuation came as far as {describe(last.record)}, in {last.solution.folder}; "
                            f"beyond it {describe(found.record)}")  # fmt: skip
            found = arrive(place + distance, last.solution)
            tell(describe(found.record))
            distance /= 2
        reached.append(found)
    return reached


def reach(job: Job, line: Line, place: float, folder: Path, start: Solution | None, solve: SolveAt) -> Waypoint:
    """The solution at a place of the line, from the solution `start`: read where it is in its folder."""
    values = line.at(place)
    own = folder / FOLDER / "_".join(f"{n}={x:.6g}" for n, x in values.items())
    try:
        solution = load_solution(own)
        done = solution.result.final and solution.result.status != "interrupted"
    except FileError:
        done = False
    if not done:
        shutil.rmtree(own, ignore_errors=True)
        solution = solve(move(job, values, start), own)
    error = solution.result.path_error.mean
    record = WaypointRecord(values, error if math.isfinite(error) else None, solution.result.seconds["total"])
    return Waypoint(place, solution, record)


def move(job: Job, values: dict[str, float], start: Solution | None = None) -> Job:
    """The job with other parameters and another start; a solution within the tolerance is good enough."""
    names = [f"model.{name}" for name in values]
    kept = [w for w in job.overrides if w.lstrip("+").split("=")[0].split(".")[0] not in REPLACED
            and w.lstrip("+").split("=")[0] not in names]  # fmt: skip
    words = [*kept, *(f"model.{name}={value!r}" for name, value in values.items()), "evaluation.figures=false",
             "evaluation.reference=false", f"train.target={job.settings.tolerance}"]  # fmt: skip
    return prepare_job([*words, *([] if start is None else [f"start={start.folder}"])], job.config_dir)


def measure_error(solution: Solution, model: Model) -> float:
    """The mean residual of a solution's policies in another economy, over its box; infinite where numbers are few."""
    expectation = build_expectation(model, choose_rule(solution.settings.expectation, model))
    expectation.turn_as(solution.economy.expectation)
    policy = solution.economy.policy
    states = SobolPoints(Box(model), POINTS, 0, policy.dtype).points()
    sizes = np.abs(stack_rows(residuals(model, policy, expectation, states), POINTS).numpy())
    usable = np.isfinite(sizes).all(0)
    return float(sizes[:, usable].mean(1).max()) if usable.mean() >= MOST else math.inf


def describe(record: WaypointRecord) -> str:
    """Where a continuation is, in a line."""
    values = ", ".join(f"{name}={value:.4g}" for name, value in record.values.items())
    return f"{values}: mean error {format_error(record.error)} after {record.seconds:.0f} s"
