import io
import signal
from types import SimpleNamespace

import pytest
from rich.console import Console

from deqn.system.processes import Interrupt
from deqn.training import progress
from deqn.training.progress import Display
from deqn.training.report import Report
from deqn.training.stage import Round

REPORT = Report(
    step=100, stage="adam", seconds=1.0, loss=1e-6, rates={"learning_rate": 1e-3}, error=4e-5, worst="labour",
    mean={"euler": 2e-5, "labour": 4e-5}, max={"euler": 3e-3, "labour": 1e-4},
)  # fmt: skip


def at(step, name="adam", cycles=500):
    """A stage of 1000 steps that has come so far."""
    return SimpleNamespace(name=name, step=step, cycles=cycles, steps_per_cycle=2, work=1.0, progress="")


def test_plain_lines_without_a_terminal(monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    out = io.StringIO()
    with Display(Console(file=out, width=80)) as display:
        stage = at(50)
        display.update(stage, 1e-5)
        display.report(REPORT)
        stage.step = 100
        display.update(stage, 1e-6)
        display.update(at(1, "levenberg_marquardt", 20), 1e-9)
    first, second, third = out.getvalue().splitlines()
    assert third.startswith("levenberg_marquardt 1/40: ") and "left" not in third  # nothing is known of its pace
    assert first == "adam 50/1000: loss 1.0e-05" and second.startswith("adam 100/1000, ") and "left: " in second
    assert "error mean 4.0e-05 (labour), max 3.0e-03" in second and "\x1b" not in second


def test_lines_come_every_few_seconds_only():
    out = io.StringIO()
    with Display(Console(file=out)) as display:
        for step in range(100):
            display.update(at(step), 1.0)
    assert out.getvalue() == ""


def test_a_live_display_on_a_terminal():
    out = io.StringIO()
    with Display(Console(file=out, force_terminal=True, width=80)) as display:
        display.report(REPORT)
        display.update(at(500), 1e-6)
        display._live.refresh()
    assert "500/1000" in out.getvalue() and "4.0e-05 (labour), max 3.0e-03" in out.getvalue()


def test_the_first_signal_is_noted_and_the_second_stops():
    previous = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is previous


def test_the_time_left_is_that_of_all_stages_to_come(monkeypatch):
    """Half a second a step, 90 steps left; then 20 steps of tenfold work take 100 s more, unless time is up before."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    first = SimpleNamespace(name="adam", step=5, cycles=100, steps_per_cycle=1, work=2.0, progress="")
    later = SimpleNamespace(name="bfgs", step=0, cycles=20, steps_per_cycle=1, work=20.0, progress="")
    for limit, said in ((None, "at most 2 min left"), (61.0, "at most 60 s left")):
        out = io.StringIO()
        with Display(Console(file=out, width=120), [Round([first, later])], limit) as display:
            display.report(REPORT)  # at one second
            first.step = 5
            display.update(first, 1.0)
            first.step, now[0] = 10, now[0] + 2.5
            display.update(first, 1.0)
        assert said in out.getvalue()
    assert [progress.format_duration(s) for s in (9.4, 150, 14823)] == ["9 s", "2 min", "4.1 h"]
