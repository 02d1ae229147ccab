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
    distance: Distance | None = None
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


UNKNOWN = from_content(TrainingRecord, {})  # training of a solution that is judged anew
