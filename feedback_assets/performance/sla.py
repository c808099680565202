"""Promises about a metric: met, missed, and broken when missed too often in a row."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from feedback_assets.config.judgement import Sla
from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import HIGHER_IS_BETTER

SLA_COLUMNS: Mapping[str, str] = {
    "partition_key": "VARCHAR", "metric": "VARCHAR", "period": "VARCHAR", "target": "DOUBLE",
    "value": "DOUBLE", "breached": "BOOLEAN", "streak": "BIGINT", "broken": "BOOLEAN",
}  # fmt: skip
"""Column → DuckDB type, in order."""


def sla_rows(history: pd.DataFrame, config: Config) -> pd.DataFrame:
    """One row per promise and partition, with the columns of `SLA_COLUMNS`.

    A check misses when its value lies below the target (above it, for an error). A check whose value
    is not known is shown with `breached` null; it neither ends a streak nor adds to it. The promise is
    broken from the check on which the streak reaches `checks` until one that meets the target.

    Args:
        history: partition_key, metric, period and value of the whole, all versions together, one row
            each, of every partition from which a streak may still run.
        config: the loop's; its `performance.sla` are the promises.
    """
    rows = [row for promise in config.performance.sla for row in _checks(history, promise)]
    frame = pd.DataFrame(rows, columns=list(SLA_COLUMNS))
    return frame.astype(
        {
            "target": "float64",
            "value": "float64",
            "breached": "boolean",
            "streak": "int64",
            "broken": "bool",
        }
    )


def misses(value: float, promise: Sla) -> bool | None:
    """Whether a value misses the target; None when it is not known.

    >>> misses(0.7, Sla(metric="accuracy", target=0.8)), misses(0.7, Sla(metric="mae", target=0.8))
    (True, False)
    """
    if math.isnan(value):
        return None
    return value < promise.target if promise.metric in HIGHER_IS_BETTER else value > promise.target


def _checks(history: pd.DataFrame, promise: Sla) -> list[dict[str, Any]]:
    mine = (history["metric"] == promise.metric) & (history["period"] == promise.period)
    checks = history[mine].sort_values("partition_key")
    rows, streak = [], 0
    values = checks["value"].astype("float64")
    for key, value in zip(checks["partition_key"], values, strict=True):
        missed = misses(value, promise)
        if missed is not None:
            streak = streak + 1 if missed else 0
        rows.append(
            {
                "partition_key": key,
                "metric": promise.metric,
                "period": promise.period,
                "target": promise.target,
                "value": value,
                "breached": missed,
                "streak": streak,
                "broken": streak >= promise.checks,
            }
        )
    return rows
