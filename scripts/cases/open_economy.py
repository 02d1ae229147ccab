"""Small open economies, and countries that share risk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd
from scipy.linalg import solve_discrete_lyapunov

import deqn
from cases.table import OWN, Row, linearize, solve
from countries import Countries
from deqn.perturbation.first_order import linear_solution
from trend import Trend

STEP = 1e-5  # of states, for the derivatives of definitions at rest


def in_logs(table: pd.DataFrame, logs: Sequence[str], levels: Sequence[str]) -> np.ndarray:
    """Columns [rows, variables], those of `logs` in logarithms."""
    return np.concatenate([np.log(table[list(logs)].to_numpy()), table[list(levels)].to_numpy()], 1)


def first_order_spread(
    solution: deqn.Solution, innovations: Mapping[str, float], logs: Sequence[str], levels: Sequence[str]
) -> np.ndarray:
    """Standard deviations of the linearized variables, exact, from their derivatives at rest.

    `innovations`: standard deviations of the shocks to states, each a state's own.
    """
    economy, linear = solution.economy, linearize(solution)
    names = [state.name for state in economy.model.states]
    rest = dict(zip(names, economy.steady.states, strict=True))
    slopes = []
    for name in names:
        up, down = (in_logs(linear.policy(rest | {name: rest[name] + h}), logs, levels) for h in (STEP, -STEP))
        slopes.append((up - down)[0] / (2 * STEP))
    loads = np.diag([innovations.get(name, 0.0) for name in names])
    covariance = solve_discrete_lyapunov(linear_solution(economy.model, economy.steady).law_of_motion, loads @ loads)
    return np.sqrt(np.diag(np.transpose(slopes) @ covariance @ slopes))


def schmitt_grohe_uribe_2003() -> Iterator[Row]:
    """Standard deviations under the debt-elastic interest rate, of 2,000 paths of 100 years.

    The paper's are those of a linear solution in logarithms, which is the column `first_order`. The printed digits are
    those of model 2 in a public replication of the paper's table.
    """
    paths, periods, logs, levels = 2000, 100, ["y", "c", "i", "h"], ["tb_y"]
    printed, words = (
        (3.1, 2.7, 9.0, 2.1, 1.8),
        ("output", "consumption", "investment", "hours", "trade balance / output"),
    )
    solution = solve("small_open_economy")
    linear = 100 * first_order_spread(solution, {"a": solution.economy.model.sigma}, logs, levels)
    simulated = in_logs(solution.simulate(periods=periods, paths=paths).sort_values(["period", "path"]), logs, levels)
    squares = ((simulated - simulated.mean(0)) ** 2).reshape(periods, paths, -1).mean(0)  # [paths, variables]
    spread = np.sqrt(squares.mean(0))
    errors = squares.std(0, ddof=1) / np.sqrt(paths) / (2 * spread)
    for i, word in enumerate(words):
        reason = "the paper's is of first order; logarithms of investment are skewed" if word == "investment" else ""
        yield Row("Schmitt-Grohe and Uribe (2003), table 3, model 2", f"standard deviation of {word}, %", printed[i],
                  100 * spread[i], 0.05, linear[i], 100 * errors[i], reason=reason)  # fmt: skip


def den_haan_judd_juillard() -> Iterator[Row]:
    """Two countries far from rest, almost without risk, beside their perfect foresight path."""
    calm = ["model.sigma=1e-6", "model.z_box=10000", "sampling=mixture"]
    solution = solve("irbc", *calm)
    m, linear = solution.economy.model, linearize(solution)
    own = Countries(m.N, m.zeta, m.delta, m.beta, m.kappa, m.rho)
    for k, z in ((np.array([0.85, 1.15]), np.zeros(2)), (np.array([1.1, 1.1]), np.array([-0.03, 0.03]))):
        here, first_order = (s.policy({"k": k, "z": z}).iloc[0] for s in (solution, linear))
        for name, truth in zip(("i[0]", "i[1]", "lam"), own.choose(k, z), strict=True):
            yield Row(f"Den Haan, Judd and Juillard (2011), {OWN}", f"{name} at k = {k}, z = {z}", truth, here[name],
                      1e-5, first_order[name])  # fmt: skip


def aguiar_gopinath() -> Iterator[Row]:
    """Choices after large shocks to productivity and to its trend, without risk, beside the perfect foresight path.

    The printed moments could not be had.
    """
    solution = solve("trend_shocks")
    m, linear = solution.economy.model, linearize(solution)
    k, b, l, r = m.rest
    c = m.gamma / (1 - m.gamma) * m.alpha * (1 - l) / l * k ** (1 - m.alpha) * (np.exp(m.mu) * l) ** m.alpha
    parameters = {f.name: getattr(m, f.name) for f in fields(Trend) if f.name not in ("rest", "r")}
    own, source = Trend(**parameters, rest=(k, b, c, l), r=r), f"Aguiar and Gopinath (2007), {OWN}"
    for z, g in ((0.03, m.mu), (0.0, m.mu - 0.05), (-0.03, m.mu + 0.05)):
        at = {"k": 0.95 * k, "b": b, "z": z, "g": g}
        here, first_order = (s.policy(at).iloc[0] for s in (solution, linear))
        for name, truth in zip(("k_next", "b_next", "c", "l"), own.choose(**at), strict=True):
            where = f"{name} at z = {z:g}, g = mu {g - m.mu:+g}"
            yield Row(source, where, truth, here[name], 5e-5, first_order[name])
