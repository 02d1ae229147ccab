"""deqn: dynamic economic models solved with Deep Equilibrium Nets.

Declaring a model does not import TensorFlow. `solve`, `load`, `Solution`, `Ensemble` and `fischer_burmeister` do.
"""

from typing import TYPE_CHECKING, Any

from deqn.model.declaration import Discrete, Markov, Model, Multiplier, Normal, Point, Policy, State
from deqn.system.errors import DeqnError, FileError, InputError

if TYPE_CHECKING:
    from deqn.equations.residuals import fischer_burmeister
    from deqn.runs.ensemble import Ensemble, load
    from deqn.runs.run import solve
    from deqn.runs.solution import Solution

__version__ = "0.1.0"
__all__ = [
    "DeqnError", "Discrete", "Ensemble", "FileError", "InputError", "Markov", "Model", "Multiplier", "Normal", "Point",
    "Policy", "Solution", "State", "fischer_burmeister", "load", "solve",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("Ensemble", "Solution", "fischer_burmeister", "load", "solve"):
        from deqn.system.lazy_tensorflow import load_tensorflow

        load_tensorflow()
        from deqn.equations import residuals
        from deqn.runs import ensemble, run, solution

        homes = {"solve": run, "load": ensemble, "Ensemble": ensemble, "fischer_burmeister": residuals}
        return getattr(homes.get(name, solution), name)
    raise AttributeError(f"module 'deqn' has no attribute {name!r}")
