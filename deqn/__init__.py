"""deqn: dynamic economic models solved with Deep Equilibrium Nets.

`solve`, `load`, `Solution` and `fischer_burmeister` load TensorFlow at first use; declaring a model does not.
"""

from deqn.errors import DeqnError, FileError, InputError
from deqn.model import Discrete, Markov, Model, Multiplier, Normal, Point, Policy, State

__version__ = "0.1.0"
__all__ = [
    "DeqnError", "Discrete", "FileError", "InputError", "Markov", "Model", "Multiplier", "Normal", "Point", "Policy",
    "Solution", "State", "fischer_burmeister", "load", "solve",
]  # fmt: skip


def __getattr__(name: str):
    if name in ("Solution", "fischer_burmeister", "load", "solve"):
        from deqn.postponed import load_tensorflow

        load_tensorflow()
        from deqn import residuals, run, solution

        homes = {"solve": run, "fischer_burmeister": residuals}
        return getattr(homes.get(name, solution), name)
    raise AttributeError(f"module 'deqn' has no attribute {name!r}")
