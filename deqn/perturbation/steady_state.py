"""The deterministic steady state: the model's own where it gives one, else found from its equations.

States s and policies u solve transition(s, u) = s and residuals = 0 with every shock at its mean. Trust-region least
squares with automatic derivatives start from the middle of the box, and from those of many points, spread widely over
box and bounds, where the equations have numbers and the smallest errors; Newton's method polishes what they find. The
search ends after the model's `search_seconds`.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import tensorflow as tf
from scipy.stats import qmc

from deqn.equations.residuals import stack_rows, without_risk
from deqn.model.declaration import Model
from deqn.model.layout import box, box_widths, labels, limits, pack_row, width
from deqn.perturbation.derivatives import jacobian, jacobians
from deqn.system.errors import InputError

TOLERANCE = 1e-8  # of every equation at the steady state
ROUNDING = 1e-9  # from zero or a bound: a steady state that lies there but for rounding errors
STARTS, SCREENED, WIDE = 16, 1024, 12.0  # the best of so many points; their range of an unbounded policy, in logarithms
SILENT = 3.0  # seconds before a search says anything
LISTED = 12  # variables in a message
MOVES, NEWTON = 8, 4  # steps of the parameters from the known economy on, and Newton's steps after each
POLISH = 8  # Newton steps after a search
ROOT = 1e-10


class NoSteadyState(InputError):
    """No steady state was found in the box, in the time that the search has."""


@dataclass(frozen=True)
class SteadyState:
    """Packed values: `states` [n_states], `policies` [n_policies]."""

    states: np.ndarray
    policies: np.ndarray


def steady_state(model: Model, tell: Callable[[str], None] = lambda text: None) -> SteadyState:
    """The steady state that the model gives, or the one found in its box. Raises InputError where none is found."""
    given = model.steady_state()
    if given is not None:
        return SteadyState(pack_row(given, model.states), pack_row(given, model.policies))
    system = RestEquations(model, tell)
    system.check_square()
    ended = "was found in the box"
    try:
        for start in system.starts():
            system.search(start)
            if system.smallest <= TOLERANCE / 100:
                break
    except TimeoutError:
        ended = f"was found in {model.search_seconds:g} s"
    if system.best is None:
        start = next(system.starts())
        raise NoSteadyState(f"no steady state was found: the equations are not finite at any start; at "
                            f"{system.describe(start)}, {system.describe_worst(start)}; give steady_state")  # fmt: skip
    if not system.smallest <= TOLERANCE:
        remedy = "or another box" if ended.endswith("box") else "or search_seconds, a member of the model, more"
        raise NoSteadyState(f"no steady state {ended}; the closest point is {system.describe(system.best)}, where "
                            f"{system.describe_worst(system.best)}; give steady_state, {remedy}")  # fmt: skip
    return SteadyState(*np.split(system.round_best(), [system.n_states]))


class RestEquations:
    """The equations of a steady state as a function of one vector: packed states, then packed policies.

    `best` is the point with the `smallest` largest error so far. Every evaluation raises TimeoutError once the time of
    the search is over.
    """

    def __init__(self, model: Model, tell: Callable[[str], None]):
        self.model = model
        self.best, self.smallest = None, np.inf
        self._tell, self._began, self._told = tell, time.monotonic(), SILENT - 1
        self.n_states = sum(map(width, model.states))
        (low, high), (lower, upper) = box(model.states), limits(model.policies)
        self.corners = np.concatenate([low, lower]), np.concatenate([high, upper])
        self._units = box_widths(model.states)

    def check_square(self) -> None:
        """As many equations as policies. Raises InputError."""
        policies = len(self.corners[0]) - self.n_states
        found = self._equations(tf.constant(next(self.starts())[None])).shape[1] - self.n_states
        if found != policies:
            raise InputError(f"residuals returned {found} equations for {policies} policies; give steady_state")

    def starts(self) -> Iterator[np.ndarray]:
        """The middle of the box with moderate policies, then the best points of Sobol sets over box and bounds."""
        low, high = self.corners
        yield spread_points(np.full(len(low), 0.5), low, high)
        sobol = qmc.Sobol(len(low), scramble=True, rng=np.random.default_rng(0))
        unit = sobol.random_base2(SCREENED.bit_length() - 1)
        points = np.concatenate([spread_points(unit, low, high), spread_points(unit, low, high, WIDE)])
        sizes = np.abs(self._equations(tf.constant(points)).numpy()).max(1)
        order = np.argsort(np.where(np.isfinite(sizes), sizes, np.inf))  # what is not finite comes last
        yield from points[order[:STARTS]]

    def search(self, start: np.ndarray) -> None:
        """Least squares inside box and bounds, and Newton's method from where they end."""
        low, high = self.corners
        scale = np.concatenate([self._units, np.maximum(np.abs(start[self.n_states :]), 1e-3)])
        with contextlib.suppress(ValueError, np.linalg.LinAlgError):  # not finite at the start, or on the way
            x = scipy.optimize.least_squares(self.values, start, self.slopes, bounds=(low, high), x_scale=scale).x
            for _ in range(POLISH):  # full steps: near a unit root the equations are nearly flat
                x = np.clip(x - np.linalg.lstsq(self.slopes(x), self.values(x), rcond=None)[0], low, high)
            self.values(x)

    def round_best(self) -> np.ndarray:
        """The best point; values within rounding errors of zero or a bound move there if the equations still hold."""
        near = self.best
        for value in (np.zeros(len(near)), *self.corners):
            near = np.where(np.abs(near - value) < ROUNDING, value, near)
        found = self._equations(tf.constant(near[None])).numpy()[0]
        return near if np.abs(found).max() <= max(TOLERANCE / 100, self.smallest) else self.best

    def values(self, x: np.ndarray) -> np.ndarray:
        """The states' change in widths of the box, then the residuals, at x; least squares avoid what is not finite."""
        found = self._equations(tf.constant(x[None])).numpy()[0]
        low, high = self.corners
        if np.abs(found).max() < self.smallest and (x >= low).all() and (x <= high).all():
            self.best, self.smallest = x.copy(), np.abs(found).max()
        self._keep_time()
        return found

    def _keep_time(self) -> None:
        """Say once a second what is going on. Raises TimeoutError at the end of the search."""
        seconds, limit = time.monotonic() - self._began, self.model.search_seconds
        if seconds > limit:
            raise TimeoutError
        if seconds > self._told + 1:
            self._told = seconds
            self._tell(f"looking for a steady state, for up to {limit:g} s; steady_state saves this: {seconds:.0f} s, "
                       f"largest error {self.smallest:.1e}")  # fmt: skip

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """Their derivatives, [equations, unknowns]."""
        self._keep_time()
        found = jacobian(self._equations, x)
        if not np.isfinite(found).all():
            raise ValueError("not finite")
        return found

    @tf.function(autograph=False)
    def _equations(self, x: tf.Tensor) -> tf.Tensor:
        """At each row of x [batch, unknowns]: [batch, equations]."""
        states, policies = x[:, : self.n_states], x[:, self.n_states :]
        tomorrow, errors = without_risk(self.model, states, policies, states, policies)
        return tf.concat([(tomorrow - states) / self._units, tf.transpose(stack_rows(errors, x.shape[0]))], 1)

    def describe(self, x: np.ndarray) -> str:
        """x by name, the first of many."""
        named = zip(labels([*self.model.states, *self.model.policies]), x, strict=True)
        words = [f"{name}={value:.4g}" for name, value in named]
        return ", ".join(words[:LISTED]) + f" and {len(words) - LISTED} more" * (len(words) > LISTED)

    def describe_worst(self, x: np.ndarray) -> str:
        """The equation with the largest error at x."""
        states, policies = (tf.constant(part[None]) for part in np.split(x, [self.n_states]))
        tomorrow, errors = without_risk(self.model, states, policies, states, policies)
        drifts = zip(labels(self.model.states), (tomorrow - states).numpy()[0] / self._units, strict=True)
        sizes = {f"equation {name!r}": np.abs(r).max() for name, r in errors.items()}
        sizes |= {f"the change of state {name!r}": abs(drift) for name, drift in drifts}
        name = max(sizes, key=lambda n: np.inf if np.isnan(sizes[n]) else sizes[n])
        return f"{name} is {sizes[name]:.3g}"


