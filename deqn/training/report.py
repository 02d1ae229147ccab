"""What training tells: reports along the way, their record in metrics.csv and TensorBoard's files, and how it went."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from deqn.system.files import guard_write, write_text


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Absolute residuals on validation states; each row of a vector equation is an equation of its own."""

    error: float  # the mean over states of the worst equation, on which training decides
    worst: str  # that equation, "euler" or "euler[3]"
    mean: dict[str, float]  # over states and rows, by equation
    max: dict[str, float]
    defined: float = 1.0  # share of the states at which every equation has a number
    defined_error: float = math.inf  # as `error`, over these states alone
    exact: bool = False  # whether every equation is at the rounding error of its own arithmetic


@dataclass(frozen=True, kw_only=True)
class Report(Errors):
    """What is known at a report, with the errors on fresh validation states."""

    step: int  # of all stages together
    stage: str
    seconds: float
    loss: float
    rates: dict[str, float]  # the stage's learning rate, or its damping
    lost_paths: int = 0  # simulated paths drawn anew so far, of training and validation


Watch = Callable[[Report], None]  # receives every report, and ends the run by raising an exception of its own


@dataclass(frozen=True)
class Rung:
    """A stage of the training as it went: its name, steps and seconds, and the best mean validation error after it."""

    stage: str
    steps: int
    seconds: float
    error: float


@dataclass(frozen=True)
class TrainingResult:
    """How training went."""

    ended: str  # steps, stuck, target, enough, patience, misled, seconds, interrupted or diverged
    problems: tuple[str, ...]  # what went wrong in any stage
    steps: dict[str, int]  # by stage
    states_visited: int
    lost_paths: int  # simulated paths that were lost and drawn anew, of training and validation
    error: float  # the best mean validation error of the worst equation; infinite where none was finite
    compile_seconds: float  # the first call of each stage
    train_seconds: float  # all the rest
    rungs: tuple[Rung, ...] = ()  # what was run since the last resume, in order

    @property
    def status(self) -> str:
        """What the verdict starts from: a policy that was finite at one report is judged, whatever came later."""
        if self.ended == "interrupted":
            return "interrupted"
        return "trained" if math.isfinite(self.error) else "diverged"

    @property
    def problem(self) -> str | None:
        """What went wrong, a line each."""
        return "\n".join(self.problems) or None


class Metrics:
    """metrics.csv: a row per report, written at once. On resume those of the checkpoint, `rows`, are kept."""

    def __init__(self, folder: Path, rows: int):
        self._path = folder / "metrics.csv"
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True) if self._path.exists() else []
        kept = lines[: rows + 1] if rows else []
        self.kept = list(csv.DictReader(kept))  # the rows of an earlier start
        if lines:
            write_text(self._path, "".join(kept))

    def add(self, report: Report) -> None:
        """Append a report. Raises FileError."""
        row = to_row(report)
        with guard_write(self._path), self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


class Events:
    """tensorboard/: the numbers of metrics.csv as scalars, written anew at every start so that no step is there twice.

    Needs no tensorboard package; `tf.summary.scalar` would.
    """

    def __init__(self, folder: Path, metrics: Metrics):
        place = folder / "tensorboard"
        for old in place.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = tf.summary.create_file_writer(str(place))
        kind = tf.compat.v1.SummaryMetadata
        self._scalar = kind(plugin_data=kind.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR")
        for row in metrics.kept:
            self._write(row)

    def add(self, report: Report) -> None:
        self._write({name: str(x) for name, x in to_row(report).items()})

    def _write(self, row: dict[str, str]) -> None:
        with self._writer.as_default(int(row["step"])):
            for name, value in row.items():
                if name not in ("step", "stage", "worst") and value:
                    tf.summary.write(name, tf.constant(float(value), tf.float32), metadata=self._scalar)
        self._writer.flush()


def to_row(report: Report) -> dict[str, str | float]:
    """A report as a row of metrics.csv; a rate that its stage does not have is empty."""
    return {
        "step": report.step, "stage": report.stage, "seconds": round(report.seconds, 3), "loss": report.loss,
        **dict.fromkeys(("learning_rate", "damping", "change", "solved"), ""), **report.rates,
        "error": report.error, "worst": report.worst, "lost_paths": report.lost_paths,
        **{f"mean_{name}": x for name, x in report.mean.items()},
        **{f"max_{name}": x for name, x in report.max.items()},
    }  # fmt: skip
