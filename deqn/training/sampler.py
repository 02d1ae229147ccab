"""Training states: simulated paths that go on from cycle to cycle under the current policy, mixed with box points."""

import tensorflow as tf

from deqn.economy.domain import SobolPoints, is_inside
from deqn.economy.economy import Economy
from deqn.economy.simulation import advance_states
from deqn.model.declaration import Model
from deqn.model.layout import has_many_policies
from deqn.settings.schema import Sampling

# Widths of the box, in levels or logarithms, beyond which a path is lost, as is one that is not finite: NEAR it as long
# as the policy may be bad.
FAR, NEAR = 100.0, 0.5
HALF = 0.5  # of the training states: from the box, where paths do not see too little of it


class Sampler(tf.Module):
    """Draws `paths * periods` states a cycle, the share `box_share` of them from the box.

    Normal shocks are drawn `shock_scale` times as large as the model's, so that training reaches into the tails on
    which the evaluation will judge. The paths start spread over the box. One that is lost goes on from a point of it.
    """

    def __init__(self, economy: Economy, sampling: Sampling, seed: int):
        super().__init__()
        domain, dtype = economy.domain, economy.policy.dtype
        self.states = sampling.paths * sampling.periods
        self.generator = tf.random.Generator.from_seed(seed, alg="philox")
        share = choose_box_share(domain.model) if sampling.box_share is None else sampling.box_share
        from_box = round(share * self.states)
        self._from_paths = self.states - from_box
        self._periods = -(-self._from_paths // sampling.paths)
        self.burn_in, self._shock_scale = tf.constant(sampling.burn_in), sampling.shock_scale
        self._domain, self._model, self._seed = domain, domain.model, seed % 2**31
        self._box = SobolPoints(domain, from_box, seed, dtype) if from_box else None
        self._starts = SobolPoints(domain, sampling.paths, seed + 1, dtype)
        self.paths = tf.Variable(self._starts.points(), trainable=False)
        self.dates = tf.Variable(0, dtype=tf.int64, trainable=False)  # simulated so far
        self.lost = tf.Variable(0, dtype=tf.int64, trainable=False)  # paths drawn anew
        self.box_only = tf.Variable(False, trainable=False)
        self.reach = tf.Variable(FAR, dtype=dtype, trainable=False)  # FAR or NEAR

    def hold(self, count: int) -> tf.Variable:
        """Room for packed states [count, n_states], zero at first."""
        return tf.Variable(tf.zeros((count, self.paths.shape[1]), self.paths.dtype), trainable=False)

    def stay_near(self) -> None:
        """From now on draw anew the paths that leave the box by more than NEAR."""
        self.reach.assign(NEAR)

    def fall_back(self) -> bool:
        """From now on draw points of the box alone; returns whether that is new."""
        new = self._from_paths > 0 and not self.box_only.numpy()
        self.box_only.assign(True)
        return new

    def __call__(self, policy) -> tf.Tensor:
        """The states of one cycle, [states, n_states]."""
        parts = []
        if self._from_paths:
            visited = self._path(policy)
            parts.append(tf.reshape(visited, (-1, visited.shape[-1]))[: self._from_paths])
        if self._box is not None:
            parts.append(self._box.points(self.generator))
        return tf.concat(parts, 0)

    @tf.function
    def advance(self, policy, periods: tf.Tensor) -> None:
        """Let the paths go on for so many dates."""
        for _ in tf.range(periods):
            self._advance_date(policy)

    @tf.function
    def _path(self, policy) -> tf.Tensor:
        """The states of so many dates, [periods, paths, n_states]."""
        visited = tf.TensorArray(self.paths.dtype, size=self._periods, element_shape=self.paths.shape)
        for t in tf.range(self._periods):
            visited = visited.write(t, self._advance_date(policy))
        return visited.stack()

    def _advance_date(self, policy) -> tf.Tensor:
        """Let the paths go on for a date; returns today's states [paths, n_states].

        A path is also lost if it is not finite a date later; today's state, useless for training, is then redrawn, too.
        The new points depend on seed and date alone, so that a lost path changes no shock.
        """
        states = self.paths.value()
        tomorrow = advance_states(self._model, policy, states, self.generator, self._shock_scale)
        later = advance_states(self._model, policy, tomorrow, None)
        lost = ~is_inside(self._domain, tomorrow, self.reach) | ~tf.reduce_all(tf.math.is_finite(later), 1)
        seed = [self._seed, self.dates]
        shift = tf.random.stateless_uniform((1, states.shape[1]), seed, dtype=states.dtype, alg="philox")
        fresh, anew = self._starts.shifted(shift), (lost | self.box_only)[:, None]
        self.paths.assign(tf.where(anew, fresh, tomorrow))
        self.dates.assign_add(1)
        self.lost.assign_add(tf.reduce_sum(tf.cast(lost & ~self.box_only, tf.int64)))
        return tf.where(anew, fresh, states)


def choose_box_share(model: Model) -> float:
    """The share of training states from the box where none is set; of a box of many dimensions paths see little."""
    return 0.0 if has_many_policies(model) else HALF
