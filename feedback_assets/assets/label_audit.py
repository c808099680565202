"""How many labels are right, by those that auditors gave again."""

import datetime as dt
from collections.abc import Sequence

import duckdb

from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.checked import LabelAudit
from feedback_assets.sqltext import instant, literals


def label_audit(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    now: dt.datetime,
    days: Sequence[str] | None = None,
) -> LabelAudit | None:
    """Compare auditors' labels with what others had said of the same predictions.

    The newest label of each side counts. A row that only auditors labelled says nothing of the
    labels' quality. Rows are not taken from the labeled pool: a disputed row is no longer there,
    and a corrected one is right.

    Args:
        space: The loop.
        con: A connection.
        now: Nothing received later counts.
        days: Partitions of the predictions to look at; all if absent.

    Returns:
        None where `gate.label_quality` names no auditors, or nothing was ever said.
    """
    gate = space.config.gate.label_quality
    events = space.table("feedback_events").snapshot()
    predictions = space.table("prediction_log").snapshot()
    if gate is None or not gate.auditors or events.version < 0 or predictions.version < 0:
        return None
    columns = ["prediction_id", "kind", "value", "source", "received_time", "event_id"]
    query = audit_sql(
        events.relation(None, columns),
        predictions.relation(days, ["prediction_id"]),
        gate.auditors,
        now,
    )
    found = con.execute(query).fetchone()
    rows, right = found if found is not None else (0, 0)
    return LabelAudit(int(rows), int(right))


def audit_sql(events: str, predictions: str, auditors: Sequence[str], now: dt.datetime) -> str:
    """SQL of one row: predictions that both sides labelled, and those on which they agree."""
    is_audit = f"COALESCE(source IN ({literals(list(auditors))}), FALSE)"
    # Values are stored in one spelling, so that equal texts are equal labels.
    # A correction outranks a label, the later received the earlier: as in the feedback table.
    return f"""
WITH said AS (
  SELECT prediction_id, {is_audit} AS audited, value,
         ROW_NUMBER() OVER (
           PARTITION BY prediction_id, {is_audit}
           ORDER BY CASE WHEN kind = 'correction' THEN 0 ELSE 1 END,
                    received_time DESC, event_id DESC
         ) AS place
  FROM {events} AS e
  WHERE kind IN ('label', 'correction') AND value IS NOT NULL
    AND received_time <= {instant(now)}
)
SELECT COUNT(*),
       COALESCE(SUM(CASE WHEN audits.value = others.value THEN 1 ELSE 0 END), 0)
FROM said AS audits
JOIN said AS others ON others.prediction_id = audits.prediction_id
JOIN {predictions} AS p ON p.prediction_id = audits.prediction_id
WHERE audits.audited AND NOT others.audited AND audits.place = 1 AND others.place = 1
""".strip()
