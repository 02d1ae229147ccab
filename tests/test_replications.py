"""Numbers of other people, each within its own rounding and the errors of simulations."""

import numpy as np
import pytest

from cases.table import Row, detrended
from replications import CASES


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_number_of_a_paper_is_met(case):
    rows = [*CASES[case].rows()]
    assert rows and [row for row in rows if not (row.agrees or explained(row))] == []


def explained(row):
    """Whether it is known why a row disagrees: a paper printed what its first-order solution says."""
    return row.reason and abs(row.first_order - row.printed) <= row.rounding


def test_a_row_agrees_within_rounding_and_errors():
    """Neither alone is enough for what is farther."""
    assert Row("", "", 1.0, 1.004, 0.005).agrees and not Row("", "", 1.0, 1.006, 0.005).agrees
    assert Row("", "", 1.0, 1.014, 0.005, error=0.005).agrees and not Row("", "", 1.0, 1.016, 0.005, error=0.005).agrees


def test_a_line_is_its_own_trend():
    """The filter leaves nothing of a line, and all but a line of a rapid wave."""
    t = np.arange(120.0)
    both = detrended(np.stack([3 + 0.5 * t, np.cos(np.pi * t)], 1))
    np.testing.assert_allclose(both[:, 0], 0, atol=1e-9)
    np.testing.assert_allclose(both[50:-50, 1], np.cos(np.pi * t)[50:-50], atol=2e-3)
