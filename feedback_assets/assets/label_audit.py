"""How many labels are right, by those that auditors gave again."""

import datetime as dt
from collections.abc import Sequence

import duckdb
import pandas as pd

from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.labels.judges import AUDIT, audited_sql
from feedback_assets.labels.older import EVENT, with_columns
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
        None where nobody audits (`auditors`), or nothing was ever said.
    """
    both = said_twice(space, now, days)
    if both is None:
        return None
    found = con.execute(
        f"SELECT COUNT(*), COALESCE(SUM(CASE WHEN audit = label THEN 1 ELSE 0 END), 0) FROM ({both})"
    ).fetchone()
    rows, right = found if found is not None else (0, 0)
    return LabelAudit(int(rows), int(right))


def disagreements(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime, limit: int
) -> pd.DataFrame:
    """Predictions on which auditors and others differ, the newest first, at most so many.

    Returns:
        `prediction_id`, `label` and its `source`, what the `audit` said instead, `audited_at`.
    """
    both = said_twice(space, now)
    if both is None:
        return pd.DataFrame(columns=["prediction_id", "label", "source", "audit", "audited_at"])
    return con.execute(
        f"""SELECT * FROM ({both}) AS twice WHERE label <> audit
            ORDER BY audited_at DESC, prediction_id LIMIT {limit}"""
    ).df()


def auditors(config: Config) -> list[str]:
    """Sources of feedback whose labels judge the others': those of the gate, and review's own audit.

    Rows of the review's audit share are drawn evenly from all, whatever had been said of them; only
    what people answered counts as `audit` (labels/judges.py).
    """
    gate = config.gate.label_quality
    named = list(gate.auditors) if gate else []
    return list(dict.fromkeys([*named, *([AUDIT] if config.review.per_day else [])]))


def said_twice(space: LoopSpace, now: dt.datetime, days: Sequence[str] | None = None) -> str | None:
    """SQL of the predictions that auditors and others labelled; None where there cannot be any."""
    events = space.table("feedback_events").snapshot()
    predictions = space.table("prediction_log").snapshot()
    named = auditors(space.config)
    if not named or events.version < 0 or predictions.version < 0:
        return None
    columns = ["prediction_id", "kind", "value", "source", "received_time", "event_id"]
    have = events.columns()
    read = [name for name in (*columns, "principal") if name in have]
    return audit_sql(
        with_columns(events.relation(None, read), have, {"principal": EVENT["principal"]}),
        predictions.relation(days, ["prediction_id"]),
        is_audit_sql(space.config),
        now,
    )


def is_audit_sql(config: Config) -> str:
    """Condition over feedback events, never null: an auditor said it."""
    asked = config.review.per_day > 0
    named = [name for name in auditors(config) if not (asked and name == AUDIT)]
    told = [f"COALESCE(source IN ({literals(named)}), FALSE)"] if named else []
    told += [audited_sql("source", "principal")] if asked else []
    return f"({' OR '.join(told)})"


def audit_sql(events: str, predictions: str, is_audit: str, now: dt.datetime) -> str:
    """SQL of one row a prediction that both sides labelled: columns as of `disagreements`."""
    # Values are stored in one spelling, so that equal texts are equal labels.
    # A correction outranks a label, the later received the earlier: as in the feedback table.
    return f"""
WITH said AS (
  SELECT prediction_id, {is_audit} AS audited, value,
         source, received_time,
         ROW_NUMBER() OVER (
           PARTITION BY prediction_id, {is_audit}
           ORDER BY CASE WHEN kind = 'correction' THEN 0 ELSE 1 END,
                    received_time DESC, event_id DESC
         ) AS place
  FROM {events} AS e
  WHERE kind IN ('label', 'correction') AND value IS NOT NULL
    AND received_time <= {instant(now)}
)
SELECT audits.prediction_id AS prediction_id, others.value AS label, others.source AS source,
       audits.value AS audit, audits.received_time AS audited_at
FROM said AS audits
JOIN said AS others ON others.prediction_id = audits.prediction_id
JOIN {predictions} AS p ON p.prediction_id = audits.prediction_id
WHERE audits.audited AND NOT others.audited AND audits.place = 1 AND others.place = 1
""".strip()
