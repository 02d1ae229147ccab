"""Stochastic gradient descent: a stage in which a Keras optimizer goes through shuffled mini-batches.

One cycle: simulate under the current policy, shuffle the visited states into mini-batches, take a gradient step on
each, for a number of epochs. Many cycles make a chunk, which is one XLA-compiled call.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from deqn.economy.alignment import align
from deqn.settings.schema import Schedule, Training
from deqn.training.objective import Objective
from deqn.training.sampler import Sampler

SHUFFLES = 64  # stored permutations


class GradientStage(tf.Module):
    """Stochastic gradient training in compiled chunks."""

    progress, problem, lowers_error, prepares, spares_next = "", None, True, True, False

    def __init__(
        self, objective: Objective, optimizer: keras.Optimizer, schedule: Schedule, sampler: Sampler, training: Training
    ):
        super().__init__(name=type(optimizer).__name__.lower())
        self.objective, self.economy, self.sampler = objective, objective.economy, sampler
        self.optimizer, self.schedule = optimizer, schedule
        self.epochs, self.batch_size = training.epochs, training.batch
        self.batches = sampler.states // training.batch
        self.steps_per_cycle = self.epochs * self.batches
        # Of a step: a gradient on a mini-batch, and the simulation of its states.
        self.work = (1 + 1 / (3 * self.epochs)) * self.batch_size * self.economy.gradient_work
        self.cycles = math.ceil(training.steps / self.steps_per_cycle)
        self.report_every = max(1, round(training.report_every / self.steps_per_cycle))
        self.weights = self.economy.policy.network.trainable_variables
        rng = np.random.default_rng(0)
        self._shuffles = tf.constant([rng.permutation(sampler.states) for _ in range(SHUFFLES)], tf.int32)
        self.optimizer.build(self.weights)
        self._first_rate = self.learning_rate
        self.loss_sum, self.loss_count = (tf.Variable(0, dtype=sampler.paths.dtype, trainable=False) for _ in range(2))
        self.drawn = sampler.hold(training.batch)
        self.turn = self.economy.expectation.turn  # kept with what else is to be restored

    @property
    def step(self) -> int:
        return int(self.optimizer.iterations.numpy())

    @property
    def learning_rate(self) -> float:
        return float(tf.convert_to_tensor(self.optimizer.learning_rate))

    @property
    def rates(self) -> dict[str, float]:
        return {"learning_rate": self.learning_rate}

    @property
    def done(self) -> bool:
        return self.step >= self.cycles * self.steps_per_cycle

    @property
    def states_visited(self) -> int:
        return self.step // self.steps_per_cycle * self.sampler.states

    def redraw(self) -> bool:
        return False  # states are new in every cycle

    def on_plateau(self, reports: int) -> bool:
        """Lower the learning rate where the schedule waits for a plateau, but not below its share `final`."""
        schedule = self.schedule
        if schedule.name != "reduce_on_plateau" or reports < schedule.patience:
            return False
        self.optimizer.learning_rate = max(self.learning_rate * schedule.rate, self._first_rate * schedule.final)
        return True

    def chunk(self, cycles: int) -> bool:
        """Run cycles; returns whether every step was finite, and stops before the first that is not."""
        if self.step % (self.report_every * self.steps_per_cycle) == 0:
            align(self.economy, self.sampler.paths.value())
        return bool(self._chunk(tf.constant(cycles)).numpy())

    @tf.function(jit_compile=True)
    def _chunk(self, cycles: tf.Tensor) -> tf.Tensor:
        done, finite = tf.constant(0), tf.constant(True)
        while finite and done < cycles:  # not tf.range(cycles), for which XLA would compile every number of cycles anew
            states = self.sampler(self.economy.policy)  # [states, n_states]
            order = self.shuffle()  # [steps_per_cycle, batch]
            i = tf.constant(0)
            while finite and i < self.steps_per_cycle:
                self.drawn.assign(tf.gather(states, order[i]))
                finite = self.gradient_step()
                i += 1
            done += 1
        return finite

    def mean_loss(self, reset: bool = False) -> float:
        """The mean loss of the steps since it was last reset."""
        mean = float(self.loss_sum.numpy() / max(self.loss_count.numpy(), 1))
        if reset:
            self.loss_sum.assign(0)
            self.loss_count.assign(0)
        return mean

    def shuffle(self) -> tf.Tensor:
        """Mini-batches of all epochs as indices of the cycle's states, [steps_per_cycle, batch].

        Two stored permutations, applied one after the other, take a tenth of the time of a sort under XLA.
        """
        draw = self.sampler.generator.uniform((2, self.epochs), maxval=SHUFFLES, dtype=tf.int32)
        first, second = tf.gather(self._shuffles, draw[0]), tf.gather(self._shuffles, draw[1])
        order = tf.gather(first, second, batch_dims=1)[:, : self.batches * self.batch_size]  # [epochs, states used]
        return tf.reshape(order, (self.steps_per_cycle, self.batch_size))

    def gradient_step(self) -> tf.Tensor:
        """One optimizer step on the current mini-batch, taken only where loss and gradient are finite; whether so."""
        with tf.GradientTape() as tape:
            value = self.objective.loss(self.drawn.value(), training=True)
        gradients = tape.gradient(value, self.weights)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(x)) for x in (value, *gradients)])
        if finite:
            self.optimizer.apply(gradients, self.weights)
            self.loss_sum.assign_add(value)
            self.loss_count.assign_add(1)
        return finite
