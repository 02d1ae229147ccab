"""The command as a user types it: in a process of its own, or forked from one that has imported TensorFlow."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

import deqn

SHORT = (
    "optimizer=adam",
    "network.hidden=[8]",
    "train.steps=400",
    "train.report_every=100",
    "sampling.paths=64",
    "sampling.periods=8",
    "evaluation.figures=false",
    "tolerance=0.1",
    "train.finish=true",
)
LITTLE = ("evaluation.paths=4", "evaluation.periods=5", "evaluation.box=16", "evaluation.reference=false",
          "evaluation.figures=false", "tolerance=0.1", "train.finish=true")  # fmt: skip
THREE_STAGES = ("model=growth", "model.head=share", "model.delta=0.5", "network.anchor=steady_state",
                "network.hidden=[8]", "optimizer=adam_lm", "optimizer.good_start=0", "train.steps=1500",
                "train.report_every=100",
                "optimizer.states=200", "optimizer.iterations=40", "optimizer.refresh=5", "optimizer.polish=400",
                "train.checkpoint_seconds=0", *LITTLE)  # fmt: skip
ONE_STAGE = ("model=growth", "model.head=share", "model.delta=0.5", "optimizer=levenberg_marquardt",
             "network.anchor=steady_state", "network.hidden=[8]", "optimizer.states=200",
             "optimizer.iterations=40", "optimizer.refresh=5", "optimizer.polish=0",
             "train.checkpoint_seconds=0", *LITTLE)  # fmt: skip
CANARY = "raise SystemExit('TensorFlow was imported')\n"
FORKING = """
import json, os, sys
import tensorflow, deqn.runs.run
from deqn.commands.solve import main
for line in sys.stdin:
    folder, output, arguments = json.loads(line)
    child = os.fork()
    if child:
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.chdir(folder)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    sys.argv[1:] = arguments
    main()
"""


def command(*arguments):
    return [sys.executable, "-c", "from deqn.commands.solve import main; main()", *arguments]


def deqn_solve(folder, *arguments, **environment):
    env = {**os.environ, "COLUMNS": "80", **environment}
    return subprocess.run(command(*arguments), cwd=folder, env=env, capture_output=True, text=True, timeout=300)


class Forks:
    """A process that has imported TensorFlow, and forks for every command; one command at a time."""

    def __init__(self):
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
        self._parent = subprocess.Popen([sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=env)  # fmt: skip

    def start(self, folder: Path, *arguments: str) -> int:
        """The process id of a command that runs in a folder."""
        self._output = folder / "output.txt"
        print(json.dumps([str(folder), str(self._output), arguments]), file=self._parent.stdin, flush=True)
        return int(self._parent.stdout.readline())

    def wait(self) -> tuple[int, str]:
        """Its exit code, negative for the signal that killed it, and what it printed."""
        return int(self._parent.stdout.readline()), self._output.read_text(encoding="utf-8")

    def run(self, folder: Path, *arguments: str) -> tuple[int, str]:
        """Start a command and wait for its end."""
        self.start(folder, *arguments)
        return self.wait()

    def close(self) -> None:
        self._parent.kill()
        self._parent.wait()
        self._parent.stdin.close()
        self._parent.stdout.close()


def wait_for(condition, seconds=120):
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def metrics(folder: Path) -> pd.DataFrame:
    """metrics.csv without the seconds, the one column that no two runs share."""
    return pd.read_csv(folder / "metrics.csv").drop(columns="seconds")


def weights(folder: Path) -> list[bytes]:
    """The weights of the final policy."""
    return [w.numpy().tobytes() for w in deqn.load(folder).economy.policy.network.weights]


def assert_identical(one: Path, other: Path) -> None:
    """Weights to the bit, and metrics but for the seconds."""
    pd.testing.assert_frame_equal(metrics(one), metrics(other), check_exact=True)
    assert weights(one) == weights(other)
