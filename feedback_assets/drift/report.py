"""Verdicts as rows of the `drift_report` table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from feedback_assets.drift.verdict import ColumnVerdict, DayVerdict

REPORT_COLUMNS: Mapping[str, str] = {
    "partition_key": "VARCHAR", "against": "VARCHAR", "column_name": "VARCHAR", "role": "VARCHAR",
    "kind": "VARCHAR", "segment": "VARCHAR", "segment_value": "VARCHAR", "status": "VARCHAR",
    "evidence": "DOUBLE", "evidence_changed": "DOUBLE", "since": "VARCHAR", "weight": "DOUBLE",
    "impact": "DOUBLE", "size_sd": "DOUBLE", "margin": "DOUBLE", "psi": "DOUBLE", "ks": "DOUBLE",
    "js": "DOUBLE", "hellinger": "DOUBLE", "wasserstein": "DOUBLE", "g": "DOUBLE",
    "chi2": "DOUBLE", "null_share": "DOUBLE", "null_share_ref": "DOUBLE",
    "unseen_share": "DOUBLE", "out_of_range_share": "DOUBLE", "rows": "BIGINT",
    "rows_ref": "BIGINT", "size": "VARCHAR", "reason": "VARCHAR", "unseen": "VARCHAR",
}  # fmt: skip
"""Column → DuckDB type, in order.

`evidence` is ln e of a material change and `evidence_changed` of any; `size_sd` and `margin` are in
standard deviations; a number that is not known is NaN, a text that is not known is null.
"""
DAY = "day"
"""Role and kind of the one row that is the day's own verdict; its column is "*"."""
TOLD = frozenset({"drift", "immaterial", "broken"})
"""Statuses whose change is told by what moved; of the others, how far it is from mattering."""
Unseen = Mapping[tuple[str, str], Sequence[tuple[str, int]]]


def report_rows(
    days: Mapping[str, DayVerdict], against: str = "training", unseen: Unseen | None = None
) -> pd.DataFrame:
    """The day's row, then one row per column and slice, with the columns of `REPORT_COLUMNS`.

    Args:
        days: Partition key → verdict.
        against: Name of the reference.
        unseen: (partition key, column) → the most frequent unseen values and their rows.
    """
    rows: list[dict[str, object]] = []
    for key, day in days.items():
        rows.append(_day_row(key, against, day))
        for column in (*day.columns, *day.slices):
            row = {"partition_key": key, "against": against, **_row(column)}
            if unseen and not column.slice[0] and (key, column.name) in unseen:
                row["unseen"] = json.dumps(list(unseen[key, column.name]), ensure_ascii=False)
            rows.append(row)
    kinds = {"VARCHAR": "object", "DOUBLE": "float64", "BIGINT": "int64"}
    frame = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    frame = frame.fillna({name: 0 for name, sql in REPORT_COLUMNS.items() if sql == "BIGINT"})
    return frame.astype({name: kinds[sql] for name, sql in REPORT_COLUMNS.items()})


def _day_row(key: str, against: str, day: DayVerdict) -> dict[str, object]:
    return {
        "partition_key": key,
        "against": against,
        "column_name": "*",
        "role": DAY,
        "kind": DAY,
        "segment": "",
        "segment_value": "",
        "status": day.status,
        "since": min((c.since for c in day.drifted if c.since), default=None),
        "weight": day.drift_weight,
        "rows": day.rows,
        "rows_ref": max((c.rows_ref for c in day.columns), default=0),
        "reason": day.reason,
    }


def _row(column: ColumnVerdict) -> dict[str, object]:
    return {
        "column_name": column.name,
        "role": column.role,
        "kind": column.kind,
        "segment": column.slice[0],
        "segment_value": column.slice[1],
        "status": column.status,
        "evidence": column.evidence,
        "evidence_changed": column.evidence_changed,
        "since": column.since,
        "weight": column.weight,
        "impact": column.impact,
        "size_sd": column.size_sd,
        "margin": column.margin_sd,
        **asdict(column.statistics),
        "rows": column.rows,
        "rows_ref": column.rows_ref,
        "size": column.change if column.status in TOLD else column.size,
        "reason": column.reason,
    }
