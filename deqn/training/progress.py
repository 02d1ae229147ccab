"""What a user sees while a run goes on: a live display on a terminal, a plain line every few seconds elsewhere."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from deqn.training.report import Events, Metrics, Report, Watch
from deqn.training.stage import Round, Stage, count_remaining

LINE_SECONDS = 5
log = logging.getLogger("deqn")


class Display:
    """Shows the progress of one stage after the other; a context, closed before anything else is printed.

    The time left is an upper bound: all stages of a round run to their last step, later ones at a pace that
    `Stage.work` tells. Another round, if it comes, is not foreseen.
    """

    def __init__(self, console: Console, rounds: Sequence[Round] = (), seconds: float | None = None):
        self._console, self._rounds, self._seconds = console, rounds, seconds
        self._printed, self._report = time.monotonic(), None
        self._stage: Stage | None = None
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn())
        self._live = Live(self._bar, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_) -> None:
        self._live.stop()

    def report(self, report: Report) -> None:
        """Keep the newest validation errors."""
        self._report = report

    def update(self, stage: Stage, loss: float) -> None:
        """Show the newest step of a stage."""
        now, step, steps = time.monotonic(), stage.step, stage.cycles * stage.steps_per_cycle
        if stage is not self._stage:
            self._stage, self._first, self._start = stage, step, now
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._task = self._bar.add_task(stage.name, total=steps, completed=step)
        pace = (step - self._first) / (now - self._start) if now > self._start else 0.0
        left = self._left(stage, pace)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step)
            self._live.update(Group(self._bar, Text(f"{self._errors(stage, loss, pace)}{left}")))
        elif now - self._printed >= LINE_SECONDS:
            self._printed = now
            text = f"{stage.name} {step}/{steps}{left}: {self._errors(stage, loss, pace)}"
            self._console.print(text, highlight=False, no_wrap=True, overflow="ellipsis")

    def _left(self, stage: Stage, pace: float) -> str:
        """The time left, in words; nothing where there is no pace yet."""
        if not pace:
            return ""
        own = next((r.stages for r in self._rounds if stage in r.stages), [stage])
        later = own[own.index(stage) + 1 :]
        seconds = sum(count_remaining(s) * s.work for s in (stage, *later)) / stage.work / pace
        if self._seconds is not None and self._report is not None:
            seconds = min(seconds, max(self._seconds - self._report.seconds, 0.0))
        return f", at most {format_duration(seconds)} left"

    def _errors(self, stage: Stage, loss: float, pace: float) -> str:
        text, latest = f"loss {loss:.1e}", self._report
        if stage.progress:
            text = stage.progress
        elif latest is not None:
            text = f"error mean {latest.error:.1e} ({latest.worst}), max {max(latest.max.values()):.1e}"
        return f"{text}, {pace:.3g} steps/s" if pace else text


@dataclass(frozen=True)
class Journal:
    """Observes training: every report goes to the files, the display, the log and whoever watches."""

    records: Sequence[Metrics | Events]
    display: Display
    watch: Watch | None = None

    def report(self, report: Report) -> None:
        """Pass a report on; an exception that `watch` raises ends the training."""
        for record in self.records:
            record.add(report)
        self.display.report(report)
        if report.lost_paths:
            log.info("lost paths drawn anew so far: %d", report.lost_paths)
        log.info("%s, step %d: loss %.3e, error %.3e (%s)", report.stage, report.step, report.loss, report.error,
                 report.worst)  # fmt: skip
        if self.watch is not None:
            self.watch(report)


def format_duration(seconds: float) -> str:
    """A time in two digits or so, in a unit that fits."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
