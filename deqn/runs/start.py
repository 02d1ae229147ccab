"""Where training starts: candidates, compared by the errors that they leave on paths and box.

The first-order solution is taken where its error is good, and nothing else is looked at but the model's own guess.
Elsewhere time iteration will follow: of the candidates, the best first, that one is taken from which today's equations
can be solved. That there is no stable first-order solution, or no steady state, rules candidates out, not the run.

Where a constraint binds at rest, the first-order solution knows one side of it alone. If its paths leave, too, it is
the last to be taken, however small its error is there.

Local solutions are anchors of the network. The model's guess, and the policy of another run, are fitted by it, so that
the result depends on no other folder.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from deqn.economy.domain import concerns_rest_alone
from deqn.economy.economy import Economy
from deqn.economy.kinks import find_switches
from deqn.economy.members import Members
from deqn.evaluation.records import WaypointRecord
from deqn.model.layout import labels, multipliers
from deqn.perturbation.steady_state import SteadyState
from deqn.policies.network import PolicyNetwork
from deqn.runs.given_policies import PackedPolicy, fit_policy, read_guess, read_policy_of_run
from deqn.runs.solution import VALIDATION, build_economy, derive_seed, fit_kinks
from deqn.settings.schema import Settings
from deqn.system import files
from deqn.system.errors import FileError, InputError
from deqn.training.sampler import Sampler
from deqn.training.time_iteration_stage import measure_solved_share
from deqn.training.validation import Validator

CANDIDATES = "linear", "guess", "saturated", "quadratic", "steady_state", "none"  # the first is taken where it is GOOD
GOOD = 0.1  # mean error of the worst equation
LEAD = 10.0  # times: the error by which another candidate must be better than the first, which explodes nowhere
BINDING = 1e-6  # a multiplier at rest, above which the constraint binds there
MOST = 0.5  # share of the states at which a start needs numbers
PROBES, SOLVED = 256, 0.9  # points of the box at which time iteration is tried, and the share that it is to solve
GIVEN = "guess", "run"  # candidates to which the network is fitted
FILE = "start.json"
log = logging.getLogger("deqn")


@dataclass(frozen=True)
class Start:
    """An untrained economy, what validates it, the candidate's `name`, and the mean `errors` of all by name.

    An error is over the states with numbers, infinite where these are few. A candidate without an entry was not needed,
    or does not exist. `way`: the solutions of a continuation, in whose last it started. `solved`: at what share of the
    box today's equations are solved from a start, where that was asked. `misled`: starts that are taken last.
    """

    economy: Economy[PolicyNetwork]
    validator: Validator
    name: str
    errors: dict[str, float]
    way: tuple[WaypointRecord, ...] = ()
    solved: Mapping[str, float] = field(default_factory=dict)
    misled: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """That of the network."""
        return name_anchor(self.name)

    @property
    def error(self) -> float:
        """The mean error of the worst equation, infinite where there are no numbers."""
        return self.errors[self.name]

    @cached_property
    def is_misled(self) -> bool:
        """Whether it is a local solution near a point at which a constraint binds, and its paths leave."""
        steady, model = self.economy.steady, self.economy.model
        if steady is None or self.anchor == "none":
            return False
        at_rest = dict(zip(labels(model.policies), steady.policies, strict=True))
        binds = any(at_rest[label] > BINDING for label in labels(multipliers(model)))
        return binds and self.validator.loses_paths()

    @property
    def is_good(self) -> bool:
        """Whether training may begin with least squares."""
        return self.error <= GOOD and not self.is_misled


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
        if name != "guess" and starts and starts[0].name == CANDIDATES[0] and starts[0].is_good:
            break
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
    starts.sort(key=lambda start: (start.is_misled, start.error * (1.0 if start.name == CANDIDATES[0] else LEAD)))
    if not any(math.isfinite(start.error) for start in starts):
        raise InputError("no start has numbers: under the policies of every candidate the equations are not finite at "
                         "most states; give steady_state or guess, or other bounds")  # fmt: skip
    errors = {start.name: start.error for start in starts}
    log.info("starts: %s", ", ".join(f"{name} {error:.2e}" for name, error in errors.items()))
    solved: dict[str, float] = {}
    best = starts[0]
    if not best.is_good:
        solved = measure_solved([start for start in starts if math.isfinite(start.error)])
        best = next(start for start in starts if start.name == max(solved, key=lambda name: solved[name]))
    log.info("start taken: %s", best.name)
    return replace(best, errors=errors, solved=solved, misled=tuple(s.name for s in starts if s.is_misled))


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
    validator = Validator(economy, sampler, settings.tolerance)
    errors = validator.measure_start()
    error = errors.defined_error if errors.defined >= MOST else math.inf
    return Start(economy, validator, name, {name: error if math.isfinite(error) else math.inf})


def name_anchor(name: str) -> str:
    """The anchor of a candidate; what the network is fitted to has none."""
    return "none" if name in GIVEN else name


def write_start(folder: Path, start: Start) -> None:
    """Record which start was taken, for a resume. Raises FileError."""
    content = {"name": start.name, "errors": files.without_nonfinite(start.errors),
               "way": [asdict(record) for record in start.way], "switches": start.economy.switches,
               "solved": start.solved, "misled": start.misled}  # fmt: skip
    files.write_json(folder / FILE, content)


def restore_start(folder: Path, members: Members, settings: Settings, steady: SteadyState | None) -> Start:
    """The start of the run in a folder, whose weights a checkpoint holds. Raises FileError where it is not recorded."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        name, errors = content["name"], content["errors"]
        way = tuple(WaypointRecord(**record) for record in content.get("way", ()))
        switches, solved = tuple(content.get("switches", ())), content.get("solved", {})
        misled = tuple(content.get("misled", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{folder / FILE} is missing or damaged: {error}") from error
    start = measure_start(members, fit_kinks(settings, members.model, switches), steady, switches, name_anchor(name))
    errors = {n: math.inf if e is None else e for n, e in errors.items()}
    return replace(start, name=name, errors=errors, way=way, solved=solved, misled=misled)
