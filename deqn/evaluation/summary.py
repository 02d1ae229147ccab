"""summary.json as typed values: what a run was asked for, how its training went, and what was measured afterwards.

A field without a default is always in the file, as null if it is None; a field with a default is then left out. Keys
that a file of an earlier release lacks are read as None. Needs no TensorFlow.
"""

import json
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from deqn.system.files import without_nonfinite

Statistics = dict[str, float]  # of absolute residuals (shares): mean, median, p90, p99, p999, max
CONVERGENCE_SPREAD = 0.01  # of the box: paths that end closer have come together


@dataclass(frozen=True)
class TrainingRecord:
    """Why training `ended`, its last `error` (share), and the settings that advice refers to."""

    ended: str
    problem: str | None
    lost_paths: int
    error: float | None
    anchor: str
    nodes: int | None
    hidden: list[int] | None
    switches: list[int] | None = None  # places of the equations with kinks that no multiplier declares


@dataclass(frozen=True)
class RungRecord:
    """A stage of the training: its steps and seconds, and the best mean validation error after it (share)."""

    stage: str
    steps: int
    seconds: float
    error: float | None


@dataclass(frozen=True)
class WaypointRecord:
    """A solution on the way of a continuation: its parameters, mean path error (share), and seconds."""

    values: dict[str, float]
    error: float | None
    seconds: float


@dataclass(frozen=True)
class StartRecord:
    """Where training started and which way it took: the candidate, the mean errors of all of them, and the stages.

    `continuation`: the solutions on the way to the run, in whose last it started.
    """

    taken: str
    errors: dict[str, float]
    rungs: list[RungRecord]
    solved: dict[str, float] | None = None  # by start: share of the box at which today's equations are solved
    continuation: list[WaypointRecord] | None = None


@dataclass(frozen=True)
class WorstEquation:
    """The equation with the largest mean absolute residual."""

    equation: str
    mean: float


@dataclass(frozen=True)
class UnitRoot:
    """An eigenvalue one of the closed loop and the states that it moves; `kind`: exogenous, conserved or drift."""

    kind: str
    states: list[str]


@dataclass(frozen=True)
class Settled:
    """A point at which a share of paths settles that starts all over the box, shocks at their means."""

    states: dict[str, float]
    share: float
    spectral_radius: float


@dataclass(frozen=True)
class Stability:
    """Eigenvalues of the closed loop, and how far paths from dispersed starts stay apart, shocks at their means."""

    spectral_radius: float  # the largest modulus
    decaying: float  # the largest modulus beside the unit roots of the equations
    unit_roots: list[UnitRoot]
    tested: bool  # whether paths can be followed for the `return_periods`
    return_spread: float | None  # if so, the largest distance that is left between them, in widths of the box
    return_distance: float | None  # and that to the steady state, in widths of the box
    return_periods: float  # in which the slowest mode shrinks distances by 1e-4
    lost: float  # share of starts that lead to where there are no numbers
    rest_points: list[Settled] | None = None  # where paths settle, if that is not the steady state alone
    shared_spread: float | None = None  # under risk, between paths with the same shocks, where they rest nowhere

    @property
    def contracts(self) -> bool:
        """Whether the closed loop contracts beside its unit roots, and dispersed starts come together."""
        if self.shared_spread is not None:
            return self.shared_spread < CONVERGENCE_SPREAD
        return self.decaying < 1 and (not self.tested or self.return_spread < CONVERGENCE_SPREAD)


@dataclass(frozen=True)
class FirstOrder:
    """Errors of the first-order solution by set, where it is `defined` (share of states); empty where there is none."""

    euler_errors: dict[str, dict[str, Statistics]] | None = None
    defined: dict[str, float] | None = None
    roots: list[float] | None = None
    note: str | None = None


@dataclass(frozen=True)
class ClosedForm:
    """Residual of the closed form, and the equations that it does not solve, listed where the residual is large."""

    mean: float
    max: float
    wrong: list[str] | None = None


@dataclass(frozen=True)
class ReferenceSolution:
    """How far two solutions by projection agree, their residual, and why policies have no reference."""

    agreement: dict[str, Statistics] | None = None
    mean: float | None = None
    max: float | None = None
    omitted: str | None = None


