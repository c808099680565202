"""Promises: streaks of misses, and checks that say nothing."""

import math

import pandas as pd

from feedback_assets.performance.sla import SLA_COLUMNS, sla_rows
from feedback_assets_tests.promotion.loops import loop_config


def history(values: list[float], metric: str = "accuracy", period: str = "day") -> pd.DataFrame:
    keys = [f"2024-01-{day:02d}" for day in range(1, len(values) + 1)]
    return pd.DataFrame(
        {"partition_key": keys, "metric": metric, "period": period, "value": values}
    )


def test_a_promise_breaks_after_so_many_misses_in_a_row() -> None:
    config = loop_config(
        performance={"sla": [{"metric": "accuracy", "target": 0.8, "checks": 2}]},
    )
    got = sla_rows(history([0.9, 0.7, 0.79, 0.6, 0.8, 0.7]), config)
    assert got["streak"].tolist() == [0, 1, 2, 3, 0, 1]
    assert got["broken"].tolist() == [False, False, True, True, False, False]
    assert got["breached"].tolist() == [False, True, True, True, False, True]
    assert list(got.columns) == list(SLA_COLUMNS)


def test_a_check_that_is_not_known_neither_ends_a_streak_nor_adds_to_it() -> None:
    config = loop_config(
        performance={"sla": [{"metric": "log_loss", "target": 0.5, "checks": 2}]},
    )
    got = sla_rows(history([0.6, math.nan, 0.6, math.nan, 0.4], "log_loss"), config)
    assert got["streak"].tolist() == [1, 1, 2, 2, 0]
    assert got["broken"].tolist() == [False, False, True, True, False]
    assert got["breached"].isna().tolist() == [False, True, False, True, False]


def test_each_promise_looks_at_its_own_metric_and_period_in_time_order() -> None:
    promises = [
        {"metric": "accuracy", "target": 0.8, "checks": 1, "period": "week"},
        {"metric": "log_loss", "target": 0.5, "checks": 1},
    ]
    config = loop_config(performance={"sla": promises})
    both = pd.concat([history([0.7, 0.9], period="week"), history([0.9, 0.1], period="day")])
    got = sla_rows(both[::-1], config)
    assert got["value"].tolist() == [0.7, 0.9]
    assert got["broken"].tolist() == [True, False]


def test_no_promises_no_rows() -> None:
    assert sla_rows(history([0.1]), loop_config()).empty
