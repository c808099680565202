"""The `performance_report` table: one row per partition, period, slice, version, metric and kind."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import FITTING
from feedback_assets.performance.value import has_value

PERFORMANCE_COLUMNS: Mapping[str, str] = {
    "partition_key": "VARCHAR", "period": "VARCHAR", "segment": "VARCHAR", "segment_value": "VARCHAR",
    "model_version": "VARCHAR", "metric": "VARCHAR", "kind": "VARCHAR", "value": "DOUBLE",
    "low": "DOUBLE", "high": "DOUBLE", "expected": "DOUBLE", "rows": "BIGINT", "labels": "BIGINT",
    "maturity": "DOUBLE", "low_mature": "DOUBLE", "high_mature": "DOUBLE",
    "as_of": "TIMESTAMP WITH TIME ZONE", "reason": "VARCHAR",
}  # fmt: skip
"""Column → DuckDB type, in order."""

_DTYPES = {"VARCHAR": "object", "DOUBLE": "float64", "BIGINT": "int64"}


def report_metrics(config: Config) -> tuple[ReportMetric, ...]:
    """The metrics that are asked for and fit the label; all that fit if none are named.

    `value` fits when the KPI says what an answer is worth.
    """
    fitting = FITTING[config.label.kind]
    if has_value(config.kpi):
        fitting = (*fitting, "value")
    asked = config.performance.metrics
    return fitting if asked is None else tuple(m for m in fitting if m in asked)


def performance_frame(rows: Sequence[Mapping[str, Any]], as_of: dt.datetime) -> pd.DataFrame:
    """Rows as a frame with the columns and types of `PERFORMANCE_COLUMNS`.

    Columns that a row does not name are null (text: empty, counts: 0).
    """
    names = [name for name in PERFORMANCE_COLUMNS if name != "as_of"]
    frame = pd.DataFrame(rows, columns=names)
    counts = [name for name in names if PERFORMANCE_COLUMNS[name] == "BIGINT"]
    texts = [name for name in names if PERFORMANCE_COLUMNS[name] == "VARCHAR"]
    frame = frame.fillna(dict.fromkeys(texts, "") | dict.fromkeys(counts, 0))
    frame = frame.astype({name: _DTYPES[PERFORMANCE_COLUMNS[name]] for name in names})
    moment = pd.Timestamp(as_of).tz_convert("UTC").as_unit("us")
    frame["as_of"] = pd.Series(moment, index=frame.index, dtype="datetime64[us, UTC]")
    return frame[list(PERFORMANCE_COLUMNS)]
