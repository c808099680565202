"""Points of the reliability plot."""

import numpy as np
import pytest

from feedback_assets.performance.reliability import reliability
from feedback_assets_tests.performance.rows import answers


def test_points_are_scikit_learns() -> None:
    from sklearn.calibration import calibration_curve

    rows = answers("binary", 5_000, seed=1)
    got = reliability(rows.y, rows.score, 0.95)
    share, score = calibration_curve(rows.y, rows.score, n_bins=10, strategy="quantile")
    assert got["share"].to_numpy() == pytest.approx(share, abs=0.003)
    assert got["score"].to_numpy() == pytest.approx(score, abs=0.001)
    assert got["rows"].tolist() == [500] * 10
    inside = (got["low"] <= got["score"]) & (got["score"] <= got["high"])
    assert inside.sum() >= 8


def test_equal_scores_share_a_point_and_unknown_rows_none() -> None:
    y = np.array([0.0, 1.0, 1.0, np.nan, 0.0])
    p = np.array([0.2, 0.2, 0.9, 0.9, np.nan])
    got = reliability(y, p, 0.9)
    assert got[["score", "share", "rows"]].to_numpy().tolist() == [[0.2, 0.5, 2], [0.9, 1.0, 1]]
    assert reliability(y[3:], p[3:], 0.9).empty
