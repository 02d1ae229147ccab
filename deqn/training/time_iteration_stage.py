"""Time iteration: a stage that solves today's equations under tomorrow's policy function, as grid methods do.

In a sweep the policy function is held fixed for tomorrow. Newton's method solves today's equations at every state of a
batch, all policies at once, and the approximator is fitted to these policies by least squares. Each sweep adds a date
to a finite horizon. So the sweeps lead to the limit of ever longer horizons, where minimizing residuals may end at any
zero of the equations, and they start from any policy at which the equations have numbers.

Sources: Coleman (1990); Judd (1998, chapter 17); Rendahl (2015).
"""

import logging
import math
from functools import partial

import numpy as np
import tensorflow as tf

from deqn.checks.undefined import describe_state
from deqn.economy.domain import SobolPoints
from deqn.economy.economy import Economy
from deqn.equations.residuals import residuals, stack_rows
from deqn.model.layout import has_many_policies
from deqn.optimizers.pointwise_newton import PointwiseNewton
from deqn.policies.network import PolicyNetwork
from deqn.system.files import format_error
from deqn.training.objective import Objective
from deqn.training.regression import choose_fit
from deqn.training.sampler import Sampler
from deqn.training.stage import BatchStage

FITS = 30, 10  # least-squares steps of the first fit, and of every later one
REPORT = 5  # sweeps
LASTING = 10  # sweeps at least, and in as many the smallest change is to fall by a tenth; half of it: many policies
FITTED = 5.0  # times the misfit of the network, up to which changes may be those of the fit alone
ATTEMPTS = 3  # of other starts, before a state counts as one without a solution
UNSOLVED = 0.1  # share of the states without a solution that is a problem
HOPELESS = 0.3  # share without one; after LASTING sweeps in a row with more, no further one is made
PRECISE = 1e-8  # how near the limit is, where no other stage follows
log = logging.getLogger("deqn")


