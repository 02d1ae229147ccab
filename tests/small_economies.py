"""Small economies for tests of training, each with one difficulty and a solution that is known by hand."""

from dataclasses import dataclass

import numpy as np

from deqn import Model, Policy, State


@dataclass(frozen=True)
class Ledgers(Model):
    """Fifty accounts x_i = -a_i z, equation by equation; forty-nine a_i are nearly zero, the last is not."""

    last: float = 2e-4  # a_50

    policies = (Policy("x", size=50),)
    states = (State("z", -1.0, 1.0),)
    shocks = ()

    def steady_state(self):
        return {"z": 0.0, "x": 0.0}

    def definitions(self, now):
        return {}

    def transition(self, now, shock):
        return {"z": 0.5 * now.z}

    def residuals(self, now, nxt, E):
        slopes = np.array([1e-9] * 49 + [self.last])[:, None, None]
        return {"account": now.x + slopes * now.z}
