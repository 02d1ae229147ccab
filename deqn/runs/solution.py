"""A solved model: what it answers in a notebook, and how it is loaded from its folder."""

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from deqn.configuration.gallery import find_folder, name_run
from deqn.configuration.job import load_stored
from deqn.economy import anchors, domain
from deqn.economy.alignment import align_on_paths
from deqn.economy.economy import Economy
from deqn.economy.members import Members
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import choose_finer_rule, choose_quadrature, choose_rule
from deqn.evaluation import analysis, closed_loop, evaluate, moments, responses
from deqn.evaluation.summary import UNKNOWN, Summary, read_summary
from deqn.families.pseudo_states import gather_members
from deqn.model.declaration import Model
from deqn.model.layout import free_policies, labels, width
from deqn.perturbation.modes import Modes
from deqn.perturbation.steady_state import NoSteadyState, SteadyState, find_middle, steady_state
from deqn.policies.approximators import Approximator, choose_widths, make_network
from deqn.policies.network import PolicyNetwork
from deqn.reporting import html_report, report
from deqn.settings.schema import Network, Quadrature, Settings
from deqn.system.errors import FileError, InputError
from deqn.system.files import format_error
from deqn.training.checkpoint import read_policy

INTERVAL_ROUNDING = 1e-5  # of an interval, by which a parameter in single precision may lie outside
DOMAIN_MARGIN = 0.3  # by which a polynomial's domain is wider than the box: tomorrow's states may lie outside
# Seeds of independent random streams, told apart from each other and from one run seed to the next.
NETWORK, TRAINING, VALIDATION, EVALUATION, SIMULATION = range(5)


def derive_seed(seed: int, purpose: int) -> int:
    """The seed of one purpose's random numbers."""
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0] >> 1)


