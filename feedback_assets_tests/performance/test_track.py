"""The track record counts what met its labels."""

import numpy as np
import pandas as pd
import pytest

from feedback_assets.performance.track import track_record


def past(n: int) -> pd.DataFrame:
    return pd.DataFrame({"value": [0.8] * n, "low": [0.7] * n, "high": [0.9] * n})


def test_hits_errors_and_words() -> None:
    found = track_record(past(20), [0.75] * 19 + [0.4], 0.95)
    assert found.checks == 20
    assert found.inside == 0.95
    assert found.mean_error == pytest.approx((19 * -0.05 - 0.4) / 20)
    assert found.mean_abs_error == pytest.approx(-found.mean_error)
    assert found.holds is True
    assert found.text == (
        "realised within the interval in 19 of 20 checks (95% promised), 0.068 lower on average"
    )


def test_what_has_no_label_or_no_estimate_does_not_count() -> None:
    estimated = past(4)
    estimated.loc[0] = np.nan
    found = track_record(estimated, [0.8, np.nan, 0.8, 0.8], 0.95)
    assert found.checks == 2
    assert found.holds is None
    nothing = track_record(past(2), [np.nan, np.nan], 0.95)
    assert nothing.checks == 0
    assert np.isnan(nothing.inside)
    assert nothing.text == "no estimate has met its labels yet"


@pytest.mark.parametrize(("hits", "holds"), [(36, True), (30, False)])
def test_fewer_hits_than_chance_allows_are_said(hits: int, holds: bool) -> None:
    found = track_record(past(40), [0.8] * hits + [0.5] * (40 - hits), 0.95)
    assert found.holds is holds
    assert ("do not rely on it" in found.text) is not holds
