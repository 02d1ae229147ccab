"""Training states: simulated paths that go on from cycle to cycle under the current policy, mixed with box points."""

import tensorflow as tf

from deqn.model import Model
from deqn.settings import Sampling
from deqn.simulate import Box, last, path


class Sampler(tf.Module):
    """Draws `paths * periods` states a cycle, the share `box_share` of them from the box.

    Normal shocks are drawn `shock_scale` times as large as the model's, so that training reaches into the tails on
    which the evaluation will judge. The paths start spread over the box and are advanced `burn_in` periods before the
    first cycle. Paths and generator are variables, so that a checkpoint holds them.
    """

    def __init__(self, model: Model, sampling: Sampling, seed: int, dtype: tf.DType):
        super().__init__()
        self.states = sampling.paths * sampling.periods
        self.generator = tf.random.Generator.from_seed(seed, alg="philox")
        from_box = round(sampling.box_share * self.states)
        self._from_paths = self.states - from_box
        self._periods = -(-self._from_paths // sampling.paths)
        self._burn_in, self._shock_scale = sampling.burn_in, sampling.shock_scale
        self._model = model
        self._box = Box(model, from_box, seed, dtype) if from_box else None
        self.paths = tf.Variable(Box(model, sampling.paths, seed + 1, dtype).points(), trainable=False)

    def warm_up(self, policy) -> None:
        """Leave the dispersed start behind."""
        self.advance(policy, self._burn_in)

    def advance(self, policy, periods: int) -> None:
        """Let the paths go on for so many dates."""
        ends = last(self._model, policy, self.paths.value(), tf.constant(periods), self.generator, self._shock_scale)
        self.paths.assign(ends)

    def __call__(self, policy) -> tf.Tensor:
        """The states of one cycle, [states, n_states]."""
        parts = []
        if self._from_paths:
            visited = path(self._model, policy, self.paths.value(), self._periods, self.generator, self._shock_scale)
            self.paths.assign(visited[-1])
            parts.append(tf.reshape(visited, (-1, visited.shape[-1]))[: self._from_paths])
        if self._box is not None:
            parts.append(self._box.points(self.generator))
        return tf.concat(parts, 0)
