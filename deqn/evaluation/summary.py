"""summary.json as typed values: what a run was asked for, how its training went, and what was measured afterwards.

Keys that a file of an earlier release lacks are read as None (system/typed_json.py). Needs no TensorFlow.
"""

import json
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from deqn.evaluation.records import (
    ClosedForm,
    ConstraintErrors,
    Distance,
    FirstOrder,
    ReferenceSolution,
    Sample,
    Stability,
    StartRecord,
    Statistics,
    TrainingRecord,
    WorstEquation,
)
from deqn.system.files import without_nonfinite
from deqn.system.typed_json import from_content, to_content


@dataclass(frozen=True)
class Summary:
    """The content of summary.json. Sets are `path` and `box`; errors are absolute residuals (shares) by equation."""

    model: str  # the name in model=NAME
    parameters: dict[str, Any]  # of the model, as it was solved
    pseudo_states: dict[str, list[float]]  # the interval of each parameter that is a state of a family
    changed: dict[str, Any]  # settings that differ from the recommended ones
    status: str  # converged, not_converged, diverged, interrupted, or evaluated
    tolerance: float  # of the mean path error of the worst equation
    seed: int  # of network, training states and evaluation
    dtype: str  # float64 or float32
    seconds: dict[str, float]  # by phase, and in total
    steps: dict[str, int]  # of each stage of the training
    states_visited: int  # states at which residuals were computed in training
    training: TrainingRecord | None = None  # how training ended
    start: StartRecord | None = None  # where training began, and its stages
    worst_equation: dict[str, WorstEquation] | None = None  # by set; its mean on `path` decides
    euler_errors: dict[str, dict[str, Statistics]] | None = None  # by set and equation, and over `all`
    policy_errors: dict[str, dict[str, Statistics]] | None = None  # by kind of reference and policy, in its own unit
    stability: Stability | None = None  # of the closed loop
    stable: bool | None = None  # whether it contracts; null where nothing tells
    distance: Distance | None = None  # what the residuals add up to over the dates to come
    first_order: FirstOrder | None = None  # the linear solution on the same states
    closed_form: ClosedForm | None = None  # how well the model's closed form solves its equations
    reference: ReferenceSolution | None = None  # how well the solution by projection is known
    constraints: dict[str, dict[str, ConstraintErrors]] | None = None  # by set and multiplier
    left_box: dict[str, dict[str, float]] | None = None  # by state: shares of path states below and above, extremes
    errors_by_thirds: dict[str, dict[str, list[Statistics]]] | None = None  # by set and parameter of a family
    sample: Sample | None = None  # how the paths were drawn
    overrides: list[str] | None = None  # of deqn-evaluate
    signal: int | None = None  # which ended the run; null where none did
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


UNKNOWN = from_content(TrainingRecord, {})  # training of a solution that is judged anew
