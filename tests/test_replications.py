"""Published numbers, each within its own rounding and the errors of simulations."""

import numpy as np
import pytest

from replications import CASES, detrended


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_published_number_is_met(case):
    rows = [*CASES[case]()]
    assert rows and [row for row in rows if not row.agrees] == []


def test_a_line_is_its_own_trend():
    """The filter leaves nothing of a line, and all but a line of a rapid wave."""
    t = np.arange(120.0)
    both = detrended(np.stack([3 + 0.5 * t, np.cos(np.pi * t)], 1))
    np.testing.assert_allclose(both[:, 0], 0, atol=1e-9)
    np.testing.assert_allclose(both[50:-50, 1], np.cos(np.pi * t)[50:-50], atol=2e-3)