def spread_points(unit: np.ndarray, low: np.ndarray, high: np.ndarray, orders: float = 4.0) -> np.ndarray:
    """Points of the unit cube between the bounds; where one is missing, around a distance of one from the other.

    `orders`: the range of that distance in natural logarithms, by default from e^-2 to e^2.
    """
    below, above = np.isfinite(low), np.isfinite(high)
    floor, ceiling = np.where(below, low, 0.0), np.where(above, high, 0.0)
    distance = np.exp(orders * (unit - 0.5))
    inside = floor + (0.02 + 0.96 * unit) * (ceiling - floor)
    outside = np.where(below, floor + distance, np.where(above, ceiling - distance, 4 * (unit - 0.5)))
    return np.where(below & above, inside, outside)


def find_middle(model: Model) -> SteadyState:
    """The middle of the box with moderate policies, which stands in for an unknown steady state."""
    (low, high), (lower, upper) = box(model.states), limits(model.policies)
    return SteadyState((low + high) / 2, spread_points(np.full(len(lower), 0.5), lower, upper))


def continue_root(
    system: Callable[[tf.Tensor], tf.Tensor], start: np.ndarray, first: np.ndarray, samples: np.ndarray
) -> np.ndarray:
    """Roots at parameters `samples` [n, k], by Newton's method from `start` [unknowns], the root at `first` [k], while
    the parameters move: [n, unknowns]. For a family, in which a search for each economy would take a second or more.

    `system` maps unknowns and parameters [batch, unknowns + k] to as many equations as unknowns. A row without a root
    is nan.
    """
    n, unknowns = len(samples), len(start)
    directions, roots = np.eye(unknowns + len(first))[:unknowns], np.tile(start, (n, 1))
    for move in range(1, MOVES + 1):
        parameters = first + (samples - first) * move / MOVES
        for _ in range(NEWTON):
            at = np.hstack([roots, parameters])
            values, slopes = system(tf.constant(at)).numpy(), jacobians(system, at, directions)
            usable = np.isfinite(values).all(1) & np.isfinite(slopes).all((1, 2))
            roots[usable] -= np.einsum("nij,nj->ni", np.linalg.pinv(slopes[usable]), values[usable])
    left = np.abs(system(tf.constant(np.hstack([roots, samples]))).numpy()).max(1)
    return np.where((left <= ROOT)[:, None], roots, np.nan)
