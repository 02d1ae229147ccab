"""What a run records of its training, and what each judgement measures: the parts of summary.json."""

from dataclasses import dataclass

Statistics = dict[str, float]  # of absolute residuals (shares): mean, median, p90, p99, p999, max
FAR = 0.05  # of a policy's mean size
DETERMINATE = 1.02  # the largest eigenvalue of the map of expectations, estimated, that counts as at most one
CONVERGENCE_SPREAD = 0.01  # of the box: paths that end closer have come together


@dataclass(frozen=True)
class TrainingRecord:
    """Why training `ended`, its last `error` (share), and the settings that advice refers to."""

    ended: str
    problem: str | None
    lost_paths: int
    error: float | None
    anchor: str
    nodes: int | None
    hidden: list[int] | None
    rests: bool | None = None  # whether a steady state was known; None: not recorded
    switches: list[int] | None = None  # places of the equations with kinks that no multiplier declares


@dataclass(frozen=True)
class RungRecord:
    """A stage of the training: its steps and seconds, and the best mean validation error after it (share)."""

    stage: str
    steps: int
    seconds: float
    error: float | None


@dataclass(frozen=True)
class WaypointRecord:
    """A solution on the way of a continuation: its parameters, mean path error (share), and seconds."""

    values: dict[str, float]
    error: float | None
    seconds: float


@dataclass(frozen=True)
class StartRecord:
    """Where training started and which way it took: the candidate, the mean errors of all of them, and the stages.

    `continuation`: the solutions on the way to the run, in whose last it started.
    """

    taken: str
    errors: dict[str, float]
    rungs: list[RungRecord]
    solved: dict[str, float] | None = None  # by start: share of the box at which today's equations are solved
    continuation: list[WaypointRecord] | None = None
    misled: list[str] | None = None  # starts near a binding constraint whose paths leave; they are taken last


@dataclass(frozen=True)
class WorstEquation:
    """The equation with the largest mean absolute residual."""

    equation: str
    mean: float


@dataclass(frozen=True)
class UnitRoot:
    """An eigenvalue one of the closed loop and the states that it moves; `kind`: exogenous, conserved or drift."""

    kind: str
    states: list[str]


@dataclass(frozen=True)
class Settled:
    """A point at which a share of paths settles that starts all over the box, shocks at their means."""

    states: dict[str, float]
    share: float
    spectral_radius: float


@dataclass(frozen=True)
class Stability:
    """Eigenvalues of the closed loop, and how far paths from dispersed starts stay apart, shocks at their means."""

    spectral_radius: float | None  # the largest modulus; None where the economy rests nowhere
    decaying: float  # the largest modulus beside the unit roots of the equations
    unit_roots: list[UnitRoot]
    tested: bool  # whether paths can be followed for the `return_periods`
    return_spread: float | None  # if so, the largest distance that is left between them, in widths of the box
    return_distance: float | None  # and that to the steady state, in widths of the box
    return_periods: float  # in which the slowest mode shrinks distances by 1e-4
    lost: float  # share of starts that lead to where there are no numbers
    rest_points: list[Settled] | None = None  # where paths settle, if that is not the steady state alone
    shared_spread: float | None = None  # under risk, between paths with the same shocks; infinite where they leave
    rests_nowhere: bool = False  # `decaying` is then the rate at which paths with the same shocks come together

    @property
    def contracts(self) -> bool:
        """Whether the closed loop contracts beside its unit roots, and dispersed starts come together."""
        if self.shared_spread is not None:
            return self.shared_spread < CONVERGENCE_SPREAD
        return self.decaying < 1 and (not self.tested or self.return_spread < CONVERGENCE_SPREAD)


@dataclass(frozen=True)
class Distance:
    """An estimate of how far policies are from the solution.

    `radius`: the factor by which a sweep of time iteration changes what lasts longest. `policies`: by name, multipliers
    included, the mean, the max, and the mean as a share of the policy's mean size.
    """

    radius: float
    policies: dict[str, dict[str, float]]
    multipliers: list[str]

    @property
    def choices(self) -> dict[str, dict[str, float]]:
        """The policies without the multipliers."""
        return {name: x for name, x in self.policies.items() if name not in self.multipliers}

    def list_far(self, tolerance: float) -> list[str]:
        """The policies that are further away than the tolerance, and than FAR of their mean size, farthest first."""
        far = [n for n, x in self.choices.items() if x["mean"] > tolerance and x["share"] > FAR]
        return sorted(far, key=lambda n: -self.policies[n]["share"])

    @property
    def is_limit(self) -> bool:
        """Whether sweeps from nearby lead to the policies: they are the limit of ever longer finite horizons."""
        return self.radius <= DETERMINATE


@dataclass(frozen=True)
class FirstOrder:
    """Errors of the first-order solution by set, where it is `defined` (share of states); empty where there is none."""

    euler_errors: dict[str, dict[str, Statistics]] | None = None
    defined: dict[str, float] | None = None
    roots: list[float] | None = None
    note: str | None = None


@dataclass(frozen=True)
class ClosedForm:
    """Residual of the closed form, and the equations that it does not solve, listed where the residual is large."""

    mean: float
    max: float
    wrong: list[str] | None = None


@dataclass(frozen=True)
class ReferenceSolution:
    """How far two solutions by projection agree, their residual, and why policies have no reference."""

    agreement: dict[str, Statistics] | None = None
    mean: float | None = None
    max: float | None = None
    omitted: str | None = None


@dataclass(frozen=True)
class ConstraintErrors:
    """The share of states at which a constraint binds, both ends of it, and the errors on either side of the kink."""

    share: float
    share_low: float  # errors beside the kink allow for it, and on paths two standard errors of the simulation
    share_high: float
    binding: Statistics | None = None
    slack: Statistics | None = None


@dataclass(frozen=True)
class Sample:
    """How paths were sampled, see `evaluate.choose_sample`."""

    periods: int
    needed: float | None
    at_rest: bool
    burn_in: int
