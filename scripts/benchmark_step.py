"""Steps per second and floating-point rate of the compiled training chunk, beside a plain matrix product's.

    python scripts/benchmark_step.py [key=value ...]     as for deqn-solve, e.g. dtype=float64 network.hidden=[32,32]

A gradient step multiplies matrices for the forward pass at today's state and at every node of tomorrow, and twice as
much for the backward pass; only these operations are counted, not activations, simulation, shuffling or the optimizer.
The matrix product is measured in the same process, once at the shapes of the network's widest layer and once square.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

import deqn

DEFAULTS = {"model": "stochastic_growth", "dtype": "float32", "network.hidden": "[64,64]", "train.batch": "256",
            "train.steps": "12000", "train.report_every": "1000", "evaluation.figures": "false",
            "tolerance": "1"}  # fmt: skip


def main(arguments: list[str]) -> None:
    """Run, and print one table."""
    settings = DEFAULTS | dict(a.split("=", 1) for a in arguments)
    model = settings.pop("model")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        solution = deqn.solve(model, [f"{k}={v}" for k, v in settings.items()], folder=folder, quiet=True)
        metrics = pd.read_csv(folder / "metrics.csv")
        chosen = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    pace = metrics["step"].diff() / metrics["seconds"].diff()
    steps_per_second = statistics.median(pace.dropna())
    network, batch, dtype = solution.economy.policy.network, chosen["train"]["batch"], chosen["dtype"]
    hidden = solution.summary["training"]["hidden"]
    points = batch * (1 + solution.economy.expectation.nodes)
    multiplications = sum(w.shape[0] * w.shape[1] for w in network.trainable_variables if len(w.shape) == 2)
    rate = 3 * 2 * multiplications * points * steps_per_second
    print(f"{model}, {hidden}, batch {batch}, {dtype}")
    print(f"training chunk          {steps_per_second:8.0f} steps/s {rate / 1e9:8.1f} GFLOP/s")
    for name, shape in (
        ("product, layer's shape", (points, max(hidden))),
        ("product, square", (1024, 1024)),
    ):
        product = matrix_product(*shape, dtype)
        print(f"{name:24}{'':16} {product / 1e9:8.1f} GFLOP/s   chunk / product {rate / product:5.2f}")


def matrix_product(rows: int, inner: int, dtype: str) -> float:
    """Operations per second of [rows, inner] x [inner, inner], compiled, the median of timed repetitions."""
    import tensorflow as tf

    operations = 2 * rows * inner**2
    a, b = tf.random.normal((rows, inner), dtype=dtype), tf.random.normal((inner, inner), dtype=dtype)
    repeat = tf.constant(max(1, int(1e10 / operations)))

    @tf.function(jit_compile=True)
    def products(x, count):
        i = tf.constant(0)
        while i < count:
            x, i = tf.matmul(x, b), i + 1
        return x

    products(a, repeat)
    times = []
    for _ in range(25):
        began = time.perf_counter()
        products(a, repeat).numpy()
        times.append(time.perf_counter() - began)
    return operations * int(repeat) / statistics.median(times)


if __name__ == "__main__":
    main(sys.argv[1:])
