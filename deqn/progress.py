"""What a user sees while a run goes on: a live display on a terminal, a plain line every few seconds elsewhere."""

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from deqn.train import Report

LINE_SECONDS = 5


class Display:
    """Shows a stage's progress; a context, closed before anything else is printed."""

    def __init__(self, console: Console, stage: str, steps: int, done: int):
        self._console, self._stage, self._steps = console, stage, steps
        self._first, self._start, self._printed = done, time.monotonic(), 0.0
        self._report: Report | None = None
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
        )
        self._task = self._bar.add_task(stage, total=steps, completed=done)
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

    def update(self, step: int, loss: float) -> None:
        """Show the newest step."""
        seconds = time.monotonic() - self._start
        pace = (step - self._first) / seconds if seconds > 0 else 0.0
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step)
            self._live.update(Group(self._bar, Text(self._errors(loss, pace))))
        elif seconds - self._printed >= LINE_SECONDS:
            self._printed = seconds
            left = (self._steps - step) / pace if pace else 0.0
            self._console.print(
                f"{self._stage} {step}/{self._steps}, {left:.0f} s left: {self._errors(loss, pace)}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip

    def _errors(self, loss: float, pace: float) -> str:
        text = f"loss {loss:.1e}"
        if self._report is not None:
            worst = self._report.worst
            text += f", error mean {self._report.error:.1e}, worst {self._report.max[worst]:.1e} ({worst})"
        return f"{text}, {pace:.0f} steps/s"
