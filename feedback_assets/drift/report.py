"""Verdicts as rows of the `drift_report` table."""

import json
from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from feedback_assets.drift.verdict import ColumnVerdict, DayVerdict

REPORT_COLUMNS: Mapping[str, str] = {
    "partition_key": "VARCHAR", "column_name": "VARCHAR", "role": "VARCHAR", "kind": "VARCHAR",
    "status": "VARCHAR", "psi": "DOUBLE", "ks": "DOUBLE", "g": "DOUBLE", "p_value": "DOUBLE",
    "js": "DOUBLE", "wasserstein": "DOUBLE", "null_share": "DOUBLE", "null_share_ref": "DOUBLE",
    "unseen_share": "DOUBLE", "out_of_range_share": "DOUBLE", "margin": "DOUBLE",
    "rows": "BIGINT", "rows_ref": "BIGINT", "size": "VARCHAR", "counts": "VARCHAR",
    "reason": "VARCHAR",
}  # fmt: skip
"""Column → DuckDB type, in order. `margin` is in standard deviations."""


def report_rows(days: Mapping[str, DayVerdict]) -> pd.DataFrame:
    """One row per partition and column, with the columns of `REPORT_COLUMNS`.

    Args:
        days: Partition key → verdict.
    """
    rows = [_row(key, column) for key, day in days.items() for column in day.columns]
    kinds = {"VARCHAR": "object", "DOUBLE": "float64", "BIGINT": "int64"}
    frame = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    return frame.astype({name: kinds[sql] for name, sql in REPORT_COLUMNS.items()})


def _row(partition_key: str, column: ColumnVerdict) -> dict[str, object]:
    return {
        "partition_key": partition_key,
        "column_name": column.name,
        "role": column.role,
        "kind": column.kind,
        "status": column.status,
        **asdict(column.statistics),
        "g": column.g,
        "p_value": column.p_value,
        "margin": column.margin_sd,
        "rows": column.rows,
        "rows_ref": column.rows_ref,
        "size": column.size,
        "counts": json.dumps(column.counts, separators=(",", ":")),
        "reason": column.reason,
    }
