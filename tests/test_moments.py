"""Simulated moments against theory and numpy."""

import numpy as np
import pandas as pd
import pytest

from deqn.evaluation.moments import autocorrelations, correlations, differences, moments, select_variables

RHO, PATHS, PERIODS = 0.8, 400, 300


@pytest.fixture(scope="module")
def table():
    """An AR(1) of unit variance from its own distribution, its mirror image plus noise, and a constant."""
    rng = np.random.default_rng(0)
    z = np.empty((PATHS, PERIODS))
    z[:, 0] = rng.normal(size=PATHS)
    for t in range(1, PERIODS):
        z[:, t] = RHO * z[:, t - 1] + np.sqrt(1 - RHO**2) * rng.normal(size=PATHS)
    path, period = np.indices(z.shape).reshape(2, -1)
    z = z.ravel()
    mirror = 3 - z + rng.normal(size=z.size)
    return pd.DataFrame({"path": path, "period": period, "z": z, "m": mirror, "fixed": 0.3, "skewed": np.exp(z)})


def test_an_autoregression_has_the_autocorrelations_of_theory(table):
    found = autocorrelations(table, order=6)
    np.testing.assert_allclose(found.loc["z"], RHO ** np.arange(1, 7), atol=0.015)
    np.testing.assert_allclose(found.loc["m"], RHO ** np.arange(1, 7) / 2, atol=0.015)  # half its variance is noise
    assert list(found.columns) == [1, 2, 3, 4, 5, 6]


def autoregression(rho, paths, periods, seed):
    """A table of an AR(1) of unit variance, from its own distribution on."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(periods, paths))
    for t in range(1, periods):
        z[t] = rho * z[t - 1] + np.sqrt(1 - rho**2) * z[t]
    path, period = np.indices((paths, periods)).reshape(2, -1)
    return pd.DataFrame({"path": path, "period": period, "z": 3 + 2 * z.T.ravel()})


@pytest.mark.slow
@pytest.mark.parametrize("rho, paths, periods", [(0.0, 100, 50), (0.95, 100, 200), (0.8, 1, 4000)])
def test_intervals_of_two_standard_errors_hold_the_truth(rho, paths, periods):
    """As often as the normal distribution says, for paths that persist and for one that is cut into batches."""
    tables = [moments(autoregression(rho, paths, periods, seed)).loc["z"] for seed in range(200)]
    for name, truth in (("mean", 3), ("std", 2), ("autocorrelation", rho)):
        held = np.mean([abs(m[name] - truth) < 2 * m[f"{name}_se"] for m in tables])
        assert 0.89 < held < 0.99, name


def test_standard_errors_are_those_of_theory():
    """sd / sqrt(n) of independent dates, and sqrt((1 + rho) / (1 - rho)) times as much of an autoregression."""
    for rho in (0.0, 0.9):
        found = moments(autoregression(rho, 2000, 200, 0)).loc["z"]
        assert found["mean_se"] == pytest.approx(2 / np.sqrt(400_000 * (1 - rho) / (1 + rho)), rel=0.1)
    assert moments(autoregression(0.5, 1, 1, 0)).filter(like="_se").isna().to_numpy().all()


def test_equal_economies_differ_by_few_standard_errors_and_others_by_many():
    first, second, other = (moments(autoregression(rho, 300, 100, s)) for rho, s in ((0.8, 1), (0.8, 2), (0.85, 3)))
    assert differences(first, second).abs().to_numpy().max() < 3
    found = differences(first, other).loc["z"]
    assert abs(found["mean"]) < 3 and abs(found["std"]) < 3 and found["autocorrelation"] < -8
    constant = moments(autoregression(0.8, 9, 9, 0).assign(z=1.0))
    assert differences(constant, constant).isna().to_numpy().all()


def test_dates_of_other_paths_are_no_lags():
    table = pd.DataFrame({"path": [0, 0, 0, 1, 1, 1], "period": [0, 1, 2, 0, 1, 2], "x": [1.0, 2, 3, 9, 7, 8]})
    found = autocorrelations(table.sample(frac=1, random_state=0), order=3)
    assert found.loc["x", 1] == pytest.approx(np.corrcoef([1, 2, 9, 7], [2, 3, 7, 8])[0, 1])
    assert found.loc["x", 2] == pytest.approx(1.0) and np.isnan(found.loc["x", 3])


def test_moments_are_those_of_numpy(table):
    found, values = moments(table), table[["z", "m", "skewed"]]
    np.testing.assert_allclose(found.loc[list(values), "mean"], values.mean())
    np.testing.assert_allclose(found.loc[list(values), "std"], np.std(values.to_numpy(), axis=0))
    np.testing.assert_allclose(found["variance"], found["std"] ** 2)
    np.testing.assert_allclose(found.loc[list(values), "min"], values.min())
    np.testing.assert_allclose(found.loc[list(values), "max"], values.max())
    np.testing.assert_allclose(found.loc[list(values), "skewness"], values.skew(), rtol=1e-3, atol=1e-4)
    assert found.loc["skewed", "skewness"] > 2 > 0.1 > abs(found.loc["z", "skewness"])
    np.testing.assert_allclose(found["autocorrelation"], autocorrelations(table, 5)[1])
    names = list(values)
    np.testing.assert_allclose(correlations(table).loc[names, names], np.corrcoef(values.T), rtol=1e-9)
    assert correlations(table).loc["z", "m"] == pytest.approx(-(0.5**0.5), abs=0.01)


@pytest.mark.parametrize("level", [0.3, 0.0, 1e6])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_constant_has_a_mean_and_nothing_else(table, level, dtype):
    noise = level * np.finfo(dtype).eps * np.sin(np.arange(len(table)))
    table = table.assign(fixed=level + noise).astype({name: dtype for name in ("z", "m", "fixed", "skewed")})
    found = moments(table).loc["fixed"]
    assert found["mean"] == pytest.approx(level) and found["std"] == found["variance"] == 0
    assert found[["skewness", "autocorrelation"]].isna().all() and autocorrelations(table, 5).loc["fixed"].isna().all()
    matrix = correlations(table)
    assert matrix["fixed"].isna().all() and matrix.loc["z", "z"] == pytest.approx(1)


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e300])
def test_a_diverged_variable_leaves_the_others_alone(table, broken):
    spoilt = table.assign(fixed=np.where(table.index == 7, broken, 1.0))
    pd.testing.assert_frame_equal(moments(spoilt).drop("fixed"), moments(table).drop("fixed"))
    assert not np.isfinite(moments(spoilt).loc["fixed", "variance"])


def test_few_variables_stand_for_many():
    names = [f"{v}[{i}]" for v in "ks" for i in range(100)] + ["Y"]
    assert select_variables(names, 5) == ["k[0]", "k[1]", "s[0]", "s[1]", "Y"]
    assert select_variables(["k", "z"], 5) == ["k", "z"]


def test_an_economy_at_rest_has_no_correlations(table):
    assert correlations(table[["path", "period"]]).shape == (0, 0)
