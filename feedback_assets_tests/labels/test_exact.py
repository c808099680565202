"""Exact intervals of shares, by statsmodels and scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from feedback_assets.labels.exact import at_least, share_interval


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_two_sided_ends(confidence: float) -> None:
    rows = np.array([1, 5, 20, 200, 5_000])
    for right in (rows * 0, rows // 2, rows - 1, rows):
        low, high = share_interval(right, rows, confidence)
        theirs = proportion_confint(right, rows, 1 - confidence, method="beta")
        assert low == pytest.approx(np.nan_to_num(theirs[0]), abs=1e-12)
        assert high == pytest.approx(theirs[1], abs=1e-12)


def test_one_sided_bounds() -> None:
    for right, rows in ((0, 9), (7, 9), (9, 9), (203, 212)):
        theirs = binomtest(right, rows, alternative="greater").proportion_ci(0.99, "exact").low
        assert at_least(right, rows, 0.99)[0] == pytest.approx(theirs, abs=1e-12)


def test_without_rows_anything_may_be() -> None:
    low, high = share_interval([0], [0])
    assert (low[0], high[0]) == (0, 1)
