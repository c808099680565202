"""Policies sized to how much data there is: a small loop cannot wait for thousands of labels."""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Literal

Grain = Literal["hourly", "daily", "weekly"]
_PARTITION_ROWS = 100
"""Rows that a partition needs for a drift verdict (`drift.min_rows`)."""


@dataclass(frozen=True)
class Policies:
    """Grain and numbers that depend on the density of the data; `grain_why` explains the first."""

    grain: Grain
    grain_why: str
    start: dt.date
    drift_min_rows: int
    new_labels: int
    min_new_labels: int
    cooldown_days: float
    holdout_days: float
    pool_min_rows: int
    gate_min_rows: int
    segment_min_rows: int
    freshness_hours: int


def policies(
    rows: int, labels: int, first: dt.datetime, last: dt.datetime, rare_share: float
) -> Policies:
    """Size the policies.

    Args:
        rows: Rows of the history.
        labels: Rows with a label.
        first: First event time.
        last: Last event time.
        rare_share: Share of the rarer class; 0.5 where there are no two classes.
    """
    days = max((last - first).total_seconds() / 86_400, 1 / 24)
    a_day, labels_a_day = rows / days, max(labels / days, 1e-9)
    grain: Grain = "daily" if a_day >= _PARTITION_ROWS else "weekly"
    if days < 4 and rows / (24 * days) >= _PARTITION_ROWS:
        grain = "hourly"
    partition_days = {"hourly": 1 / 24, "daily": 1.0, "weekly": 7.0}[grain]
    wanted = max(500, 50 / max(rare_share, 1e-4)) / labels_a_day
    usual = min(7.0, days / 8)
    holdout = _rounded(max(partition_days, min(max(wanted, usual), days / 8, 90)))
    new_labels = _clamp(min(28 * labels_a_day, labels / 8), 50, 5_000)
    start = first.date() - dt.timedelta(days=first.weekday() if grain == "weekly" else 0)
    return Policies(
        grain=grain,
        grain_why=f"{a_day:,.0f} rows a day over {days:,.0f} days",
        start=start,
        drift_min_rows=_clamp(a_day * partition_days / 2, 30, _PARTITION_ROWS),
        new_labels=new_labels,
        min_new_labels=_clamp(new_labels / 5, 20, 500),
        cooldown_days=_rounded(min(7.0, days / 10)),
        holdout_days=holdout,
        pool_min_rows=_clamp(labels / 10, 50, 200),
        gate_min_rows=_clamp(holdout * labels_a_day / 2, 30, 200),
        segment_min_rows=_clamp(holdout * labels_a_day / 10, 30, 100),
        freshness_hours=math.ceil(48 * max(1.0, partition_days)),
    )


def _clamp(value: float, low: int, high: int) -> int:
    """Round to two figures, between `low` and `high`."""
    if value <= low:
        return low
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return min(high, round(value / unit) * unit)


def _rounded(days: float) -> float:
    return float(math.ceil(days)) if days >= 1 else math.ceil(days * 24) / 24
