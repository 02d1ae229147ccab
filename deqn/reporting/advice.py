"""What summary.json alone tells beside the table: how far paths can be trusted, why a run failed, and what to try."""

import math
from collections.abc import Iterator

from deqn.evaluation.records import CONVERGENCE_SPREAD, Sample, Stability, TrainingRecord
from deqn.evaluation.summary import UNKNOWN, Summary
from deqn.system.files import format_error, without_nonfinite

FAR_WORSE = 30  # times: an error on one set that dwarfs the same on the other
COARSE = 5  # times: an error under the verdict's quadrature that dwarfs the same under training's
MORE_STATES = "optimizer.states=8000"
SELDOM = 1e-3, 1e-2  # shares of dates outside the box below which it is not worth a word, of a FAIL and of a PASS
OFTEN = 0.02  # share of dates outside the box above which it is likely why a run fails
HARD = 3  # times the tolerance: an error above which an economy is far from solved
SINGLE = 1e-3  # error up to which single precision may be what holds a run up
UNIT_ROOTS = {
    "exogenous": "{} has a unit root that no policy moves, a random walk.",
    "conserved": "A combination of {} is conserved, whatever the policies are.",
    "drift": "{} drifts (eigenvalue 1 follows from the policies): every level is a resting point, and under risk it "
             "has no long-run distribution.",
}  # fmt: skip


def explain_instability(s: Stability) -> str:
    """Why the closed loop is not stable, in a few words."""
    if s.rests_nowhere:
        return describe_meeting(s)
    slowest = s.spectral_radius if s.decaying is None else s.decaying  # that of an earlier release
    if slowest is None:
        return "paths leave the steady state (eigenvalue not finite)"
    if slowest >= 1:
        shown = f"{slowest:.4f}" if slowest - 1 > 5e-5 or slowest == 1 else f"1{slowest - 1:+.0e}"  # told from one
        return f"paths leave the steady state (eigenvalue {shown})"
    if s.lost:
        return f"{s.lost:.0%} of dispersed starts lead to where there are no numbers"
    return f"dispersed starts end {format_error(s.return_spread)} of the box apart"


def describe_meeting(s: Stability) -> str:
    """How far paths with the same shocks end from each other."""
    if s.shared_spread is None or not math.isfinite(s.shared_spread):
        return "paths lead out of the box"
    return f"paths with the same shocks end {s.shared_spread:.0e} of the box apart"


def describe_stability(s: Stability | None) -> Iterator[str]:
    """The eigenvalues, whether paths come together, and what unit roots mean for the numbers."""
    if s is None:
        yield "There is no steady state at which stability could be judged."
        return
    if s.rests_nowhere:
        yield f"It rests nowhere; {describe_meeting(s)}."
        return
    if s.rest_points is not None:
        shown = [", ".join(f"{n}={x:.4g}" for n, x in list(p.states.items())[:4]) for p in s.rest_points]
        shares = [f"{at} ({p.share:.0%})" for at, p in zip(shown, s.rest_points, strict=True)]
        together = f"dispersed starts settle at {'; '.join(shares)}"
    elif s.shared_spread is not None and s.shared_spread < CONVERGENCE_SPREAD:
        together = f"paths without shocks do not all return to rest, and {describe_meeting(s)}"
    elif s.tested:
        spread = "-" if s.return_spread is None else f"{s.return_spread:.0e}"
        together = f"dispersed starts end {spread} of the box apart"
    elif has_drift(s):
        together = "dispersed starts stay apart, since levels drift"
    elif s.decaying is not None and s.decaying < 1:
        together = f"not tested whether dispersed starts meet, which takes {s.return_periods:,.0f} dates"
    else:
        together = "dispersed starts do not come together"
    yield f"Spectral radius {'-' if s.spectral_radius is None else f'{s.spectral_radius:.4f}'}; {together}."
    for root in s.unit_roots:
        yield UNIT_ROOTS[root.kind].format(", ".join(root.states[:4]) + ", ..." * (len(root.states) > 4))


def has_drift(s: Stability | None) -> bool:
    """Whether the policies make a level drift."""
    return s is not None and any(root.kind == "drift" for root in s.unit_roots)


