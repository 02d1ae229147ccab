"""The files that tell of a run: what was measured is given, and nothing is measured here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from deqn.evaluation.summary import Summary
from deqn.model.declaration import Model
from deqn.reporting import figures, report
from deqn.system import files


@dataclass(frozen=True)
class Curves:
    """What figures show beside errors and the simulation: slices of policies, and paths after shocks and without."""

    slices: dict[str, pd.DataFrame]
    exact: str  # what the slices are compared with, in words
    responses: dict[str, tuple[pd.DataFrame, pd.DataFrame]]
    spreads: dict[str, pd.DataFrame] | None = None  # of the responses, across the solutions of an ensemble


def write_errors(folder: Path, summary: Summary, compared: pd.DataFrame | None) -> None:
    """The tables of errors, and of the comparison where there is one. Raises FileError."""
    files.write_text(folder / "euler_errors.csv", report.tabulate_errors(summary).to_csv(index=False))
    if compared is not None:
        files.write_text(folder / "comparison.csv", compared.to_csv(index=False))


def write_simulation(folder: Path, simulated: pd.DataFrame, moments: pd.DataFrame) -> None:
    """The simulated paths and their moments. Raises FileError."""
    with files.whole(folder / "simulation.parquet") as half:
        simulated.to_parquet(half)
    files.write_text(folder / "moments.csv", moments.to_csv())


def write_summary(folder: Path, summary: Summary) -> None:
    """summary.json. Raises FileError."""
    files.write_json(folder / "summary.json", summary.to_json())


def draw_figures(
    folder: Path, model: Model, errors: dict[str, dict[str, np.ndarray]], simulated: pd.DataFrame, curves: Curves
) -> None:
    """All figures of a run, into figures/. Raises FileError."""
    place = folder / "figures"
    place.mkdir(exist_ok=True)
    states, policies = [s.name for s in model.states if not s.fixed], [p.name for p in model.policies]
    if (folder / "metrics.csv").exists():
        figures.draw_training_curve(pd.read_csv(folder / "metrics.csv"), place / "training.png")
    figures.draw_policy_functions(curves.slices, policies, place / "policies.png", curves.exact)
    figures.draw_error_distribution(errors, place / "errors.png")
    figures.draw_ergodic_distribution(simulated, [*states, *policies], place / "distribution.png")
    figures.draw_impulse_responses(curves.responses, place / "impulse_responses.png", curves.spreads)
