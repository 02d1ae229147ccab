"""What training is told, as typed settings, and the stages that follow from it."""

import logging
from dataclasses import dataclass, replace

from deqn.economy.economy import Economy
from deqn.optimizers.keras_optimizer import build_optimizer
from deqn.optimizers.self_scaled_bfgs import fits_memory
from deqn.settings.schema import Loss, Optimizer, Sampling, Schedule, Training
from deqn.training.gradient_stage import GradientStage
from deqn.training.least_squares_stage import LeastSquaresStage
from deqn.training.objective import Objective
from deqn.training.quasi_newton_stage import QuasiNewtonStage
from deqn.training.sampler import Sampler
from deqn.training.stage import Stage, choose_batch_size

log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Plan:
    """The settings of training, with the seeds of its random streams."""

    optimizer: Optimizer
    schedule: Schedule
    train: Training
    sampling: Sampling
    loss: Loss
    tolerance: float  # the mean error at which the policy is good
    seed: int  # of training states
    validation_seed: int  # of validation states
    resumed: bool = False  # whether training goes on from a checkpoint

    @property
    def enough(self) -> float:
        """The mean error at which slow progress ends the training."""
        return 0.0 if self.train.finish else self.tolerance / 10


def build_stages(economy: Economy, plan: Plan) -> list[Stage]:
    """The stages of the chosen optimizer, in the order in which they run. Raises InputError for an unknown option."""
    chosen, objective = plan.optimizer, Objective(economy, plan.loss)
    stages: list[Stage] = []
    if chosen.learning_rate is not None:
        optimizer = build_optimizer(chosen, plan.schedule, plan.train.steps)
        sampler = Sampler(economy, plan.sampling, plan.seed)
        stages.append(GradientStage(objective, optimizer, plan.schedule, sampler, plan.train))
    if chosen.iterations is not None:
        states, memory = chosen.states or choose_batch_size(objective), chosen.memory * 2**30
        single = replace(plan.sampling, paths=states, periods=1)  # a date of each of many paths
        stages.append(LeastSquaresStage(objective, Sampler(economy, single, plan.seed + 1), chosen))
        if chosen.polish and not fits_memory(economy.policy.network.count_params(), economy.policy.dtype, memory):
            log.info("bfgs left out: its matrix exceeds optimizer.memory=%g GiB", chosen.memory)
        elif chosen.polish:
            sampler = Sampler(economy, single, plan.seed + 2)
            stages.append(QuasiNewtonStage(objective, sampler, chosen.polish))
    return stages