def describe_start(summary: Summary) -> Iterator[str]:
    """Where training started and which way it took; nothing where the first-order solution was good enough."""
    start = summary.start
    for waypoint in (start and start.continuation) or ():
        values = ", ".join(f"{name} {value:.4g}" for name, value in waypoint.values.items())
        yield f"Continuation: {values}, mean error {format_error(waypoint.error)}, {waypoint.seconds:.0f} s."
    if start is None or not start.rungs:
        return
    usual = len(start.errors) < 2 and all(rung.stage != "time_iteration" for rung in start.rungs)
    if usual and summary.status in ("converged", "interrupted"):
        return
    leaves = lambda name: ", whose paths leave" if name in (start.misled or ()) else ""
    solves = lambda name: f", solves {start.solved[name]:.0%} of the box" if name in (start.solved or {}) else ""
    share = lambda name: solves(name) + leaves(name)
    errors = {name: error for name, error in start.errors.items() if name != start.taken}
    others = "; ".join(f"{name} {format_error(error)}{share(name)}" for name, error in errors.items())
    way = ", ".join(f"{rung.stage} {rung.steps:,} in {rung.seconds:.0f} s" for rung in start.rungs)
    error = format_error(start.errors[start.taken])
    yield f"Start: {start.taken}, mean error {error}{share(start.taken)}{f' ({others})' if others else ''}; then {way}."


def describe_left_box(summary: Summary) -> Iterator[str]:
    """On which side paths leave the box, the states that are outside most often first."""
    sides = []
    for name, x in (summary.left_box or {}).items():
        sides.append((x["below"], f"{name} below {x['lower']:.4g} on {{:.1%}} of dates, down to {x['lowest']:.4g}"))
        sides.append((x["above"], f"{name} above {x['upper']:.4g} on {{:.1%}} of dates, up to {x['highest']:.4g}"))
    seldom = SELDOM[summary.status in ("converged", "interrupted")]
    shown = [text.format(share) for share, text in sorted(sides, reverse=True) if share >= seldom]
    if shown:
        yield f"Paths leave the box: {'; '.join(shown[:3])}."


def explain_distance(summary: Summary) -> Iterator[str]:
    """Why policies that leave small residuals are not the solution, in a few words; nothing where they may be it."""
    found = summary.distance
    if found is not None and not found.is_limit:
        yield f"expectations feed on themselves (eigenvalue {found.radius:.4f})"
    elif found is not None and (far := found.list_far(summary.tolerance)):
        yield f"{far[0]} is about {found.policies[far[0]]['share']:.0%} from the solution"


def describe_distance(summary: Summary) -> Iterator[str]:
    """How far the policies are from the solution by the estimate, that one which is farthest for its size; and that
    they are no limit of finite horizons."""
    found = summary.distance
    if found is None:
        return
    if not found.is_limit:
        yield (f"Beside these policies are others that solve the equations as well, or sweeps of time iteration lead "
               f"away from them: a change of tomorrow's moves today's by a factor of {found.radius:.3f}.")  # fmt: skip
        return
    name, farthest = max(found.choices.items(), key=lambda named: named[1]["share"])
    mean, share = (format_error(farthest[key]) for key in ("mean", "share"))
    yield f"Distance from the solution, estimated: {mean} in the mean ({name}, {share} of its size)."


def describe_sample(sample: Sample) -> Iterator[str]:
    """A warning where moments depend on where the paths start."""
    if sample.at_rest:
        yield (f"Paths start at rest and are {sample.periods} dates long: what follows a unit root has moments that "
               f"grow with the dates.")  # fmt: skip
    elif sample.needed is not None and sample.burn_in < sample.needed < math.inf:
        yield (f"Moments still depend on the box: a start is forgotten after {sample.needed:,.0f} dates, "
               f"{sample.burn_in:,} are left out (evaluation.burn_in).")  # fmt: skip


def describe_failure(summary: Summary) -> Iterator[str]:
    """Where the error is, what went wrong on the way, and what to try; nothing for a run that passed."""
    if summary.status in ("converged", "interrupted"):
        return
    training = summary.training or UNKNOWN
    for problem in (training.problem or "").splitlines():
        yield f"{problem[:1].upper()}{problem[1:]}."
    if summary.first_order.note:
        yield f"{summary.first_order.note}."
    if leaves_box(summary):
        error = format_error(summary.worst_equation["box"].mean)
        yield (f"The policy solves the equations in the box ({error}) and its paths leave it: that is another zero of "
               f"the equations, no equilibrium.")  # fmt: skip
    elif has_coarse_quadrature(summary):
        yield (f"Training met its own quadrature to {format_error(training.error)}; the verdict takes a finer one, "
               f"which tells that nodes are too few.")  # fmt: skip
    yield f"To try: {'; '.join(suggest_remedies(summary))}."