@dataclass(frozen=True)
class ConstraintErrors:
    """The share of states at which a constraint binds, both ends of it, and the errors on either side of the kink."""

    share: float
    share_low: float  # errors beside the kink allow for it, and on paths two standard errors of the simulation
    share_high: float
    binding: Statistics | None = None
    slack: Statistics | None = None


@dataclass(frozen=True)
class Sample:
    """How paths were sampled, see `evaluate.choose_sample`."""

    periods: int
    needed: float | None
    at_rest: bool
    burn_in: int


@dataclass(frozen=True)
class Summary:
    """The content of summary.json. Sets are `path` and `box`; errors are absolute residuals (shares) by equation."""

    model: str
    parameters: dict[str, Any]
    pseudo_states: dict[str, list[float]]
    changed: dict[str, Any]
    status: str
    tolerance: float
    seed: int
    dtype: str
    seconds: dict[str, float]
    steps: dict[str, int]
    states_visited: int
    training: TrainingRecord | None = None
    start: StartRecord | None = None
    worst_equation: dict[str, WorstEquation] | None = None
    euler_errors: dict[str, dict[str, Statistics]] | None = None
    policy_errors: dict[str, dict[str, Statistics]] | None = None
    stability: Stability | None = None
    stable: bool | None = None
    first_order: FirstOrder | None = None
    closed_form: ClosedForm | None = None
    reference: ReferenceSolution | None = None
    constraints: dict[str, dict[str, ConstraintErrors]] | None = None
    left_box: dict[str, dict[str, float]] | None = None  # by state: shares of path states below and above, extremes
    errors_by_thirds: dict[str, dict[str, list[Statistics]]] | None = None
    sample: Sample | None = None
    overrides: list[str] | None = None
    signal: int | None = None
    final: bool = False  # the run came to its end, so that `signal` says what ended it, None where nothing did

    @property
    def path_error(self) -> WorstEquation:
        """The worst equation on the simulated path, whose mean decides; of an earlier release that of all equations."""
        if self.worst_equation is None:
            return WorstEquation("all", self.euler_errors["path"]["all"]["mean"])
        return self.worst_equation["path"]

    def begin_anew(self, **changes: Any) -> "Summary":
        """What is the same however the solution is judged: nothing of its training, and nothing that was measured."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.default is MISSING}
        return Summary(**kept | {"status": "evaluated", "seconds": {}} | changes)

    def to_json(self) -> dict[str, Any]:
        """The content of summary.json; numbers that are not finite become None."""
        content = without_nonfinite(to_content(self))
        return content | {"signal": self.signal} if content.pop("final") else content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Summary":
        """The summary that the content of a summary.json tells of, also one of an earlier release."""
        return replace(from_content(cls, content), final="signal" in content)


def read_summary(folder: Path) -> Summary:
    """The summary that a run left in its folder. Raises OSError, or ValueError where it is damaged."""
    return Summary.from_json(json.loads((folder / "summary.json").read_text(encoding="utf-8")))


def from_content(kind: Any, content: Any) -> Any:
    """A value of an annotated type from plain JSON; None where there is none, and for each field that is missing."""
    if content is None:
        return None
    if isinstance(kind, UnionType):  # a type, or None
        kind = get_args(kind)[0]
    if is_dataclass(kind):
        return kind(**{f.name: from_content(f.type, content.get(f.name)) for f in fields(kind)})
    if get_origin(kind) is dict:
        return {key: from_content(get_args(kind)[1], x) for key, x in content.items()}
    if get_origin(kind) is list:
        return [from_content(get_args(kind)[0], x) for x in content]
    return content


UNKNOWN = from_content(TrainingRecord, {})  # training of a solution that is judged anew


def to_content(value: Any) -> Any:
    """Nested dataclasses as dictionaries, without the fields that have a default and are None."""
    if is_dataclass(value):
        given = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: to_content(x) for f, x in given if x is not None or f.default is MISSING}
    if isinstance(value, dict):
        return {key: to_content(x) for key, x in value.items()}
    return [to_content(x) for x in value] if isinstance(value, list) else value