@dataclass(frozen=True)
class Solution:
    """A policy function together with the model that it solves, and the result of the run that found it."""

    economy: Economy
    settings: Settings
    result: Summary
    folder: Path
    _members: dict[tuple[float, ...], Economy] = field(default_factory=dict, init=False, compare=False)

    def __repr__(self) -> str:
        error = format_error(self.result.path_error.mean)
        word, place = report.grade(self.result), name_run(self.folder)
        return f"Solution({word} {self.result.model}, mean path error {error}, {place})"

    def _repr_html_(self) -> str:
        return html_report.render_page("notebook.html", **html_report.describe_verdict(self.result))

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json, a new dictionary; `result` holds the same as typed values."""
        return self.result.to_json()

    def policy(self, states: Mapping[str, Any], **parameters: Any) -> pd.DataFrame:
        """Policies, definitions and reported expectations at given states, one row each.

        `states`: name -> number or [n] for a scalar state, [size] or [size, n] for a vector; or its columns `k[0]`,
        `k[1]`, ... as in a table from `simulate`. `parameters`, in a family: numbers or [n], `beta=0.97`; the others
        take their baseline values. Raises KeyError for a state that is missing or a parameter that is none, ValueError
        for a wrong shape or a parameter outside its interval. Warns of a state between the outcomes of a chain.
        """
        packed = self._pack({**self._complete(parameters, states), **states, **parameters})
        for stray in domain.find_strays(self.economy.domain, packed.numpy()):
            warnings.warn(stray, stacklevel=2)
        return self.economy.tabulate(packed).drop(columns=labels(self.economy.model.states))

    def simulate(self, periods: int = 200, paths: int = 100, seed: int = 1, **parameters: float) -> pd.DataFrame:
        """Simulated paths after the evaluation's burn-in: columns `path`, `period` and every variable.

        The paths of a family spread over its members; with `parameters`, `beta=0.97`, all are of one member.
        """
        chosen = replace(self.settings.evaluation, periods=periods, paths=paths)
        of = evaluate.center_row(self.choose_member(parameters)) if parameters else None
        states = evaluate.sample_paths(self.economy, chosen, derive_seed(seed, SIMULATION), of, self.closed_loop)
        return analysis.tabulate_paths(self.economy, states)

    def euler_errors(self, seed: int | None = None) -> pd.DataFrame:
        """Absolute residuals on fresh states with the finer rule: rows (set, equation), columns the statistics."""
        sets = self.draw_evaluation_states(self.settings.seed if seed is None else seed)
        tables = {where: evaluate.summarize_errors(self.finer_economy.euler_errors(x)) for where, x in sets.items()}
        rows = {(where, name): statistics for where, table in tables.items() for name, statistics in table.items()}
        return pd.DataFrame(rows).T.rename_axis(["set", "equation"])

    def irf(
        self, name: str, size: float = 1.0, periods: int = 40, outcome: int | None = None, **parameters: float
    ) -> pd.DataFrame:
        """Deviations, in levels, of every variable from the path without the shock, dates 0 to `periods`.

        The path without it is at rest; in an economy with a regime, both are means over many paths.

        `name` is a shock, moved by `size` standard deviations, or a state, displaced by the share `size` of its value.
        A name of both means the shock. With an `outcome`, counted from 0, a discrete shock takes that one, whatever
        `size` is. In a family the economy has the `parameters`, or else those of the baseline.
        Raises KeyError for another name or outcome, ValueError for fewer than one period.
        """
        if periods < 1:
            raise ValueError(f"periods={periods}; an impulse response has at least one")
        shocked, baseline = responses.impulse_response(self.choose_member(parameters), name, size, periods, outcome)
        return shocked - baseline

    def moments(self, periods: int = 200, paths: int = 100, seed: int = 1, **parameters: float) -> pd.DataFrame:
        """Mean, std, variance, skewness, extremes, first autocorrelation and standard errors along simulated paths."""
        return moments.moments(self.simulate(periods, paths, seed, **parameters))

    def autocorrelations(
        self, order: int = 5, periods: int = 200, paths: int = 100, seed: int = 1, **parameters: float
    ) -> pd.DataFrame:
        """Autocorrelations of orders 1 to `order` of every variable along simulated paths."""
        return moments.autocorrelations(self.simulate(periods, paths, seed, **parameters), order)

    def correlations(self, periods: int = 200, paths: int = 100, seed: int = 1, **parameters: float) -> pd.DataFrame:
        """The matrix of correlations of all variables along simulated paths."""
        return moments.correlations(self.simulate(periods, paths, seed, **parameters))

    @cached_property
    def closed_loop(self) -> Modes | None:
        """The eigenvalues of the closed loop where the economy rests; None where it rests nowhere."""
        return closed_loop.find_closed_loop_modes(self.economy)

    @cached_property
    def finer_economy(self) -> Economy:
        """The economy under the finer rule of the evaluation."""
        model, settings = self.economy.model, self.settings.expectation
        finer = build_expectation(model, choose_finer_rule(settings, model))
        return replace(self.economy, expectation=finer.turn_as(self.economy.expectation))

    def draw_evaluation_states(self, seed: int) -> dict[str, tf.Tensor]:
        """Fresh states of the sets `path` and `box`, packed, [n, n_states]."""
        chosen, seed = self.settings.evaluation, derive_seed(seed, EVALUATION)
        path = evaluate.sample_paths(self.economy, chosen, seed, loop=self.closed_loop)
        box = domain.box_states(self.economy.domain, chosen, seed, self.economy.policy.dtype)
        return {"path": tf.reshape(path, (-1, path.shape[-1])), "box": box}

    def choose_member(self, parameters: Mapping[str, float]) -> Economy:
        """The economy that rests at given parameters; without any, at those of the baseline."""
        if not parameters:
            return self.economy
        values = tuple(float(x) for x in self._complete(parameters, {}).values())
        if values not in self._members:
            self._members[values] = replace(self.economy, steady=self.economy.members.rest_at(values))
        return self._members[values]

    def _complete(self, given: Mapping[str, Any], states: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of a family, the baseline's where not given here or among the states. Raises KeyError."""
        known, values = self.economy.members.parameters, {}
        if unknown := [name for name in given if name not in known.names]:
            raise KeyError(f"no parameter {unknown[0]!r} is a state; there are {', '.join(known.names) or 'none'}")
        for name, low, high, baseline in zip(*known, strict=True):
            values[name] = given.get(name, states.get(name, baseline))
            away = np.abs(np.asarray(values[name], float) - (low + high) / 2) / (high - low)
            if (away > 0.5 + INTERVAL_ROUNDING).any():
                where = f"outside [{low:g}, {high:g}], for which the family is solved"
                raise ValueError(f"{name}={values[name]} lies {where}")
        return values

    def _pack(self, states: Mapping[str, Any]) -> tf.Tensor:
        columns: list[np.ndarray] = []
        for s in self.economy.model.states:
            names = labels([s])
            if s.name not in states and not all(n in states for n in names):
                listed = ", ".join(v.name for v in self.economy.model.states)
                raise KeyError(f"no value for the state {s.name!r}; the model's states are {listed}")
            value = np.asarray(states[s.name] if s.name in states else [states[n] for n in names], float)
            if value.ndim > (2 if s.size is not None else 1) or (s.size is not None and value.shape[:1] != (s.size,)):
                wanted = "a number or [n]" if s.size is None else f"[{s.size}] or [{s.size}, n]"
                raise ValueError(f"the state {s.name!r} has shape {list(value.shape)}; expected {wanted}")
            columns.extend(value.reshape(width(s), -1))
        return tf.constant(np.stack(np.broadcast_arrays(*columns), 1), self.economy.policy.dtype)


