"""What a user sees while a run goes on: a live display on a terminal, a plain line every few seconds elsewhere."""

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from deqn.train import Report, Stage

LINE_SECONDS = 5


class Display:
    """Shows the progress of one stage after the other; a context, closed before anything else is printed."""

    def __init__(self, console: Console):
        self._console, self._stage, self._printed = console, "", time.monotonic()
        self._report: Report | None = None
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
        )
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
        if stage.name != self._stage:
            self._stage, self._first, self._start = stage.name, step, now
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._task = self._bar.add_task(stage.name, total=steps, completed=step)
        pace = (step - self._first) / (now - self._start) if now > self._start else 0.0
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step)
            self._live.update(Group(self._bar, Text(self._errors(loss, pace))))
        elif now - self._printed >= LINE_SECONDS:
            self._printed = now
            left = f", {(steps - step) / pace:.0f} s left" if pace else ""  # at the first look there is no pace
            self._console.print(
                f"{stage.name} {step}/{steps}{left}: {self._errors(loss, pace)}",
                highlight=False, no_wrap=True, overflow="ellipsis",
            )  # fmt: skip

    def _errors(self, loss: float, pace: float) -> str:
        text = f"loss {loss:.1e}"
        if self._report is not None:
            text = (
                f"error mean {self._report.error:.1e} ({self._report.worst}), max {max(self._report.max.values()):.1e}"
            )
        return f"{text}, {pace:.3g} steps/s" if pace else text
