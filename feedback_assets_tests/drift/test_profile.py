import json

import numpy as np
import pytest

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import (
    WHOLE,
    ReferenceProfile,
    build,
    from_tallies,
    report_rows,
    tally,
)
from feedback_assets.drift.report import REPORT_COLUMNS
from feedback_assets_tests.drift.examples import KINDS, PROFILE, days_of, sample


def test_the_profile_survives_json_and_judges_the_same():
    rows = sample(3000, np.random.default_rng(0))
    carrier = rows["carrier"]
    profile = build(
        rows, KINDS, Drift(), days=np.arange(3000) % 6, segments={"carrier": carrier},
        losses=np.arange(3000.0),
    )  # fmt: skip
    again = ReferenceProfile.from_json(profile.to_json())
    assert again.to_json() == profile.to_json()
    assert again.rows == 3000
    assert again.segments["carrier", "AA"]["temp"].bins is again.columns["temp"].bins
    assert repr(days_of(profile=profile)) == repr(days_of(profile=again))
    with pytest.raises(ValueError, match="format 9"):
        ReferenceProfile.from_json('{"format": 9}')
    damaged = profile.to_json().replace('"counts":[', '"counts":[1,', 1)
    with pytest.raises(ValueError, match="build the profile again"):
        ReferenceProfile.from_json(damaged)


def test_slices_are_the_frequent_values_the_rest_and_null():
    values = np.array(["a"] * 50 + ["b"] * 30 + ["c"] * 15 + ["d"] * 5 + [None] * 20, object)
    x = np.arange(120.0)
    profile = build({"x": x}, {"x": "numeric"}, Drift(segment_values=2), segments={"s": values})
    rows = {key: held["x"].rows for key, held in profile.segments.items()}
    assert rows == {("s", "a"): 50, ("s", "b"): 30, ("s", "null"): 20, ("s", "other values"): 20}
    total = sum(held["x"].counts for held in profile.segments.values())
    assert (total == profile.columns["x"].counts).all()
    sums = sum(held["x"].sums for held in profile.segments.values())
    assert sums == pytest.approx(profile.columns["x"].sums)


def test_losses_add_up_and_leave_out_what_is_not_known():
    losses = np.where(np.arange(100) < 10, np.nan, 2.0)
    profile = build({"x": np.arange(100.0)}, {"x": "numeric"}, Drift(), losses=losses)
    column = profile.columns["x"]
    assert column.losses.sum() == 180
    assert column.loss_rows.sum() == 90
    assert PROFILE.columns["temp"].losses is None


def test_margins_of_a_slice_are_its_own():
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(30), 400)
    side = np.tile(np.array(["calm", "wild"], object), 6000)
    x = rng.normal(size=12_000) + np.where(side == "wild", rng.normal(size=30)[days], 0.0)
    profile = build({"x": x}, {"x": "numeric"}, Drift(), days=days, segments={"side": side})
    assert profile.segments["side", "calm"]["x"].margin < 0.005
    assert profile.segments["side", "wild"]["x"].margin > 0.5


def test_report_rows_have_every_column_and_type():
    days = dict(
        zip(("a", "b", "c"), days_of({"temp": lambda v: v + 4}, clean=2, changed=1), strict=True)
    )
    frame = report_rows(days, unseen={("c", "carrier"): [("<b>", 3)]})
    assert list(frame.columns) == list(REPORT_COLUMNS)
    assert len(frame) == 18
    assert frame.dtypes["psi"] == "float64"
    assert frame.dtypes["rows"] == "int64"
    assert set(frame.against) == {"training"}
    whole = frame[frame.role == "day"].set_index("partition_key")
    assert whole.status.tolist() == ["stable", "stable", "drift"]
    assert whole.loc["c", "reason"].startswith("1 of 5 columns drifted: temp ")
    row = frame[(frame.partition_key == "c") & (frame.column_name == "temp")].iloc[0]
    assert (row.status, row.since, row.rows, row.rows_ref) == (
        "drift",
        "2024-01-03",
        1000,
        7000,
    )
    assert row.evidence > np.log(50)
    assert row.size_sd == pytest.approx(1, abs=0.1)
    assert row.margin == pytest.approx(0.1)
    carrier = frame[(frame.partition_key == "c") & (frame.column_name == "carrier")].iloc[0]
    assert json.loads(carrier.unseen) == [["<b>", 3]]
    assert frame[frame.column_name == "carrier"].since.isna().all()
    assert list(report_rows({}).columns) == list(REPORT_COLUMNS)


def test_a_reference_of_few_days_keeps_the_margins_of_the_first():
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(30), 200)
    x = rng.normal(size=30)[days] + rng.normal(size=6000)
    profile = build({"x": x}, {"x": "numeric"}, Drift(), days=days)
    column = profile.columns["x"]
    few, many = (
        from_tallies(
            profile, {WHOLE: {"x": tally(x[days < n], column.bins, days[days < n], n)}}, Drift()
        ).columns["x"]
        for n in (4, 20)
    )
    assert column.margin > 0.2
    assert (few.margin, few.days, few.rows) == (column.margin, 30, 800)
    assert (many.days, many.rows) == (20, 4000)
    assert many.margin not in (0.0, column.margin)
    assert from_tallies(profile, {}, Drift()).columns == {}
