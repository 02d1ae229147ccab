"""What a sweep of time iteration costs: its Newton steps and its fit, beside one evaluation of the residuals.

    python scripts/benchmark_time_iteration.py [--sweeps 5] [model=NAME key=value ...]

Without a model it goes through a table of economies. An evaluation of the residuals at all states of a sweep is the
unit; its own speed is given as a share of a square matrix product's in the same process, where only the products of
the network at today's states and at all nodes of tomorrow's are counted. Medians of sweeps after the first.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import tensorflow as tf

from benchmark_step import matrix_product
from deqn.configuration.composition import compose
from deqn.configuration.model_class import build_model, find_model_class
from deqn.configuration.validation import validate
from deqn.families.pseudo_states import gather_members
from deqn.runs.solution import build_economy
from deqn.runs.training import build_stages
from deqn.training.time_iteration_stage import residuals_today

TABLE = (
    ["model=stochastic_growth"],
    ["model=irreversible"],
    ["model=olg_lifecycle"],
    ["model=irbc", "model.N=2"],
    ["model=irbc", "model.N=15"],
    ["model=irbc", "model.N=50"],
)


def main() -> None:
    """Sweep through every economy and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sweeps", type=int, default=5, help="that are timed")
    parser.add_argument("overrides", nargs="*", help="model=NAME, and settings of deqn-solve")
    chosen = parser.parse_args()
    peak = matrix_product(1024, 1024, "float64")
    print(f"matrix product {peak / 1e9:.0f} GFLOP/s")
    print(f"{'economy':28}{'states':>7}{'unknowns':>9}{'unit, s':>9}{'of peak':>9}{'sweep':>8}{'newton':>8}{'fit':>8}")
    for words in [chosen.overrides] if chosen.overrides else TABLE:
        print(measure(words, chosen.sweeps, peak), flush=True)


def measure(words: list[str], sweeps: int, peak: float) -> str:
    """A line of the table: seconds of an evaluation of the residuals; a sweep and its parts in units of these."""
    settings = validate(compose([*words, "optimizer=time_iteration", f"optimizer.sweeps={sweeps + 1}"]).config)[0]
    model = build_model(find_model_class(settings.model["_target_"]), settings.model)
    members = gather_members(model, settings.pseudo_states)
    economy = build_economy(members, settings.network, settings.expectation, settings.seed, settings.dtype, None)
    (stage,) = build_stages(economy, settings)
    parts: dict[str, list[float]] = {"newton": [], "fit": []}
    for name in ("solve", "follow_chord"):
        setattr(stage.newton, name, timed(getattr(stage.newton, name), parts["newton"]))
    stage.fitting.fit = timed(stage.fitting.fit, parts["fit"])
    whole: list[float] = []
    advance = timed(stage.chunk, whole)
    while not stage.done:
        if not advance(1):
            raise RuntimeError(f"{' '.join(words)}: {stage.problem}")
    states = stage.drawn.value()
    unit = time_evaluation(partial(residuals_today, economy), economy.policy.outputs(states), states)
    products = sum(w.shape[0] * w.shape[1] for w in economy.policy.network.trainable_variables if len(w.shape) == 2)
    rate = 2 * products * len(states) * (1 + economy.expectation.nodes) / unit / peak
    of_parts = [statistics.median(times[1:]) / unit for times in (whole, parts["newton"], parts["fit"])]
    label = " ".join(word.removeprefix("model=").removeprefix("model.") for word in words)
    return (f"{label:28}{len(states):7}{economy.policy.anchor.outputs:9}{unit:9.4f}{rate:9.1%}"
            + "".join(f"{part:8.1f}" for part in of_parts))  # fmt: skip


def timed(function: Callable, seconds: list[float]) -> Callable:
    """The same function, which notes how long each call takes."""

    def call(*arguments, **named):
        began = time.perf_counter()
        result = function(*arguments, **named)
        seconds.append(time.perf_counter() - began)
        return result

    return call


def time_evaluation(residuals: Callable, outputs: tf.Tensor, states: tf.Tensor) -> float:
    """Seconds of one compiled evaluation, the median of many."""
    compiled = tf.function(residuals, jit_compile=True, autograph=False)
    compiled(outputs, states)
    seconds: list[float] = []
    evaluate = timed(lambda: compiled(outputs, states).numpy(), seconds)
    while sum(seconds) < 2 or len(seconds) < 5:
        evaluate()
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
