"""Calls per second of what a solution answers in a notebook, and how much memory the calls leave behind.

    python scripts/benchmark_simulate.py [model=NAME] [calls=N] [key=value ...]     other words as for deqn-solve

The first call of a method, which traces its graph, is shown apart. Memory is that of the process after the calls less
that after the first twentieth of them.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import deqn

DEFAULTS = {"model": "stochastic_growth", "calls": "200", "optimizer.iterations": "20", "optimizer.polish": "0",
            "evaluation.figures": "false", "evaluation.reference": "false", "tolerance": "1"}  # fmt: skip


def main(arguments: list[str]) -> None:
    """Solve, and print one table."""
    settings = DEFAULTS | dict(a.split("=", 1) for a in arguments)
    model, calls = settings.pop("model"), int(settings.pop("calls"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        deqn.solve(model, [f"{k}={v}" for k, v in settings.items()], folder=folder, quiet=True)
        solution = deqn.load(folder)
    over = solution.economy.expectation
    shock = next(iter([*over.normals, *over.values]), solution.economy.model.states[0].name)
    methods = {
        "simulate": lambda seed: solution.simulate(periods=200, paths=20, seed=seed),
        "moments": lambda seed: solution.moments(periods=200, paths=20, seed=seed),
        "euler_errors": lambda seed: solution.euler_errors(seed),
        "irf": lambda seed: solution.irf(shock, periods=40),
    }
    print(f"{model}, {calls} calls of each method")
    print(f"{'method':16}{'first, s':>10}{'calls/s':>10}{'growth, MiB':>14}")
    for name, method in methods.items():
        first, pace, growth = measured(method, calls)
        print(f"{name:16}{first:10.2f}{pace:10.1f}{growth:14.1f}")


def measured(method: Callable[[int], object], calls: int) -> tuple[float, float, float]:
    """Seconds of the first call, calls per second of the others, and MiB by which they made the process grow."""
    began = time.perf_counter()
    method(0)
    first = time.perf_counter() - began
    warm, began = max(calls // 20, 1), time.perf_counter()
    for seed in range(1, calls + 1):
        method(seed)
        if seed == warm:
            before = resident()
    return first, calls / (time.perf_counter() - began), resident() - before


def resident() -> float:
    """MiB that the process holds."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
