"""One `deqn-solve` as a process of its own, for the benchmarks."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Solved:
    """What a process used, import and compilation included, and the summary.json that it left."""

    seconds: float
    memory: float  # GiB at its peak
    summary: dict[str, Any]


def solve(overrides: list[str], folder: Path) -> Solved:
    """Run `deqn-solve` into a folder that does not exist yet. Ends the benchmark with its output where it failed."""
    program = [sys.executable, "-c", "from deqn.commands.solve import main; main()"]
    output, began = folder.with_suffix(".txt"), time.monotonic()
    with open(output, "w") as stream:
        child = subprocess.Popen([*program, *overrides, f"hydra.run.dir={folder}"], stdout=stream, stderr=stream)
        used = os.wait4(child.pid, 0)[2]
    seconds = time.monotonic() - began
    if not (folder / "summary.json").exists():
        raise SystemExit(f"deqn-solve {' '.join(overrides)} failed:\n{output.read_text()[-2000:]}")
    return Solved(seconds, used.ru_maxrss / 2**20, json.loads((folder / "summary.json").read_text()))
