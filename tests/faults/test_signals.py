"""Signals in every stage: a checkpoint at once, a summary that says so, and a resume that ends as if none had come."""

import json
import os
import signal
import sys
import time

import pytest

from command_line import LITTLE, ONE_STAGE, THREE_STAGES, assert_identical, wait_for
from deqn.system.processes import Interrupt

SLURM = signal.SIGUSR2
CHAIN = [  # where the signal comes, how often that place is met before, the signal
    ("adam", 2, signal.SIGTERM),
    ("levenberg_marquardt", 2, SLURM),
    ("bfgs", 1, signal.SIGINT),
    ("evaluation", 0, SLURM),
]


@pytest.fixture
def handled():
    """What a handler for Slurm's signal saw that was installed before the run."""
    seen = []
    previous = signal.signal(SLURM, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(SLURM, previous)


@pytest.mark.slow
def test_every_stage_is_interrupted_and_resumed_bit_identically(here, sender, three_stages, tmp_path, handled):
    arguments = (*THREE_STAGES, "hydra.run.dir=parts")
    for place, meetings, number in CHAIN:
        sender.plan(place, meetings, number)
        done = here(*arguments)
        assert done.returncode == 128 + number and done.stderr == ""
        assert "INTERRUPTED growth: mean path error" in done.stdout
        summary = json.loads((tmp_path / "parts" / "summary.json").read_text())
        assert summary["status"] == "interrupted" and summary["signal"] == number
        if place != "evaluation":  # whose checkpoint was written before
            newest = max(p.stat().st_mtime for p in (tmp_path / "parts" / "checkpoints").glob("ckpt-*.index"))
            assert sender.sent - 1 < newest < sender.sent + 5
        arguments = ("resume=parts",)
    assert handled == [SLURM, SLURM]
    sender.plan("nowhere")
    assert here("resume=parts").returncode == 0
    assert_identical(three_stages, tmp_path / "parts")


def test_a_second_ctrl_c_is_not_lost_where_an_object_is_deleted(capfd):
    class Deleted:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        interrupt.signal = signal.SIGINT
        Deleted()
        time.sleep(5)
    assert capfd.readouterr().err == ""


def test_earlier_handlers_run_when_all_is_written_and_come_back(handled):
    with Interrupt() as interrupt:
        signal.raise_signal(SLURM)
        signal.raise_signal(signal.SIGTERM)  # a second signal that is not Ctrl-C changes nothing
        assert interrupt.signal == SLURM and handled == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert handled == [SLURM]
    signal.raise_signal(SLURM)
    assert handled == [SLURM, SLURM]


@pytest.mark.slow
def test_an_earlier_handler_that_ends_the_process_comes_last(here, sender, tmp_path):
    """As a cluster's launcher does, which requeues the job and leaves."""

    def leave(number, frame):
        assert (tmp_path / "run" / "report.html").exists()
        sys.exit(77)

    previous = signal.signal(SLURM, leave)
    sender.plan("levenberg_marquardt", 1, SLURM)
    done = here(*ONE_STAGE, "hydra.run.dir=run")
    signal.signal(SLURM, previous)
    assert done.returncode == 77 and "INTERRUPTED growth: mean path error" in done.stdout
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once(forks, tmp_path):
    pid = forks.start(tmp_path, "model.delta=0.5", "optimizer=adam", "network.anchor=steady_state",
                      "train.steps=10000000", *LITTLE, "evaluation.box=10000000", "hydra.run.dir=run")  # fmt: skip
    wait_for((tmp_path / "run" / "metrics.csv").exists)
    os.kill(pid, signal.SIGINT)
    log = tmp_path / "run" / "run.log"
    wait_for(lambda: "training ended: interrupted" in log.read_text())
    os.kill(pid, signal.SIGINT)
    code, output = forks.wait()
    assert code == 130 and "Traceback" not in output and not (tmp_path / "run" / "summary.json").exists()
