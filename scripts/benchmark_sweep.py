"""Memory of a sweep by job: it must not grow, however many jobs there are.

    python scripts/benchmark_sweep.py [--jobs 50]     ten of them fail; a thousand take about an hour

Every job solves a small economy of its own, and compiles its own functions. Measured is the proportional set size of
the sweep's process and of the one that solves the job, in which shared pages count once. Prints a table, and writes
outputs/benchmark_sweep/memory.csv and memory.png.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

SMALL = ("model=growth", "model.delta=0.5", "network.hidden=[4]", "network.anchor=steady_state",
         "optimizer=levenberg_marquardt", "optimizer.iterations=3", "optimizer.polish=0", "optimizer.states=64",
         "evaluation.paths=4", "evaluation.periods=5", "evaluation.box=16", "evaluation.reference=false",
         "evaluation.figures=false", "tolerance=0.5")  # fmt: skip
OUTPUT = Path("outputs/benchmark_sweep")
FAILING = 10


def main() -> None:
    """Run the sweep, watch it, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=50)
    jobs = parser.parse_args().jobs
    every = max(1, jobs // FAILING)
    weights = ",".join(f"{{{'nothing' if n % every == 1 else 'euler'}:{1 + n}}}" for n in range(jobs))
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        memory = watch([*SMALL, f"+loss.weights={weights}"], Path(place) / "sweep")
        seconds = time.monotonic() - began
        status = pd.read_csv(Path(place) / "sweep" / "summary.csv")["status"]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    memory.to_csv(OUTPUT / "memory.csv", index=False)
    draw(memory, OUTPUT / "memory.png")
    print(memory.iloc[:: max(1, jobs // 10)].to_string(index=False, float_format="%.0f"))
    half = len(memory) // 2
    growth = (memory["sweep"].iloc[-1] - memory["sweep"].iloc[half]) / max(1, len(memory) - half)
    counts = ", ".join(f"{n} {word}" for word, n in status.value_counts().items())
    print(f"{jobs} jobs: {counts}; {seconds:.0f} s")
    print(f"in its second half the process of the sweep grew by {growth:.2f} MiB a job")
    print(f"figure: {OUTPUT / 'memory.png'}")


def watch(overrides: list[str], folder: Path) -> pd.DataFrame:
    """The largest memory (MiB) during each job, of the sweep's own process and of both."""
    program = [
        sys.executable,
        "-c",
        "from deqn.commands.solve import main; main()",
        "-m",
        *overrides,
        f"hydra.sweep.dir={folder}",
    ]
    peaks: dict[int, tuple[float, float]] = {}
    with open(folder.with_suffix(".txt"), "w") as output:
        sweep = subprocess.Popen(program, stdout=output, stderr=output)
        while sweep.poll() is None:
            job = len(list(folder.glob("[0-9]*"))) - 1
            own, all_of_them = proportional(sweep.pid), 0.0
            for process in (sweep.pid, *children(sweep.pid)):
                all_of_them += proportional(process)
            if job >= 0:
                before = peaks.get(job, (0.0, 0.0))
                peaks[job] = (max(before[0], own), max(before[1], all_of_them))
            time.sleep(0.1)
    rows = [(job, *peak) for job, peak in sorted(peaks.items())]
    return pd.DataFrame(rows, columns=["job", "sweep", "sweep and job"])


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    try:
        return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def proportional(process: int) -> float:
    """The proportional set size of a process in MiB, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def draw(memory: pd.DataFrame, path: Path) -> None:
    """Memory by job."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    ax = figure.subplots()
    for name in ("sweep and job", "sweep"):
        ax.plot(memory["job"], memory[name], label=name)
    ax.set(xlabel="job", ylabel="MiB", ylim=(0, None))
    ax.legend(frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
