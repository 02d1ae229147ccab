"""Self-scaled BFGS: a stage of many cheap steps on a large batch, which polishes what least squares left."""

import tensorflow as tf

from deqn.economy.economy import Economy
from deqn.optimizers.residual_function import is_precise
from deqn.optimizers.self_scaled_bfgs import SelfScaledBFGS
from deqn.training.sampler import Sampler
from deqn.training.stage import BatchStage

LIFE, REPORT = 1000, 100  # iterations on the same states, and between reports
STUCK = 2  # batches in a row without a step end the stage


class QuasiNewtonStage(BatchStage):
    rates: dict[str, float] = {}  # the line search chooses

    def __init__(self, economy: Economy, solver: SelfScaledBFGS, sampler: Sampler, iterations: int):
        super().__init__("bfgs", economy, sampler, iterations, report_every=REPORT, life=LIFE)
        self.solver = solver
        # Of a step: one or two gradients of the loss, and the update of H.
        n = economy.policy.network.count_params()
        self.work = 1.5 * sampler.states * self.economy.gradient_work + 6.0 * n**2
        self.stuck = tf.Variable(0, trainable=False)  # batches in a row that gave no step
        self.precise = tf.Variable(False, trainable=False)  # round-off on states not fitted before

    def repeat(self, sampler: Sampler) -> "QuasiNewtonStage":
        """A stage of as many steps on other states, which goes on with what this one has learned of the loss."""
        return QuasiNewtonStage(self.economy, self.solver, sampler, self.cycles)

    @property
    def done(self) -> bool:
        return self.step >= self.cycles or self.stuck.numpy() >= STUCK or bool(self.precise.numpy())

    def chunk(self, cycles: int) -> bool:
        """Iterate; returns whether the loss was finite."""
        while cycles > 0 and not self.done:
            if self.is_worn:
                self.draw()
                self.solver.evaluate(self.drawn.value())
                self.precise.assign(is_precise(self.mean_loss(), self.drawn.dtype))
                if not tf.math.is_finite(self.solver.loss):
                    return False
                continue
            wanted = min(cycles, self.life - int(self.age.numpy()))
            taken = int(self.solver.iterate(self.drawn.value(), tf.constant(wanted)).numpy())
            self.iterations.assign_add(taken)
            self.age.assign_add(taken)
            cycles -= taken
            if taken:
                self.stuck.assign(0)
            if taken < wanted:  # no step left
                self.stuck.assign_add(1)
                self.discard()
        return True

    def mean_loss(self, reset: bool = False) -> float:
        return float(self.solver.loss.numpy())
