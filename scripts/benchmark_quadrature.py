"""How far expectations are from those of very many nodes, by rule, at states that a solved economy visits.

    python scripts/benchmark_quadrature.py [run=FOLDER] [model=NAME] [key=value ...]     other words as for deqn-solve

Residuals under each rule, less those under 121 nodes along the direction in which constraints come to bind and nine in
each other one; mean, 99th percentile and maximum of the absolute difference over all equations.
"""

import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

import deqn
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import ChosenRule, NormalRule, aligned, count_normals, gauss_hermite
from deqn.equations.residuals import stack_rows
from deqn.settings.schema import Quadrature

STATES, FINEST = 1000, (121, 9)
PRODUCT, ALIGNED = (3, 5, 8, 12, 16, 24), (11, 15, 21, 31, 45)
DEFAULTS = {"model": "irreversible", "optimizer.polish": "0", "evaluation.figures": "false"}


def solve(settings: dict[str, str]) -> deqn.Solution:
    """The solution in the folder `run`, or that of a new run."""
    if "run" in settings:
        return deqn.load(settings["run"])
    words = DEFAULTS | settings
    with tempfile.TemporaryDirectory() as place:
        overrides = [f"{k}={v}" for k, v in words.items() if k != "model"]
        return deqn.solve(words["model"], overrides, folder=Path(place) / "run", quiet=True)


def align(nodes: int, across: int) -> ChosenRule:
    """So many nodes along the direction in which constraints come to bind, and in each other one."""
    return ChosenRule(Quadrature(rule="aligned", nodes=nodes), lambda settled, d: aligned(d, settled.nodes, across))


def measure(solution: deqn.Solution, states: tf.Tensor, rule: NormalRule) -> tuple[int, np.ndarray]:
    """The number of nodes, and the residuals [equations, states]."""
    own = build_expectation(solution.economy.model, rule)
    if own.turn is not None:
        own.turn_as(solution.economy.expectation)
    economy = replace(solution.economy, expectation=own)
    parts = [stack_rows(economy.residuals(part), len(part)) for part in economy.slices(states)]
    return own.nodes, np.concatenate(parts, 1)


def main(arguments: list[str]) -> None:
    """Solve, and print one table."""
    solution = solve(dict(a.split("=", 1) for a in arguments))
    dimension = count_normals(solution.economy.model)
    if not dimension:
        sys.exit("the economy has no normal shocks: its expectations are exact sums")
    path = solution.draw_evaluation_states(seed=0)["path"]
    states = path[:: max(1, len(path) // STATES)]
    rules = {f"product, {n} a shock": partial(gauss_hermite, nodes=n) for n in PRODUCT if n**dimension <= 1000}
    rules |= {f"aligned, {n} along": align(n, 3) for n in ALIGNED}
    exact = measure(solution, states, align(*FINEST))[1]
    rows = []
    for name, rule in rules.items():
        nodes, found = measure(solution, states, rule)
        off = np.abs(found - exact)
        rows.append({"rule": name, "nodes": nodes, "mean": off.mean(), "p99": np.quantile(off, 0.99), "max": off.max()})
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.1e}".format))


if __name__ == "__main__":
    main(sys.argv[1:])
