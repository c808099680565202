"""The delay curve: exact where all is known, honest where days are young."""

import datetime as dt
import os
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import arrival_curve, delay_counts_sql, maturity
from feedback_assets_tests.promotion.loops import loop_config

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def feedback(
    days: int, per_day: int, delay: np.ndarray, label: np.ndarray, as_of: dt.datetime
) -> pd.DataFrame:
    """A feedback table as known at `as_of`; a NaN delay never gets a label."""
    n = days * per_day
    event = pd.Series(pd.to_datetime(START) + pd.to_timedelta(np.arange(n) / per_day, unit="D"))
    received = event + pd.to_timedelta(delay, unit="D")
    known = (received <= as_of).to_numpy()
    frame = pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(n)],
            "partition_key": event.dt.strftime("%Y-%m-%d"),
            "event_time": event.astype("datetime64[us, UTC]"),
            "received_time": event.astype("datetime64[us, UTC]"),
            "label": np.where(known, label, np.nan),
            "label_status": np.where(known, "accepted", "pending"),
            "label_received_time": received.where(known).astype("datetime64[us, UTC]"),
            "label_delay_days": np.where(known, delay, np.nan),
        }
    )
    return frame[frame["event_time"] <= as_of].reset_index(drop=True)


def counted(frame: pd.DataFrame, config: Config, as_of: dt.datetime) -> pd.DataFrame:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("t", frame)
        return con.execute(delay_counts_sql(config, "t", as_of)).df()


def test_with_every_day_complete_the_curve_is_the_plain_share() -> None:
    delay = np.array([1.0, 2.0, 3.0, 4.0] * 100)
    curve = arrival_curve(delay, np.full(400, 30.0), 10)
    assert curve.share(2.5) == pytest.approx(200 / 400.5)
    assert curve.share(4) == pytest.approx(400 / 400.5)
    assert curve.share(10) == 1
    assert curve.age_at(0.99) == pytest.approx(4)


def test_young_days_do_not_make_labels_look_quick() -> None:
    rng = np.random.default_rng(0)
    age = np.repeat(np.arange(14.0), 1_500)
    delay = rng.uniform(0, 10, age.size)
    delay[delay > age] = np.nan
    curve = arrival_curve(delay, age, 10)
    seen = delay[np.isfinite(delay)]
    assert (seen <= 3).mean() > 0.36
    for at in (1, 3, 5, 8):
        assert curve.share(at) == pytest.approx(at / 10, abs=0.02)


def test_nothing_is_claimed_before_a_day_is_old_enough() -> None:
    curve = arrival_curve(np.full(1000, 0.1), np.full(1000, 9.9), 10)
    assert curve.share(9.9) == 0
    assert curve.share(10) == 1
    assert curve.cohorts == 0


def test_few_labels_do_not_promise_that_no_other_comes() -> None:
    few = arrival_curve(np.full(20, 0.1), np.full(20, 30.0), 10)
    many = arrival_curve(np.full(100, 0.1), np.full(100, 30.0), 10)
    assert few.age_at(0.99) == 10
    assert many.age_at(0.99) < 0.2


def test_the_slowest_label_value_decides() -> None:
    delay = np.concatenate([np.full(9_950, 0.5), np.full(60, 7.0)])
    label = np.array(["0"] * 9_950 + ["1"] * 60, dtype=object)
    age = np.full(delay.size, 30.0)
    assert arrival_curve(delay, age, 10).age_at(0.99) == pytest.approx(0.5)
    assert arrival_curve(delay, age, 10, groups=label).age_at(0.99) == pytest.approx(7.0)


def test_labels_that_never_come_do_not_hold_days_back() -> None:
    delay = np.concatenate([np.full(500, 1.0), np.full(500, np.nan)])
    curve = arrival_curve(delay, np.full(1000, 30.0), 10)
    assert curve.age_at(0.99) == pytest.approx(1.0)
    assert curve.label_share == pytest.approx(0.5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 12), st.floats(-1, 40), st.sampled_from(["a", "b"])), max_size=80
    )
)
def test_the_curve_rises_from_0_to_1(rows: list[tuple[float, float, str]]) -> None:
    delay = np.array([r[0] for r in rows], dtype=float)
    age = np.array([r[1] for r in rows], dtype=float)
    groups = np.array([r[2] for r in rows], dtype=object)
    shares = np.array(arrival_curve(delay, age, 10, groups=groups).shares)
    assert np.all(np.diff(shares) >= 0)
    assert np.all((shares >= 0) & (shares <= 1))


