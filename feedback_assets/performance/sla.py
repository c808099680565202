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
    is not known is shown with `breached` null; it neither ends a streak nor adds to it. So is one whose
    labels are still to come, while its range at maturity holds the target: quick labels are no fair
    sample. The promise is
    broken from the check on which the streak reaches `checks` until one that meets the target.

    Args:
        history: partition_key, metric, period, value, low_mature and high_mature of the whole, all
            versions together, one row each, of every partition from which a streak may still run.
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


def missed_at_maturity(value: float, low: float, high: float, promise: Sla) -> bool | None:
    """Whether a value misses the target now and whatever the labels still to come say.

    Args:
        value: On the labels that are there.
        low: Lower end of what is expected once all are; NaN where that is not known.
        high: Upper end.
        promise: The promise.

    >>> promise = Sla(metric="log_loss", target=0.5)
    >>> missed_at_maturity(0.6, 0.55, 0.7, promise), missed_at_maturity(0.6, 0.45, 0.7, promise)
    (True, None)
    """
    said = {misses(value, promise)} | {misses(x, promise) for x in (low, high) if x == x}
    return said.pop() if len(said) == 1 else None


def _checks(history: pd.DataFrame, promise: Sla) -> list[dict[str, Any]]:
    mine = (history["metric"] == promise.metric) & (history["period"] == promise.period)
    checks = history[mine].sort_values("partition_key")
    rows, streak = [], 0
    names = ["value", "low_mature", "high_mature"]
    numbers = checks.reindex(columns=names).astype("float64").to_numpy()
    for key, (value, low, high) in zip(checks["partition_key"], numbers.tolist(), strict=True):
        missed = missed_at_maturity(value, low, high, promise)
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
