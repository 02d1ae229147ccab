"""A verdict that can turn red: what passes must fail once another economy, or a poorer rule, judges it."""

from dataclasses import dataclass, replace

import pytest
import tensorflow as tf

from deqn.economy.members import OneMember
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import gauss_hermite
from deqn.evaluation.judgements import judge
from deqn.models.stochastic_growth import StochasticGrowth
from deqn.reporting import report
from deqn.runs.verdict import compose_case


@dataclass(frozen=True)
class FlippedSign(StochasticGrowth):
    """Depreciation with the wrong sign in the return to capital."""

    def definitions(self, now):
        found = super().definitions(now)
        return found | {"R": found["R"] + 2 * self.delta}


@dataclass(frozen=True)
class WrongClosedForm(StochasticGrowth):
    """The savings rate of full depreciation, where depreciation is a tenth."""

    def closed_form(self, now):
        return {"s": self.alpha * self.beta * tf.ones_like(now.k)}


def every_second_node(dimension):
    nodes, weights = gauss_hermite(dimension, 8)
    return nodes[::2], weights[::2] / weights[::2].sum()


SABOTAGE = {
    "a flipped sign": {"members": OneMember(FlippedSign())},
    "beta off by 1e-3": {"members": OneMember(StochasticGrowth(beta=0.989))},
    "every second node": {"expectation": build_expectation(StochasticGrowth(), every_second_node)},
}


def judged(solution, **changed):
    """The summary of the run's own verdict under a changed economy."""
    economy, finer = (replace(e, **changed) for e in (solution.economy, solution.finer_economy))
    settings = replace(solution.settings, evaluation=replace(solution.settings.evaluation, reference=False, box=512))
    return judge(compose_case(replace(solution, economy=economy, settings=settings), finer))


def test_the_honest_verdict_passes(stochastic):
    assert report.grade(judged(stochastic)) == "PASS"


@pytest.mark.parametrize("name", SABOTAGE)
def test_the_verdict_fails(stochastic, name):
    assert report.grade(judged(stochastic, **SABOTAGE[name])) == "FAIL"


def test_a_wrong_closed_form_shows_its_residual(stochastic):
    found = judged(stochastic, members=OneMember(WrongClosedForm()))
    assert found.policy_errors["closed_form"]["s"]["mean"] > 0.01 and found.closed_form.mean > 1e-3
    assert "The closed form does not solve euler" in next(report.compose_remarks(found))
    assert "residual of the closed form" in [row.label for row in report.compose_rows(found)]
