"""Rows from the feedback table, upstream changes, and the findings table."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from feedback_assets.causes import (
    FINDINGS_COLUMNS,
    Change,
    Finding,
    changes_of,
    finding_rows,
    nearby,
    rows_of,
    upstream_findings,
)
from feedback_assets.performance.metrics import evaluate_frame
from feedback_assets_tests.promotion.loops import loop_config


def frame(**columns) -> pd.DataFrame:
    base = {
        "partition_key": ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"],
        "label": pd.array([1, 0, 1, None], dtype="Int64"),
        "label_status": ["accepted", "accepted", "conflict", "accepted"],
        "score": [0.9, 0.4, 0.2, 0.7],
        "prediction": [1, 0, 0, 1],
        "x": pd.array([1.5, None, 3.0, 4.0], dtype="Float64"),
        "c": ["a", None, "b", "b"],
    }
    return pd.DataFrame(base | columns)


def test_only_accepted_scored_rows_are_kept_and_the_mean_loss_is_the_metric() -> None:
    config = loop_config()
    got = rows_of(frame(), config)
    assert len(got) == 2
    assert got.metric == "log_loss"
    assert got.loss.mean() == pytest.approx(evaluate_frame(frame(), config)["log_loss"])
    assert got.label.tolist() == [1.0, 0.0]
    assert got.features["x"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert got.features["c"].tolist() == ["a", None]
    assert got.segment.tolist() == ["a", "null"]
    assert got.day.tolist() == ["2024-01-01", "2024-01-01"]


def test_a_metric_that_is_no_mean_gives_way() -> None:
    config = loop_config()
    assert rows_of(frame(), config, "roc_auc").metric == "log_loss"
    error = rows_of(frame(), config, "accuracy")
    assert error.metric == "error"
    assert error.loss.mean() == pytest.approx(1 - evaluate_frame(frame(), config)["accuracy"])
    numbers = rows_of(frame(label=[1.0, 2.0, 3.0, 4.0]), loop_config("regression"), "r2")
    assert (numbers.metric, numbers.numeric_label) == ("mae", True)


def test_multiclass_rows() -> None:
    scores = {f"score_{c}": [0.2, 0.3, 0.5, np.nan] for c in "abc"}
    got = rows_of(frame(label=["a", "zebra", "c", "b"], **scores), loop_config("multiclass"))
    assert got.label.tolist() == [0.0]
    assert got.loss.tolist() == pytest.approx([-np.log(0.2)])


def test_two_segments_are_joined() -> None:
    config = loop_config(columns={"segments": ["c", "d"]})
    n = 6
    table = pd.DataFrame(
        {
            "partition_key": ["2024-01-01"] * n,
            "label": [0.0, 1.0] * 3,
            "label_status": ["accepted"] * n,
            "score": [0.5] * n,
            "x": np.arange(n),
            "c": ["a"] * 5 + ["b"],
            "d": ["u"] * 4 + ["v", None],
        }
    )
    got = rows_of(table, config)
    assert got.segment.tolist() == ["a,u"] * 4 + ["a,v", "b,null"]
    assert set(got.features) == {"x", "c", "d"}
    assert len(got.sampled(3, 0)) == 3
    assert got.take(got.label == 1).features["x"].tolist() == [1.0, 3.0, 5.0]


DAY = dt.date(2024, 2, 10)


def test_the_nearest_change_comes_first_and_far_ones_not_at_all() -> None:
    days = [dt.date(2024, 2, d) for d in (1, 5, 9, 12, 20)]
    states = changes_of("code version", zip(days, ["a", "b", "c", "c", "d"], strict=True))
    other = Change(dt.date(2024, 2, 11), "champion", "7", detail="promoted")
    near = nearby([*states, other], DAY, 5)
    assert [c.words for c in near] == [
        "code version b → c",
        "champion 7 (first seen): promoted",
        "code version a → b",
    ]
    told = upstream_findings("2024-02-12", near, DAY)
    assert [f.value for f in told] == [-1.0, 1.0, -5.0]
    assert told[0].text == "code version b → c, 1 day before"
    assert told[1].text.endswith("1 day after")
    assert upstream_findings("k", [Change(DAY, "config", "x")], DAY)[0].text.endswith(
        "the same day"
    )
    assert nearby(states, DAY, 0) == []


def test_an_unknown_state_changes_nothing() -> None:
    days = [dt.date(2024, 1, d) for d in (3, 1, 2)]
    assert changes_of("config", zip(days, ["x", "x", ""], strict=True)) == []


def test_findings_are_rows_of_the_table() -> None:
    rows = finding_rows([Finding("k", "domain", "all", "words", 0.7, 0.6, 0.8, 3.0)])
    assert list(rows.columns) == list(FINDINGS_COLUMNS)
    assert rows.iloc[0].tolist() == ["k", "domain", "all", 0.7, 0.6, 0.8, 3.0, "words"]
    empty = finding_rows([])
    assert list(empty.columns) == list(FINDINGS_COLUMNS)
    assert empty["value"].dtype == np.float64