def mean_errors(summary: Summary) -> tuple[float | None, float | None]:
    """Those of the worst equation on path and box, None where they are not finite."""
    return without_nonfinite(summary.path_error.mean), without_nonfinite(summary.worst_equation["box"].mean)


def leaves_box(summary: Summary) -> bool:
    """Whether the equations are solved in the box and paths go where they are not, or where there are no numbers."""
    error, box = mean_errors(summary)
    if box is None or box > summary.tolerance or has_drift(summary.stability):
        return False
    return error is None or error > max(summary.tolerance, FAR_WORSE * box)


def has_coarse_quadrature(summary: Summary) -> bool:
    """Whether the quadrature holds a run up: training has a far smaller error than the verdict, on paths and box."""
    errors, training = mean_errors(summary), summary.training or UNKNOWN
    if None in (*errors, training.error, training.nodes):
        return False
    return min(errors) > max(summary.tolerance, COARSE * training.error)


def suggest_remedies(summary: Summary) -> Iterator[str]:
    """What may help, the likeliest first."""
    error, box = mean_errors(summary)
    if error is not None and error <= summary.tolerance:
        if summary.distance is not None and not summary.distance.is_limit:
            yield "parameters under which expectations determine the policies, as a stricter rule"
            yield "optimizer=time_iteration_lm, which finds the limit of finite horizons where there is one"
        elif summary.distance is not None and summary.distance.list_far(summary.tolerance):
            yield f"tolerance={summary.tolerance / 100:g}, since small residuals add up over many dates"
        elif summary.stability.decaying is not None and summary.stability.decaying < 1:
            yield "a box that the paths do not leave: small residuals say nothing outside it"
            yield "deqn-irf, to see where paths from displaced states settle"
        else:
            yield "network.anchor=linear or another seed: the equations have solutions that explode"
        return
    training = summary.training or UNKNOWN
    if summary.dtype == "float32" and (error is None or error <= SINGLE or training.problem):
        yield "dtype=float64"
    if has_drift(summary.stability):
        yield "parameters under which what drifts has a resting point: its paths leave every box"
    elif leaves_box(summary):
        yield from suggest_starts(training)
    elif any(max(x["below"], x["above"]) >= OFTEN for x in (summary.left_box or {}).values()):
        yield "a box that holds where the paths go, or states that stay in one, such as ratios"
    elif has_coarse_quadrature(summary):
        yield f"expectation.nodes={min(2 * training.nodes - 1, 64)}"
    elif error is None or box is None:
        yield "a box that the paths do not leave"
        yield from suggest_starts(training)
    elif training.ended in ("misled", "astray"):
        yield f"{MORE_STATES}, or another seed: the equations have other zeros on few states"
    elif error > FAR_WORSE * box:
        yield "a wider box, or sampling=ergodic: the paths leave what training saw"
    elif training.ended in ("steps", "seconds"):
        yield "more steps (optimizer.polish, optimizer.iterations, train.seconds)"
    first = (summary.first_order.euler_errors or {}).get("path")
    if first is not None and error is not None and first["all"]["mean"] < error:
        yield "sampling=ergodic or another seed: the first-order solution is better than the network"
    if training.hidden:
        binding = training.nodes and summary.constraints.get("path")
        kinks = " and more nodes, since kinks need more of both" if binding else ""
        yield f"network.hidden=[{','.join(str(2 * n) for n in training.hidden)}]{kinks}"
    if error is None or error > HARD * summary.tolerance:
        yield "an easier economy first, as with smaller shocks (continuation): under large ones none may exist"
    yield "deqn-check, which looks for faults of the model"


def suggest_starts(training: TrainingRecord) -> Iterator[str]:
    """Where to begin instead, after a policy that explodes."""
    if training.anchor != "steady_state":
        yield "network.anchor=steady_state, another start"
    yield f"{MORE_STATES}, which have fewer zeros in common"
    yield "another seed"
