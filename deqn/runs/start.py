"""Where training starts: candidates, compared by the errors that they leave on paths and box.

The first-order solution is taken where its error is good, and nothing else is looked at. Elsewhere time iteration will
follow: of the candidates, the best first, that one is taken from which today's equations can be solved. That there is
no stable first-order solution, or no steady state, rules candidates out, not the run.

Local solutions are anchors of the network. The model's guess, and the policy of another run, are fitted by it, so that
the result depends on no other folder.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from deqn.economy.domain import SobolPoints, concerns_rest_alone
from deqn.economy.economy import Economy
from deqn.economy.kinks import find_switches
from deqn.economy.members import Members
from deqn.economy.simulation import visit_near
from deqn.evaluation.records import WaypointRecord
from deqn.model.declaration import Model
from deqn.model.findings import call
from deqn.model.layout import free_policies, labels, limits, multipliers, named_point, pack
from deqn.perturbation.steady_state import SteadyState, find_middle
from deqn.policies.network import PolicyNetwork
from deqn.runs.solution import VALIDATION, build_economy, derive_seed, fit_kinks, load_solution
from deqn.settings.schema import Settings
from deqn.system import files
from deqn.system.errors import FileError, InputError
from deqn.training.regression import choose_fit
from deqn.training.sampler import NEAR, Sampler
from deqn.training.time_iteration_stage import measure_solved_share
from deqn.training.validation import Validator

CANDIDATES = "linear", "guess", "saturated", "quadratic", "steady_state", "none"  # the first is taken where it is GOOD
GOOD = 0.1  # mean error of the worst equation
LEAD = 10.0  # times: the error by which another candidate must be better than the first, which explodes nowhere
MOST = 0.5  # share of the states at which a start needs numbers
PROBES, SOLVED = 256, 0.9  # points of the box at which time iteration is tried, and the share that it is to solve
FITTED, DATES, STEPS = 1024, 10, 60  # points of the box, dates of paths from them, steps of a fit to given policies
GIVEN = "guess", "run"  # candidates to which the network is fitted
FILE = "start.json"
log = logging.getLogger("deqn")

PackedPolicy = Callable[[tf.Tensor], tf.Tensor]  # packed states [n, n_states] -> packed policies [n, n_policies]


@dataclass(frozen=True)
class Start:
    """An untrained economy, what validates it, the candidate's `name`, and the mean `errors` of all by name.

    An error is over the states with numbers, infinite where these are few. A candidate without an entry was not needed,
    or does not exist. `way`: the solutions of a continuation, in whose last it started. `solved`: at what share of the
    box today's equations are solved from a start, where that was asked.
    """

    economy: Economy[PolicyNetwork]
    validator: Validator
    name: str
    errors: dict[str, float]
    way: tuple[WaypointRecord, ...] = ()
    solved: Mapping[str, float] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """That of the network."""
        return name_anchor(self.name)

    @property
    def error(self) -> float:
        """The mean error of the worst equation, infinite where there are no numbers."""
        return self.errors[self.name]


def choose_start(members: Members, settings: Settings, steady: SteadyState | None) -> Start:
    """The start that `start` or `network.anchor` names, else the best one. Raises InputError where there is none.

    `steady`: the baseline's steady state, None where there is none or none is wanted. Where its paths meet kinks that
    no multiplier declares, the network and the quadrature are made for them.
    """
    start = find_start(members, settings, steady)
    if multipliers(members.model) or not (switches := find_switches(members.domain, start.economy.policy)):
        return start
    log.info("the equations have kinks where paths go: %d of their operations switch there", len(switches))
    return find_start(members, fit_kinks(settings, members.model, switches), steady, switches)


def find_start(
    members: Members, settings: Settings, steady: SteadyState | None, switches: tuple[int, ...] = ()
) -> Start:
    """The start of an economy whose `switches` are known, None yet or none there."""
    measure = partial(measure_start, members, settings, steady, switches)
    if settings.start is not None:
        return measure("run", read_policy_of_run(members.model, Path(settings.start)))
    if settings.network.anchor != "auto":
        return measure(settings.network.anchor)
    starts: list[Start] = []
    for name in CANDIDATES:
        guess = read_guess(members.model) if name == "guess" else None
        if name == "guess" and guess is None:
            continue
        if name not in ("guess", "none") and steady is None:
            continue
        if name == "quadratic" and members.parameters.names:
            continue  # it is that of one economy
        try:
            starts.append(measure(name, guess))
        except InputError as error:
            if not concerns_rest_alone(error, members.domain):
                raise
            if name == CANDIDATES[0]:
                log.warning("no anchor from the first order: %s", error)
            continue
        if name == CANDIDATES[0] and starts[0].error <= GOOD:
            break
    starts.sort(key=lambda start: start.error * (1.0 if start.name == CANDIDATES[0] else LEAD))
    if not math.isfinite(starts[0].error):
        raise InputError("no start has numbers: under the policies of every candidate the equations are not finite at "
                         "most states; give steady_state or guess, or other bounds")  # fmt: skip
    errors = {start.name: start.error for start in starts}
    log.info("starts: %s", ", ".join(f"{name} {error:.2e}" for name, error in errors.items()))
    solved: dict[str, float] = {}
    best = starts[0]
    if best.error > GOOD:
        solved = measure_solved([start for start in starts if math.isfinite(start.error)])
        best = next(start for start in starts if start.name == max(solved, key=lambda name: solved[name]))
    log.info("start taken: %s", best.name)
    return replace(best, errors=errors, solved=solved)


def measure_solved(starts: Sequence[Start]) -> dict[str, float]:
    """By name at what share of the box time iteration solves today's equations, up to the first where that is most."""
    shares: dict[str, float] = {}
    for start in starts:
        shares[start.name] = measure_solved_share(start.economy, PROBES)
        log.info("today's equations are solved at %.1f %% of the box from %s", 100 * shares[start.name], start.name)
        if shares[start.name] >= SOLVED:
            break
    return shares


