"""What a model is: named states, policies and shocks, and the equations that tie today to tomorrow.

A model is a frozen dataclass whose fields are its parameters. It declares its variables and writes its equations as the
paper has them; everything else (networks, expectations, training, diagnostics) belongs to the engine. This module needs
no TensorFlow, so that a mistyped parameter is answered at once.

Shapes: a scalar variable is [nodes, batch], a vector of size n (ages, countries) is [n, nodes, batch]. Today has one
node and broadcasts against tomorrow, which has one node for each outcome of the shocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class State:
    """A state variable and the box [lower, upper] in which the solution is wanted.

    The box scales the network's inputs, supplies starting points and sampling regions, and is where accuracy is judged
    beside the simulated path. `lower` and `upper` are numbers, or arrays of length `size`.
    """

    name: str
    lower: Any
    upper: Any
    size: int | None = None  # None: a scalar; n: a vector over ages, countries, ...
    log: bool = False  # positive, and the policy function reads its logarithm
    fixed: ClassVar[bool] = False  # constant along every path

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end, each [width]."""
        shape = (1 if self.size is None else self.size,)
        lower, upper = (np.broadcast_to(np.asarray(x, float), shape) for x in (self.lower, self.upper))
        return lower, upper


@dataclass(frozen=True)
class Policy:
    """A policy variable and its bounds, which the network meets by construction; None is unbounded."""

    name: str
    lower: float | None = None
    upper: float | None = None
    size: int | None = None


@dataclass(frozen=True)
class Multiplier:
    """The multiplier on a bound of a policy that may bind: the multiplier is zero where the policy is off the bound.

    A policy variable like the others, which the equations read by name; its unit is the model's choice. The network
    has one output for policy and multiplier together, their distance from the kink, so that both signs and
    complementary slackness hold exactly, without smoothing.
    """

    name: str
    of: str  # the policy
    bound: str = "lower"  # or upper
    size: int | None = None  # that of the policy
    lower: ClassVar[float] = 0.0
    upper: ClassVar[None] = None


@dataclass(frozen=True)
class Normal:
    """`size` independent standard normal shocks."""

    name: str
    size: int | None = None


@dataclass(frozen=True)
class Discrete:
    """A draw, independent over time, from finitely many joint outcomes.

    `values`: the outcomes of each named variable, [outcomes] or [n, outcomes]; `probabilities`: [outcomes].
    """

    values: Mapping[str, Any]
    probabilities: Sequence[float]


@dataclass(frozen=True)
class Markov:
    """A draw from finitely many joint outcomes whose probabilities depend on today's state.

    `values` as in `Discrete`; `probabilities(now)` returns tomorrow's probabilities, [outcomes, batch] or
    [outcomes, 1, batch], for today's point of shape [1, batch]. States that repeat the outcome, or a function of it,
    whatever today is, are a regime: they take its values alone.
    """

    values: Mapping[str, Any]
    probabilities: Callable[["Point"], Any]


class Point:
    """The variables of one date, read by name in the equations: `now.k`, `nxt.c`."""

    def __init__(self, values: Mapping[str, Any]):
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no variable {name!r} at this point; there are: {', '.join(self.__dict__)}")

    def also(self, values: Mapping[str, Any]) -> "Point":
        """A point with further variables."""
        return Point({**self.__dict__, **values})


class Model(ABC):
    """The base of every economy: subclass it as a frozen dataclass whose fields are the parameters.

    `ranges` maps parameters to intervals such as "(0, 1)", "[0, inf)", or to a tuple of allowed words. They are checked
    before a model is built from a configuration, apart from construction, so that the engine may bind tensors instead.
    `search_seconds`: how long a steady state is looked for where `steady_state` gives none.
    """

    ranges: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    search_seconds: ClassVar[float] = 20.0

    @property
    @abstractmethod
    def states(self) -> Sequence[State]:
        """The state variables."""

    @property
    @abstractmethod
    def policies(self) -> Sequence[Policy | Multiplier]:
        """The policy variables, which the network returns, and the multipliers on those bounds that may bind."""

    @property
    @abstractmethod
    def shocks(self) -> Sequence[Normal | Discrete | Markov]:
        """The shocks between today and tomorrow; none in a deterministic economy."""

    def definitions(self, now: Point) -> Mapping[str, Any]:
        """Quantities that follow from today's states and policies; later equations read them by name. None, as here."""
        return {}

    @abstractmethod
    def transition(self, now: Point, shock: Point) -> Mapping[str, Any]:
        """Tomorrow's states, [nodes, batch] each (or [n, nodes, batch])."""

    @abstractmethod
    def residuals(self, now: Point, nxt: Point, E: Callable[[Any], Any]) -> Mapping[str, Any]:
        """Unit-free equilibrium residuals; `E(v)` is the expectation of v given today, [..., 1, batch].

        `nxt` has tomorrow's variables, and tomorrow's shocks by name where no variable has that name.
        As many as policies; complementary slackness of a declared multiplier is none of them.
        """

    def expectations(self, now: Point, nxt: Point, E: Callable[[Any], Any]) -> Mapping[str, Any]:
        """What is reported beside the definitions and needs tomorrow: a riskless rate, a premium; no equation reads it.

        The arguments are those of `residuals`; a value has the shape [1, batch], or [n, 1, batch] for a vector.
        """
        return {}

    def steady_state(self) -> Mapping[str, Any] | None:
        """States and policies at rest, every shock at its mean; None, as here, has them found from the equations."""
        return None

    def guess(self, now: Point) -> Mapping[str, Any] | None:
        """Policies at which a solution may start, in place of the local solutions; None, as here, for no guess.

        It may read today's states and those definitions that do not depend on a policy. A multiplier that is left out
        is zero.
        """
        return None

    def closed_form(self, now: Point) -> Mapping[str, Any] | None:
        """The exact policies where they are known for these parameters, else None.

        It may read today's states and those definitions that do not depend on a policy.
        """
        return None


def reports_expectations(base: Model) -> bool:
    """Whether a model, the base where it is a family, has `expectations` of its own."""
    return type(base).expectations is not Model.expectations
