"""The training of a run: its stages, what is restored, and what is written along the way."""

import logging
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from deqn.checks.undefined import find_lost_derivative
from deqn.economy.economy import Economy
from deqn.model.layout import has_many_policies
from deqn.optimizers.keras_optimizer import build_optimizer
from deqn.optimizers.self_scaled_bfgs import SelfScaledBFGS, fits_memory
from deqn.runs.solution import TRAINING, derive_seed
from deqn.settings.schema import Settings
from deqn.system.processes import Interrupt
from deqn.training.checkpoint import Checkpoints
from deqn.training.gradient_stage import GradientStage
from deqn.training.least_squares_stage import LeastSquaresStage
from deqn.training.loop import Loop
from deqn.training.objective import Objective
from deqn.training.progress import Display, Journal
from deqn.training.quasi_newton_stage import QuasiNewtonStage
from deqn.training.report import Events, Metrics, TrainingResult, Watch
from deqn.training.rules import Rules
from deqn.training.sampler import FAR, Sampler
from deqn.training.stage import Round, Stage, choose_batch_size, count_remaining
from deqn.training.time_iteration_stage import TimeIterationStage
from deqn.training.validation import Ledger, Validator

RESULT_FILES = ("summary.json", "failure.json", "report.html", "euler_errors.csv", "comparison.csv", "moments.csv")
ROUGH = 3e-3  # how near its limit time iteration is to come before least squares
HEAVY = 2e11  # multiplications of a least-squares step on residuals above which time iteration takes its place
PURPOSES = GRADIENT, SQUARES, POLISH, SWEEPS = range(4)  # of random numbers, in each round
log = logging.getLogger("deqn")


def build_rounds(economy: Economy, settings: Settings) -> list[Round]:
    """The stages of the chosen optimizer, in the order in which they run. Raises InputError for an unknown option.

    Where time iteration comes before least squares, all stages stand ready for a second round, and BFGS for a third.
    """
    rounds = [Round(build_stages(economy, settings))]
    if settings.optimizer.sweeps is not None and settings.optimizer.iterations is not None:
        rounds.append(Round(build_stages(economy, settings, 1)))
        last = rounds[0].stages[-1]
        if isinstance(last, QuasiNewtonStage):
            other_states = sample_dates(economy, settings, last.sampler.states, 2, POLISH)
            rounds.append(Round([last.repeat(other_states)], refines=True))
    return rounds


def sample_dates(economy: Economy, settings: Settings, states: int, number: int, purpose: int) -> Sampler:
    """Draws single dates of so many paths, for one purpose in a round."""
    single = replace(settings.sampling, paths=states, periods=1)
    return Sampler(economy, single, derive_round_seed(settings, number) + purpose)


def derive_round_seed(settings: Settings, number: int) -> int:
    """The first of a round's seeds, one for each purpose."""
    return derive_seed(settings.seed, TRAINING) + len(PURPOSES) * number


