"""One battery over every model in configs/model: the contract, and what theory says of its equations."""

from functools import partial
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import economy, make_model, settings
from deqn.checks.contract import check_model
from deqn.economy.domain import Box, SobolPoints
from deqn.economy.exact import closed_form, exact_residuals
from deqn.economy.members import OneMember
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import choose_rule
from deqn.model.declaration import Model
from deqn.perturbation.steady_state import steady_state
from deqn.runs.run import solve
from deqn.settings.ranges import check_range, parse_interval
from deqn.system.errors import InputError

NAMES = sorted(p.name.removesuffix(".yaml") for p in files("deqn.configs").joinpath("model").iterdir())
EXTRA = {
    "growth": ("model.head=share",),
    "olg_analytic": ("model.head=level", "model.cohorts=2", "model.cohorts=20"),
    "growth_labor": ("model.capped=true",),
    "irbc": ("model.irreversible=true", "model.N=15"),
}
CASES = [(name,) for name in NAMES] + [
    pytest.param((name, extra), marks=pytest.mark.slow) for name in EXTRA for extra in EXTRA[name]
]
FULL = {"gamma": 1.0, "delta": 1.0, "tau": 1.0}  # log utility, full depreciation
EXACT = {  # where a closed form holds
    "growth": FULL, "stochastic_growth": FULL, "growth_labor": FULL, "irreversible": FULL, "olg_analytic": {},
    "asset_pricing": {},
}  # fmt: skip


def build(name: str, *overrides: str) -> Model:
    return make_model(settings(f"model={name}", *overrides).model)


def quadrature(model: Model):
    return build_expectation(model, choose_rule(settings("expectation=product").expectation, model))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_contract_holds(case):
    model = build(*case)
    assert check_model(OneMember(model), partial(choose_rule, settings().expectation))


@pytest.mark.parametrize("name", NAMES)
def test_the_file_and_the_class_are_documented(name):
    model = build(name)
    assert model.__doc__ and __import__(type(model).__module__, fromlist=["x"]).__doc__
    assert set(model.ranges) == set(settings(f"model={name}").model) - {"_target_"}


def admissible(model: Model, draw) -> dict[str, float]:
    """Random values for the numeric parameters, well inside their ranges."""
    values = {}
    for name, allowed in model.ranges.items():
        default = getattr(model, name)
        if isinstance(default, float):
            lower, upper, *_ = parse_interval(allowed)
            low, high = max(lower, default - 0.3 * abs(default)), min(upper, default + 0.3 * abs(default))
            values[name] = low + (0.05 + 0.9 * draw(st.floats(0, 1))) * (high - low)
            check_range(name, values[name], allowed)
    return values


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@hypothesis_settings(derandomize=True, deadline=None, max_examples=6)
def test_residuals_vanish_at_the_steady_state_for_random_parameters(name, data):
    from dataclasses import replace

    model = build(name)
    model = replace(model, **admissible(model, data.draw))
    try:
        check_model(OneMember(model), partial(choose_rule, settings().expectation))
    except InputError as refusal:  # far from the default the box, a choice of numerics, may not hold the steady state
        assert "outside the box" in str(refusal)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if n in EXACT])
@given(data=st.data())
@hypothesis_settings(derandomize=True, deadline=None, max_examples=6)
def test_the_closed_form_has_no_residual_for_random_parameters(name, data):
    from dataclasses import replace

    model = build(name)
    drawn = admissible(model, data.draw) | EXACT[name]
    drawn = {k: v for k, v in drawn.items() if isinstance(getattr(model, k, None), float)}
    assume(solves_the_equations(replace(model, **drawn)))  # not where a sum does not converge


@pytest.mark.parametrize("name", [n for n in NAMES if n in EXACT])
def test_the_closed_form_has_no_residual(name):
    exact = {k: v for k, v in EXACT[name].items() if hasattr(build(name), k)}
    assert solves_the_equations(build(name, *(f"model.{k}={v}" for k, v in exact.items())))


def solves_the_equations(model: Model) -> bool:
    """Whether the model has a closed form; a residual of it, anywhere in the box, fails the test."""
    exact = closed_form(model, steady_state(model))
    if exact is not None:
        states = SobolPoints(Box(model), 64, 1, tf.float64).points()
        for equation, r in exact_residuals(model, exact, quadrature(model), states).items():
            assert np.abs(r).max() < 1e-10, equation
    return exact is not None


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_both_precisions_agree_and_gradients_are_finite(case):
    found = {}
    for dtype in ("float32", "float64"):
        e = economy(f"model={case[0]}", *case[1:], f"dtype={dtype}")
        states = tf.cast(SobolPoints(e.domain, 32, 2, tf.float64).points(), dtype)
        with tf.GradientTape() as tape:
            errors = e.residuals(states)
            total = tf.add_n([tf.reduce_mean(r**2) for r in errors.values()])
        assert all(r.dtype == dtype for r in errors.values())
        gradients = tape.gradient(total, e.policy.network.trainable_variables)
        assert all(np.isfinite(g).all() for g in gradients) and np.abs(gradients[-1]).max() > 0
        found[dtype] = np.concatenate([np.ravel(r) for r in errors.values()])
    np.testing.assert_allclose(found["float32"], found["float64"], rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_permuted_batch_gives_permuted_residuals(case):
    e = economy(f"model={case[0]}", *case[1:])
    states = SobolPoints(e.domain, 16, 3, tf.float64).points()
    order = np.random.default_rng(0).permutation(16)
    whole, permuted = e.residuals(states), e.residuals(tf.gather(states, order))
    for equation in whole:
        np.testing.assert_allclose(permuted[equation], whole[equation].numpy()[..., order], rtol=1e-11, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_short_solve_lowers_the_errors_of_its_start(name, tmp_path):
    """A few iterations from the model's recommended numerics, through the whole run."""
    overrides = [
        "network.hidden=[12]", "optimizer.iterations=8", "optimizer.polish=0", "optimizer.states=1000",
        "evaluation.paths=20", "evaluation.periods=20", "evaluation.box=256", "evaluation.figures=false",
        "evaluation.reference=false",
    ]  # fmt: skip
    summary = solve(name, overrides, folder=tmp_path / "run", quiet=True).summary
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv").filter(regex="^mean_").mean(axis=1)
    assert metrics.min() < metrics.iloc[0] or metrics.iloc[0] < 1e-12
    assert summary["stability"]["spectral_radius"] < 1