def test_bookings_train_on_finished_days_only() -> None:
    """Cancellations are known weeks before stays: what is known is no sample of what is true."""
    rng = np.random.default_rng(3)
    days, per_day = 150, 60
    cancelled = rng.random(days * per_day) < 0.4
    delay = np.where(
        cancelled, rng.uniform(0, 10, cancelled.size), rng.uniform(30, 60, cancelled.size)
    )
    as_of = START + dt.timedelta(days=140)
    config = loop_config(label={"max_delay_days": 60}, pool={"maturity": 0.99})
    frame = feedback(days, per_day, delay, cancelled.astype(float), as_of)
    standing = maturity(counted(frame, config, as_of), config, as_of)
    known = frame[frame["label_status"] == "accepted"]
    mature = known[known["partition_key"].isin(standing.partitions)]
    assert known["label"].mean() > 0.48
    assert mature["label"].mean() == pytest.approx(0.4, abs=0.03)
    newest = next(c for c in standing.cohorts if c.partition_key == standing.partitions[-1])
    assert 58 <= newest.age_days < 61


def test_days_are_mature_once_the_curve_says_so_and_a_dead_feed_holds_them_back() -> None:
    rng = np.random.default_rng(4)
    days, per_day = 40, 200
    delay = rng.uniform(0, 2, days * per_day)
    delay[rng.random(delay.size) < 0.1] = np.nan
    as_of = START + dt.timedelta(days=40)
    config = loop_config(label={"max_delay_days": 10})
    label = (rng.random(delay.size) < 0.5).astype(float)
    frame = feedback(days, per_day, delay, label, as_of)
    standing = maturity(counted(frame, config, as_of), config, as_of)
    assert standing.partitions[-1] == "2024-02-07"
    assert len(standing.partitions) == 38
    assert "expected by now" in standing.cohorts[-1].reason

    dead = frame["label_received_time"] > as_of - dt.timedelta(days=5)
    frame.loc[dead, "label_status"] = "pending"
    standing = maturity(counted(frame, config, as_of), config, as_of)
    assert standing.partitions[-1] == "2024-02-03"
    late = next(c for c in standing.cohorts if c.partition_key == "2024-02-07")
    assert late.reason.startswith("only 0 labels where about")


def test_labels_of_the_future_are_not_counted() -> None:
    as_of = START + dt.timedelta(days=30)
    label = np.ones(40 * 10)
    frame = feedback(40, 10, np.full(400, 1.0), label, START + dt.timedelta(days=60))
    counts = counted(frame, loop_config(), as_of)
    assert counts["n"].sum() == (frame["received_time"] <= as_of).sum()
    known = counts[counts["delay_step"].notna()]
    assert known["n"].sum() == (frame["label_received_time"] <= as_of).sum()


def test_a_fixed_age_from_the_file_replaces_the_curve() -> None:
    as_of = START + dt.timedelta(days=12)
    config = loop_config(pool={"mature_after_days": 3})
    frame = feedback(12, 10, np.full(120, np.nan), np.ones(120), as_of)
    standing = maturity(counted(frame, config, as_of), config, as_of)
    assert standing.partitions == [f"2024-01-{d:02d}" for d in range(1, 10)]
    assert list(standing.frame()["mature"]).count(True) == 9


def test_numeric_labels_are_judged_by_size() -> None:
    rng = np.random.default_rng(5)
    label = rng.normal(size=30 * 100)
    delay = np.where(label > 1, 6.0, 0.5)
    as_of = START + dt.timedelta(days=30)
    config = loop_config("regression")
    frame = feedback(30, 100, delay, label, as_of)
    curve = maturity(counted(frame, config, as_of), config, as_of).curve
    assert curve.share(1) < 0.5
    assert curve.age_at(0.99) == pytest.approx(6, abs=0.05)


def test_real_flights_are_mature_a_day_after_landing_and_cancelled_ones_do_not_hold_them() -> None:
    shared = Path(
        os.environ.get("FEEDBACK_ASSETS_SHARED", Path(__file__).parents[2].parent / "shared")
    )
    source = shared / "data" / "flights_ewr_2013_jan_apr.parquet"
    if not source.exists():
        pytest.skip(f"{source} is not there (set FEEDBACK_ASSETS_SHARED)")
    as_of = dt.datetime(2013, 3, 31, tzinfo=dt.UTC)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            """CREATE VIEW feedback AS
            SELECT CAST(CAST(event_time AS DATE) AS STRING) AS partition_key,
              event_time AS received_time, label, label_time AS label_received_time,
              CASE WHEN label IS NULL THEN 'pending' ELSE 'accepted' END AS label_status,
              (epoch_us(label_time) - epoch_us(event_time)) / 8.64e10 AS label_delay_days
            FROM (SELECT * REPLACE (CAST(event_time AS TIMESTAMPTZ) AS event_time,
                                    CAST(label_time AS TIMESTAMPTZ) AS label_time)
                  FROM read_parquet(?))""".replace("?", f"'{source}'")
        )
        config = loop_config(label={"max_delay_days": 30})
        counts = con.execute(delay_counts_sql(config, "feedback", as_of)).df()
    standing = maturity(counts, config, as_of)
    assert 0.1 < standing.curve.age_at(0.99) < 1.0
    assert standing.curve.label_share < 0.99
    assert standing.partitions[-1] >= "2013-03-29"