class TimeIterationStage(BatchStage):
    """Sweeps of time iteration, until the policies are within `precision` of their limit or nothing changes any more.

    `precision` is in units of the policies' outputs, which a policy crosses its range in a few of; None: as near as it
    comes, since no other stage follows. With many policies a state's equations are not solved in each sweep, but
    improved.
    """

    lowers_error = False  # a sweep nears the limit, whatever the residuals do

    def __init__(self, objective: Objective, sampler: Sampler, sweeps: int, precision: float | None, memory: float):
        super().__init__("time_iteration", objective.economy, sampler, sweeps, report_every=REPORT, life=1)
        self.prepares, self.precision = precision is not None, PRECISE if precision is None else precision
        self.policy = objective.economy.policy
        self.newton = PointwiseNewton(partial(residuals_today, self.economy), self.policy.dtype)
        self.fitting = choose_fit(self.economy, sampler.states, memory)
        self.shares_slopes = has_many_policies(self.economy.model)
        # Of a sweep: some Newton steps, each a gradient for every equation, or the residuals alone; and the fit.
        gradients = 1 if self.shares_slopes else self.policy.anchor.outputs
        self.work = 5.0 * gradients * sampler.states * self.economy.gradient_work + FITS[1] * self.fitting.work
        keep = lambda start: tf.Variable(start, dtype=tf.float64, trainable=False)
        self.changes = keep(np.full(sweeps, np.nan))  # of the policies in each sweep
        self.loss, self.solved, self.hopeless = keep(math.nan), keep(1.0), keep(0.0)
        self.misfits = keep(np.full(sweeps, np.nan))  # mean distances of the network from what it was fitted to
        self.problem: str | None = None

    @property
    def done(self) -> bool:
        return self.step >= self.cycles or self.hopeless.numpy() >= LASTING or self._is_settled()

    @property
    def spares_next(self) -> bool:
        """Whether most states had a solution."""
        return self.step > 0 and self.solved.numpy() >= 1 - UNSOLVED

    @property
    def rates(self) -> dict[str, float]:
        change = self.changes.numpy()[self.step - 1] if self.step else math.nan
        return {"change": float(change), "solved": float(self.solved.numpy())}

    @property
    def progress(self) -> str:
        """The newest change of the policies, by which factor it falls, and how many states have a solution."""
        if not self.step:
            return ""
        factor = f" (x {self.contraction:.2f} a sweep)" if math.isfinite(self.contraction) else ""
        return f"change {format_error(self.rates['change'])}{factor}, {self.rates['solved']:.0%} solved"

    @property
    def contraction(self) -> float:
        """The factor by which the change falls from sweep to sweep, the mean of the last five; NaN before."""
        last = self.changes.numpy()[max(self.step - 6, 0) : self.step]
        return float((last[-1] / last[0]) ** (1 / 5)) if len(last) == 6 and last[0] > 0 else math.nan

    def _is_settled(self) -> bool:
        """Whether the limit is within `precision`, or the changes are those of the fit alone."""
        changes, rate = self.changes.numpy()[: self.step], self.contraction
        lasting = LASTING // 2 if self.shares_slopes else LASTING
        if self.solved.numpy() < 1 - UNSOLVED or len(changes) < lasting:
            return False
        if changes[-1] <= self.precision * (1 - rate) / max(rate, 0.5):
            return True
        recent, before = changes[-lasting:], changes[:-lasting]
        if recent.min() > FITTED * np.median(self.misfits.numpy()[: self.step][-lasting:]):  # they move, if slowly
            return False
        return len(before) >= lasting and recent.min() > 0.9 * before.min()

    def redraw(self) -> bool:
        return False  # states are new in every sweep

    def chunk(self, cycles: int) -> bool:
        """Sweep; returns whether the policies were finite."""
        for _ in range(cycles):
            self.draw()
            if not self._sweep():
                return False
            self.iterations.assign_add(1)
            if self.done:
                self._count_unsolvable()
                break
        return True

    def _count_unsolvable(self) -> None:
        """Note the share of the states without a solution, if no attempt solves today's equations at some.

        Those that only other starts solve lie beside them, and count, too.
        """
        if self.shares_slopes:
            return
        states = self.drawn.value()
        start = self.policy.outputs(states).numpy().astype(float)
        sizes = self.newton.solve(start, states, seed=self.step, attempts=ATTEMPTS, spared=0.0)[1]
        share = (sizes > self.newton.solved).mean()
        self.unsolvable.assign(max(share, 1 - self.solved.numpy()) if share > 0 else 0.0)
        log.info("time iteration: no solution found at %.2f %% of the states", 100 * share)

    def mean_loss(self, reset: bool = False) -> float:
        return float(self.loss.numpy())

    def _sweep(self) -> bool:
        """One sweep on the batch; returns whether there were numbers to go on with."""
        states = self.drawn.value()
        start = self.policy.outputs(states).numpy().astype(float)
        roots, sizes, first, solved = self._solve_today(start, states)
        if not solved.any() or not np.isfinite(start).all():
            self.problem = self._describe_failure(states, roots, sizes, 1 - solved.mean())
            return False
        known = np.where(np.isfinite(first), first, 0.0)
        self.loss.assign(np.mean(known**2))
        self.solved.assign(solved.mean())
        self.hopeless.assign(0.0 if solved.mean() >= 1 - HOPELESS else self.hopeless + 1)
        target = np.where(solved[:, None], roots, start)  # a state without a solution keeps its policy
        self.changes.scatter_update(tf.IndexedSlices([np.abs(target - start).mean()], [self.step]))
        if not self.fitting.fit(states, target, FITS[bool(self.step)]):
            return False
        misfit = np.abs(self.policy.outputs(states).numpy() - target).mean()
        self.misfits.scatter_update(tf.IndexedSlices([misfit], [self.step]))
        few = solved.mean() < 1 - UNSOLVED
        self.problem = self._describe_failure(states, roots, sizes, 1 - solved.mean()) if few else None
        log.info("time iteration, sweep %d: %s", self.step + 1, f"{solved.mean():.1%} solved, "
                 f"change {self.changes.numpy()[self.step]:.2e}, misfit {misfit:.2e}")  # fmt: skip
        return True

    def _solve_today(
        self, start: np.ndarray, states: tf.Tensor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As PointwiseNewton.solve, and at which states it succeeded; a step with one Jacobian for all has to help."""
        if not self.shares_slopes:
            roots, sizes, first = self.newton.solve(start, states, seed=self.step)
            return roots, sizes, first, sizes <= self.newton.solved
        center = tf.constant(self.economy.center.states[None], states.dtype)
        at = self.policy.outputs(center).numpy().astype(float), center
        roots, sizes, first = self.newton.follow_chord(start, states, at)
        return roots, sizes, first, (sizes < first) | (sizes <= self.newton.solved)

    def _describe_failure(self, states: tf.Tensor, roots: np.ndarray, sizes: np.ndarray, share: float) -> str:
        """At which share of the states there is no solution, and the worst of them with its equation."""
        worst = int(np.argmax(np.where(np.isfinite(sizes), sizes, np.finfo(float).max)))
        at = describe_state(self.economy.model, states[worst])
        errors = residuals(
            self.economy.model, self.policy, self.economy.expectation, states[worst : worst + 1],
            self.policy.bounds(tf.constant(roots[worst : worst + 1], states.dtype)),
        )  # fmt: skip
        size = {name: float(tf.reduce_max(tf.abs(r))) for name, r in errors.items()}
        name = max(size, key=lambda n: math.inf if math.isnan(size[n]) else size[n])
        return (f"time iteration found no policies that solve today's equations at {share:.0%} of the states, as at "
                f"{at}, where {name} is {size[name]:.3g}")  # fmt: skip


def residuals_today(economy: Economy[PolicyNetwork], outputs: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
    """Residuals [batch, equations] of today's outputs, tomorrow's policies being those of the network."""
    today = economy.policy.bounds(outputs)
    errors = residuals(economy.model, economy.policy, economy.expectation, states, today)
    return tf.transpose(stack_rows(errors, states.shape[0]))


def measure_solved_share(economy: Economy[PolicyNetwork], points: int) -> float:
    """At what share of so many points of the box today's equations are solved under the policy function as it is."""
    states = SobolPoints(economy.domain, points, 0, economy.policy.dtype).points()
    newton = PointwiseNewton(partial(residuals_today, economy), economy.policy.dtype)
    _, sizes, _ = newton.solve(economy.policy.outputs(states).numpy().astype(float), states)
    return float((sizes <= newton.solved).mean())