def measure_start(
    members: Members, settings: Settings, steady: SteadyState | None, switches: tuple[int, ...], name: str,
    policy: PackedPolicy | None = None,
) -> Start:  # fmt: skip
    """One start and its error; with a `policy` the network is fitted to it. Raises InputError if it does not exist."""
    network = replace(settings.network, anchor=name_anchor(name))
    economy = build_economy(members, network, settings.expectation, settings.seed, settings.dtype, steady)
    economy = replace(economy, switches=switches)
    if policy is not None:
        fit_policy(economy, policy)
    sampler = Sampler(economy, settings.sampling, derive_seed(settings.seed, VALIDATION))
    validator = Validator(economy, sampler)
    errors = validator.measure_start()
    error = errors.defined_error if errors.defined >= MOST else math.inf
    return Start(economy, validator, name, {name: error if math.isfinite(error) else math.inf})


def name_anchor(name: str) -> str:
    """The anchor of a candidate; what the network is fitted to has none."""
    return "none" if name in GIVEN else name


def fit_policy(economy: Economy[PolicyNetwork], policy: PackedPolicy) -> None:
    """Fit the network to a policy function at points of the box, and at those of its paths that stay near it."""
    box = SobolPoints(economy.domain, FITTED, 0, economy.policy.dtype).points()
    states = tf.concat([box, visit_near(economy.domain, policy, box, DATES, NEAR)], 0)
    outputs = economy.policy.bounds.outputs(policy(states).numpy().astype(float))
    choose_fit(economy, len(states), 2**30).fit(states, outputs, STEPS)


def read_guess(model: Model) -> PackedPolicy | None:
    """The model's guess as a policy function; None where it has none. Raises InputError where it is no policy."""
    middle = find_middle(model)
    zeros = {m.name: 0.0 for m in multipliers(model)}

    def guess(states: tf.Tensor) -> Mapping[str, Any] | None:
        anything = tf.constant(middle.policies[None], states.dtype)
        return model.guess(named_point(model, states, tf.repeat(anything, tf.shape(states)[0], 0)))

    def policy(states: tf.Tensor) -> tf.Tensor:
        n = states.shape[0] or tf.shape(states)[0]
        return pack({**zeros, **guess(states)}, model.policies, 1, n, states.dtype)

    states = tf.constant(middle.states[None])
    given = call("guess", lambda: guess(states), Mapping | None)
    if given is None:
        return None
    if missing := [p.name for p in free_policies(model.policies) if p.name not in given]:
        raise InputError(f"guess does not return {missing[0]!r}; it returns {', '.join(given)}")
    row, (lower, upper) = call("guess", lambda: policy(states), tf.Tensor).numpy()[0], limits(model.policies)
    for name, x, low, high in zip(labels(model.policies), row, lower, upper, strict=True):
        if not low <= x <= high:
            raise InputError(f"guess returned {name}={x:.4g} in the middle of the box, outside [{low:g}, {high:g}]")
    return policy


def read_policy_of_run(model: Model, folder: Path) -> PackedPolicy:
    """The policy function of a run of the same policies, and of the same states or some of them.

    Raises FileError where there is no run, InputError where its economy is another one.
    """
    try:
        other = load_solution(folder).economy
    except FileError as error:
        raise FileError(f"start={folder}: {error}") from error
    for kind in ("policies", "states"):
        theirs, ours = (labels(getattr(m, kind)) for m in (other.model, model))
        if not set(theirs) <= set(ours) or (kind == "policies" and set(theirs) != set(ours)):
            raise InputError(f"start={folder}: its {kind} are {', '.join(theirs)}; those of this model are "
                             f"{', '.join(ours)}")  # fmt: skip
    columns = [labels(model.states).index(name) for name in labels(other.model.states)]
    order = [labels(other.model.policies).index(name) for name in labels(model.policies)]
    follow = lambda states: other.policy(tf.cast(tf.gather(states, columns, axis=1), other.policy.dtype))
    return lambda states: tf.cast(tf.gather(follow(states), order, axis=1), states.dtype)


def write_start(folder: Path, start: Start) -> None:
    """Record which start was taken, for a resume. Raises FileError."""
    content = {"name": start.name, "errors": files.without_nonfinite(start.errors),
               "way": [asdict(record) for record in start.way], "switches": start.economy.switches,
               "solved": start.solved}  # fmt: skip
    files.write_json(folder / FILE, content)


def restore_start(folder: Path, members: Members, settings: Settings, steady: SteadyState | None) -> Start:
    """The start of the run in a folder, whose weights a checkpoint holds. Raises FileError where it is not recorded."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        name, errors = content["name"], content["errors"]
        way = tuple(WaypointRecord(**record) for record in content.get("way", ()))
        switches, solved = tuple(content.get("switches", ())), content.get("solved", {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{folder / FILE} is missing or damaged: {error}") from error
    start = measure_start(members, fit_kinks(settings, members.model, switches), steady, switches, name_anchor(name))
    errors = {n: math.inf if e is None else e for n, e in errors.items()}
    return replace(start, name=name, errors=errors, way=way, solved=solved)
