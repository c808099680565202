"""The report's rows against plain metrics of the rows that they speak of."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.schema import Config
from feedback_assets.performance.maturity import Arrivals, told
from feedback_assets.performance.metrics import evaluate_frame
from feedback_assets.performance.periods import longest_days, realised_rows
from feedback_assets.performance.report import PERFORMANCE_COLUMNS, report_metrics
from feedback_assets_tests.performance.rows import feedback
from feedback_assets_tests.promotion.loops import loop_config

AS_OF = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
LENGTHS = {"day": 1, "week": 7, "window": 9}


def config_of(kind: str = "binary", **sections: Any) -> Config:
    performance = {"window_days": 9, "segment_pairs": [["c", "d"]], "min_rows": 10}
    sections["performance"] = {**performance, **sections.get("performance", {})}
    columns = {"segments": ["c", "d"], "categorical": ["c", "d"]}
    return loop_config(kind, columns=columns, **sections)


def report(frame: pd.DataFrame, config: Config, keys: list[str], **given: Any) -> pd.DataFrame:
    options: dict[str, Any] = {"expected": {}, "arrivals": None, "as_of": AS_OF, **given}
    return realised_rows(frame, keys, config, **options)


def rows_of(frame: pd.DataFrame, row: Any) -> pd.DataFrame:
    """The feedback rows that a row of the report speaks of, picked the slow way."""
    days = sorted(frame["partition_key"].unique())
    last = days.index(row.partition_key)
    kept = frame[
        frame["partition_key"].isin(days[max(last - LENGTHS[row.period] + 1, 0) : last + 1])
    ]
    if row.segment:
        for name, value in zip(row.segment.split(","), row.segment_value.split(","), strict=True):
            kept = kept[kept[name] == value]
    return kept[kept["model_version"] == row.model_version] if row.model_version else kept


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_every_row_is_the_metric_of_its_rows(kind: str) -> None:
    frame = feedback(kind=kind)
    # Labels of the newest days are still missing for half of the answers.
    pending = (frame["partition_key"] >= "2024-01-09") & (np.arange(len(frame)) % 2 == 0)
    frame["label"] = frame["label"].mask(pending)
    frame["label_status"] = np.where(pending, "pending", "accepted")
    config = config_of(kind)
    got = report(frame.sample(frac=1, random_state=1), config, ["2024-01-05", "2024-01-10"])
    assert list(got.columns) == list(PERFORMANCE_COLUMNS)
    assert set(got["metric"]) == set(report_metrics(config))
    slices = {"", "c", "d", "c,d"}
    assert set(got["segment"]) == slices
    assert set(got["period"]) == set(LENGTHS)
    for row in got.itertuples():
        of = rows_of(frame, row)
        labelled = (of["label_status"] == "accepted").sum()
        assert row.rows == len(of)
        assert row.labels == labelled
        if labelled < 10:
            assert math.isnan(row.value)
            assert row.reason == f"{labelled} labels, 10 needed"
        else:
            assert row.value == pytest.approx(evaluate_frame(of, config)[row.metric], abs=1e-12)
            assert row.low <= row.value <= row.high
    assert not got.duplicated(
        ["partition_key", "period", "segment", "segment_value", "model_version", "metric"]
    ).any()


def test_the_rows_are_the_same_whatever_the_batch_or_the_order() -> None:
    frame, config = feedback().round({"score": 1}), config_of()
    keys = ["2024-01-08", "2024-01-09", "2024-01-10"]
    together = report(frame, config, keys)
    mixed = frame.sample(frac=1, random_state=2)
    alone = pd.concat([report(mixed, config, [key]) for key in keys], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)


def test_days_of_a_week_are_clustered() -> None:
    frame = feedback(days=7, per_day=200)
    hard = frame["partition_key"].str.endswith(("2", "4", "6"))
    frame["label"] = np.where(hard, 1 - frame["label"], frame["label"])
    whole = report(frame, config_of(), ["2024-01-07"]).query(
        "segment == '' and model_version == '' and metric == 'accuracy'"
    )
    width = (whole["high"] - whole["low"]).to_numpy()
    assert width[1] > 2 * width[0]  # the week, though it has seven times the rows of the day


def test_only_the_most_frequent_values_are_judged() -> None:
    config = config_of(performance={"segment_values": 2})
    got = report(feedback(), config, ["2024-01-10"])
    assert set(got.loc[got["segment"] == "c", "segment_value"]) == {"a", "b"}
    assert set(got.loc[got["segment"] == "c,d", "segment_value"]) <= {"a,p", "a,q"}
    assert set(got.loc[got["model_version"] != "", "segment"]) == {""}
    assert set(got["model_version"]) == {"", "1", "2"}


def test_a_segment_value_may_be_null() -> None:
    frame = feedback()
    frame["c"] = frame["c"].mask(frame["c"] == "b")
    got = report(frame, config_of(), ["2024-01-10"])
    assert set(got.loc[got["segment"] == "c", "segment_value"]) == {"a", "null", "x"}


def test_a_day_without_answers_says_so() -> None:
    got = report(feedback(days=3), config_of(), ["2024-01-20"])
    assert (got["period"] == "day").any()
    assert got["value"].isna().all()
    assert set(got["reason"]) == {"0 labels, 10 needed"}
    empty = report(feedback().head(0), config_of(), ["2024-01-20"])
    assert len(empty) == 3 * 6


def test_answers_without_a_score_do_not_count() -> None:
    frame = feedback()
    frame["score"] = frame["score"].mask(frame["d"] == "q")
    got = report(frame, config_of(), ["2024-01-10"])
    assert set(got.loc[got["segment"] == "d", "segment_value"]) == {"p"}


def test_the_expected_metric_is_that_of_the_versions_that_answered() -> None:
    frame, config = feedback(), config_of()
    expected = {"1": {"log_loss": 0.4, "roc_auc": None}, "2": {"log_loss": 0.5}}
    got = report(frame, config, ["2024-01-07"], expected=expected)
    loss = got[(got["metric"] == "log_loss") & (got["segment"] == "")].set_index(
        ["period", "model_version"]
    )["expected"]
    assert loss["day", ""] == pytest.approx(0.5)
    assert loss["week", "1"] == pytest.approx(0.4)
    assert loss["week", ""] == pytest.approx((5 * 0.4 + 2 * 0.5) / 7)
    assert got.loc[got["segment"] != "", "expected"].isna().all()
    assert got.loc[got["metric"] == "roc_auc", "expected"].isna().all()
    unknown = report(frame, config, ["2024-01-07"], expected={"2": {"log_loss": 0.5}})
    week = unknown.query("period == 'week' and model_version == '' and metric == 'log_loss'")
    assert week["expected"].isna().all()


def test_undefined_metrics_say_why() -> None:
    frame = feedback().assign(label=0.0, prediction=0.0)
    got = report(frame, config_of(), ["2024-01-10"])
    whole = got.query("period == 'week' and segment == '' and model_version == ''")
    reasons = whole.set_index("metric")["reason"]
    assert reasons["roc_auc"] == "all labels are of one class"
    assert reasons["f1"] == "the class is neither there nor answered"
    assert reasons["log_loss"] == ""


def test_worth_comes_from_the_matrix_or_the_expression() -> None:
    frame = feedback()
    kpi = {"name": "k", "values": {"1": {"0": -4.0, "1": 3.0}}}
    config = config_of(kpi=kpi, performance={"metrics": ["value", "mae"]})
    got = report(frame, config, ["2024-01-10"]).query("period == 'day' and segment == ''").iloc[0]
    day = frame[(frame["partition_key"] == "2024-01-10") & (frame["label"] == 1)]
    worth = np.where(day["prediction"] == 1, 3.0, -4.0).sum() / 60
    assert got["metric"] == "value"
    assert got["value"] == pytest.approx(worth)
    config = config_of(kpi={"name": "k", "expression": "label"})
    priced = report(frame.assign(value=7.0), config, ["2024-01-10"])
    assert priced.loc[priced["metric"] == "value", "value"].dropna().eq(7).all()


@pytest.mark.parametrize(
    ("grain", "key", "rows"),
    [("hourly", "2024-01-02T05", [24, 30, 30]), ("weekly", "2024-01-15", [1, 1, 2])],
)
def test_periods_are_days_whatever_the_grain(grain: str, key: str, rows: list[int]) -> None:
    times = {
        "hourly": pd.date_range("2024-01-01", periods=40, freq="h").strftime("%Y-%m-%dT%H"),
        "weekly": pd.date_range("2024-01-01", periods=5, freq="7D").strftime("%Y-%m-%d"),
    }[grain]
    frame = feedback(days=1, per_day=len(times)).assign(partition_key=times.to_numpy())
    partitions = {"start": "2024-01-01", "grain": grain}
    config = config_of(partitions=partitions, performance={"window_days": 14})
    got = report(frame, config, [key])
    whole = got.query("segment == '' and model_version == '' and metric == 'brier'")
    assert whole["rows"].tolist() == rows


def test_late_labels_are_told_from_the_delays() -> None:
    """Positives are learned of in days, negatives in hours: young days look too good."""
    rng = np.random.default_rng(5)
    frame = feedback(days=12, per_day=1_500, seed=6)
    age = 12 - frame["partition_key"].str[-2:].astype(int) + 0.5
    delay = np.where(frame["label"] == 1, rng.exponential(3, len(frame)), 0.1)
    late = delay > age
    known = frame.assign(
        label=frame["label"].mask(late), label_status=np.where(late, "pending", "accepted")
    )
    ages = dict(zip(frame["partition_key"], age, strict=True))
    curves = {"0": lambda a: 1.0, "1": lambda a: 1 - math.exp(-a / 3)}
    arrivals = Arrivals(ages, {("", ""): curves})
    day = ["2024-01-11"]
    early = report(known, config_of(), day, arrivals=arrivals)
    final = report(frame, config_of(), day)
    assert set(early["as_of"]) == {pd.Timestamp(AS_OF)}
    both = early.assign(final=final["value"]).query("segment == '' and model_version == ''")
    inside = (both["low_mature"] <= both["final"]) & (both["final"] <= both["high_mature"])
    assert inside.mean() >= 0.85
    losses = both[(both["metric"] == "log_loss") & (both["period"] == "day")].iloc[0]
    assert losses["value"] < losses["low_mature"]
    share = (~late[frame["partition_key"] == "2024-01-11"]).mean()
    assert losses["maturity"] == pytest.approx(share, abs=0.05)
    assert told(losses).endswith("expected at maturity")
    assert early.query("segment == 'c'")["maturity"].between(0.5, 1).all()


def test_no_more_days_are_read_than_asked() -> None:
    assert longest_days(config_of()) == 9
    assert longest_days(config_of(performance={"window_days": 3})) == 7