def fit_kinks(settings: Settings, model: Model, switches: Sequence[int]) -> Settings:
    """The settings, open choices of network and quadrature made as for constraints where there are `switches`."""
    if not switches:
        return settings
    hidden = choose_widths(model, settings.network, kinked=True)
    quadrature = choose_quadrature(settings.expectation, model, kinked=True)
    return replace(settings, network=replace(settings.network, hidden=hidden), expectation=quadrature)


def build_economy(
    members: Members, network: Network, quadrature: Quadrature, seed: int, dtype: str, steady: SteadyState | None = None
) -> Economy[PolicyNetwork]:
    """The economy of its members, with an untrained policy function and an expectation.

    `steady`: the baseline's steady state, where it is known already; with `network.anchor` none it is not looked for,
    and `auto` is linear (`runs.start` chooses). Raises InputError where the steady state, or the local solution that is
    the anchor, is not found.
    """
    model, kind = members.model, "linear" if network.anchor == "auto" else network.anchor
    steady = steady if kind == "none" else steady or steady_state(model)
    network = replace(network, hidden=choose_widths(model, network))
    inputs, outputs = (sum(map(width, declared)) for declared in (model.states, free_policies(model.policies)))
    scale = anchors.Scale(members.domain, DOMAIN_MARGIN if network.name == "chebyshev" else 0.0)
    approximator = Approximator(make_network(inputs, outputs, network, dtype, derive_seed(seed, NETWORK)), scale)
    chosen = build_expectation(model, choose_rule(quadrature, model))
    try:
        rest = steady if kind != "none" and steady is not None else find_middle(model)
        policy = anchors.build_policy(members, rest, approximator, kind, chosen)
    except InputError as error:
        advice = "network.anchor=steady_state does without it"
        raise type(error)(f"network.anchor={kind}: {error}; {advice}") from error
    return Economy(members, steady, policy, chosen)


def load_solution(folder: str | Path) -> Solution:
    """The solution that a run left in its folder, or `gallery:NAME`. Raises FileError where it is not whole."""
    folder = find_folder(folder)
    settings, model = load_stored(folder)
    try:
        result = read_summary(folder)
    except (OSError, ValueError) as error:
        raise FileError(f"{folder} does not hold a finished run: {error}") from error
    members = gather_members(model, settings.pseudo_states)
    recorded, steady = result.training or UNKNOWN, None
    switches = tuple(recorded.switches or ())
    settings = fit_kinks(settings, members.model, switches)
    network = replace(settings.network, hidden=settings.network.hidden or recorded.hidden)
    if network.anchor == "auto":  # what the run chose
        network = replace(network, anchor=recorded.anchor or "linear")
        rests = result.stability is not None if recorded.rests is None else recorded.rests
        with contextlib.suppress(NoSteadyState):  # an earlier release's stability was that of where paths settle
            steady = steady_state(members.model) if rests else None
    economy = build_economy(members, network, settings.expectation, settings.seed, settings.dtype, steady)
    economy = replace(economy, switches=switches)
    read_policy(folder, economy.policy.network)
    align_on_paths(economy)
    return Solution(economy, settings, result, folder)