def build_stages(economy: Economy, settings: Settings, number: int = 0) -> list[Stage]:
    """The stages of a round, each with states of its own.

    With many policies a step of least squares on residuals takes too long; time iteration then does all by itself.
    """
    chosen, objective, stages = settings.optimizer, Objective(economy, settings.loss), []
    network, memory = economy.policy.network, (chosen.memory or 0.0) * 2**30
    large = chosen.memory is not None  # batches of least squares
    states = chosen.states or (choose_batch_size(objective, network.count_params()) if large else 1)
    squares = None
    if chosen.iterations is not None:
        squares = LeastSquaresStage(objective, sample_dates(economy, settings, states, number, SQUARES), chosen)
    many = has_many_policies(economy.model)
    alone = chosen.sweeps is not None and (squares is None or (many and squares.work > HEAVY))
    if chosen.sweeps is not None:
        wanted = choose_batch_size(objective, network.layers[-1].count_params()) if many else -(-states // 2)
        sampler = sample_dates(economy, settings, chosen.states or wanted, number, SWEEPS)
        stages.append(TimeIterationStage(objective, sampler, chosen.sweeps, None if alone else ROUGH, memory))
        if alone:
            return stages
    if chosen.learning_rate is not None:
        optimizer = build_optimizer(chosen, settings.schedule, settings.train.steps)
        sampler = Sampler(economy, settings.sampling, derive_round_seed(settings, number) + GRADIENT)
        stages.append(GradientStage(objective, optimizer, settings.schedule, sampler, settings.train))
    if squares is not None:
        stages.append(squares)
        if chosen.polish and not fits_memory(economy.policy.network.count_params(), economy.policy.dtype, memory):
            log.info("bfgs left out: its matrix exceeds optimizer.memory=%g GiB", chosen.memory)
        elif chosen.polish:
            solver = SelfScaledBFGS(objective.loss, objective.weights)
            sampler = sample_dates(economy, settings, states, number, POLISH)
            stages.append(QuasiNewtonStage(economy, solver, sampler, chosen.polish))
    return stages


def train(
    validator: Validator, settings: Settings, folder: Path, console: Console, interrupt: Interrupt, watch: Watch | None
) -> TrainingResult:
    """Train the policy that `validator` validates, in place."""
    economy, training = validator.economy, settings.train
    rounds = build_rounds(economy, settings)
    chosen = [stage for one in rounds for stage in one.stages]
    ledger = Ledger(economy.policy.network.weights)
    checkpoints = Checkpoints(
        folder, network=economy.policy.network, validation=validator.sampler, ledger=ledger,
        **{f"{stage.name}_{i}" if i else stage.name: stage for i, one in enumerate(rounds) for stage in one.stages},
    )  # fmt: skip
    if settings.resume is not None:
        restore(checkpoints, folder, console)
        for name in RESULT_FILES:  # of the policy as it was
            (folder / name).unlink(missing_ok=True)
    metrics = Metrics(folder, rows=int(ledger.reports.numpy()) if any(stage.step for stage in chosen) else 0)
    records = [metrics, Events(folder, metrics)] if training.tensorboard else [metrics]
    rules = Rules(training, interrupt, settings.tolerance, settings.optimizer.good_start)
    with Display(console, rounds, training.seconds) as display:
        trained = Loop(rounds, validator, ledger, checkpoints, rules, Journal(records, display, watch)).run()
    log.info("training ended: %s", trained.ended)
    if trained.ended == "interrupted":
        console.print("interrupted: evaluating what is there; Ctrl-C again stops at once", highlight=False)
    last = next((stage for stage in reversed(chosen) if stage.step), None)
    early = last is not None and count_remaining(last) > 0  # it ended before its last step
    if trained.ended == "steps" and trained.error > settings.tolerance and early:
        cause = find_lost_derivative(economy, last.drawn.value())
        where = f"{last.name} after {last.step} steps"
        stuck = f"stuck ({where}): no step lowers the error of {trained.error:.1e}" + (f"; {cause}" if cause else "")
        trained = replace(trained, ended="stuck", problems=(*trained.problems, stuck))
    lost = f"{trained.lost_paths} times a training path was lost (not finite, or {FAR} widths of the box away)"
    harmless = trained.error <= settings.tolerance  # whatever went wrong
    if trained.lost_paths and not harmless:
        log.error("%s and drawn anew", lost)
        console.print(f"{lost} and drawn anew", highlight=False, markup=False)
    for problem in trained.problems:
        log.error(problem)
        if harmless or trained.ended == "interrupted":  # elsewhere the verdict tells
            console.print(problem, highlight=False, markup=False)
    return trained


def restore(checkpoints: Checkpoints, folder: Path, console: Console) -> None:
    """The newest checkpoint that is whole, with a warning where a later one is not, or where none was written yet.

    Raises FileError where all are damaged or missing.
    """
    if not checkpoints.numbers and not (folder / "metrics.csv").exists():
        problems = ["the run ended before its first checkpoint; training begins anew"]
    else:
        problems = [f"{problem}; going on from the one before" for problem in checkpoints.restore()]
    for problem in problems:
        log.warning(problem)
        console.print(f"warning: {problem}", highlight=False, markup=False, soft_wrap=True)
