"""Predictions joined with what people and the world said of them, as known at one moment."""

import datetime as dt

from feedback_assets.config.schema import Config
from feedback_assets.labels.flags import row_flags_sql
from feedback_assets.labels.judges import by_people_sql, said_judge_sql
from feedback_assets.sqltext import ident, instant

LABEL_TYPES = {"binary": "BIGINT", "multiclass": "VARCHAR", "regression": "DOUBLE"}
JOINED_COLUMNS = (
    "label", "label_status", "label_event_time", "label_received_time", "label_delay_days",
    "label_source", "label_principal", "label_confidence", "label_count", "label_conflict",
    "labels_seen", "rating", "flags",
)  # fmt: skip
DAY_US = 86_400_000_000
LEAD = dt.timedelta(days=1)
"""How long before its prediction feedback may be received: clocks and time zones differ."""
LEAD_US = LEAD // dt.timedelta(microseconds=1)


def feedback_table_sql(config: Config, predictions: str, events: str, as_of: dt.datetime) -> str:
    """The query that makes the feedback table.

    A correction outranks a label, the latest received outranks the earlier, and equal times are
    settled by event id. An event that is delivered again was heard when it first came. Labels that
    disagree are a conflict, unless a correction settles it. A rejection that is not followed by a
    newer label takes the row out. Once somebody who may judge models has labelled a row
    (labels/judges.py), what others say of its truth is counted and not heeded.
    Feedback received after `as_of`, later than the label horizon, or more than `LEAD` before its
    prediction, is as if it did not exist;
    a prediction without feedback is pending, never negative.

    Args:
        config: The loop.
        predictions: Relation with the prediction log's columns, one row a prediction.
        events: Relation with the feedback events' columns, one row an event.
        as_of: Only what had been received by then counts.

    Returns:
        SQL text with one row a prediction: the prediction log's columns (less `source_file`)
        and `label`, `label_status` (accepted, pending, rejected), `label_delay_days` and so on;
        who said the label that counts and how sure he was; and `flags` (labels/flags.py).
    """
    label_type = LABEL_TYPES[config.label.kind]
    horizon = int(config.label.max_delay_days * DAY_US)
    is_label = "kind IN ('label', 'correction')"
    judges = said_judge_sql(config, "source", "principal")
    people = by_people_sql("source", "principal")
    # Nearly every prediction is heard of once, and that needs no ranking, which costs most.
    return f"""
WITH events AS (
  SELECT event_id, prediction_id, kind, value, source, principal, confidence,
         event_time AS happened_at, received_time AS heard_at
  FROM {events} AS e WHERE received_time <= {instant(as_of)}
), several AS (
  SELECT prediction_id FROM events GROUP BY prediction_id HAVING COUNT(*) > 1
), copies AS (
  SELECT e.*, ROW_NUMBER() OVER (
           PARTITION BY e.prediction_id, e.event_id ORDER BY e.heard_at, e.kind, e.value
         ) AS copy
  FROM events AS e
  JOIN several ON several.prediction_id = e.prediction_id
  JOIN {predictions} AS p ON p.prediction_id = e.prediction_id
  WHERE epoch_us(e.heard_at) - epoch_us(p.event_time) BETWEEN -{LEAD_US} AND {horizon}
), last_words AS (
  SELECT *, MAX(CASE WHEN {people} THEN heard_at END) OVER (PARTITION BY prediction_id) AS last_word
  FROM copies WHERE copy = 1
), heard AS (
  SELECT *, {judges} OR MAX(CASE WHEN {is_label} AND {judges} THEN 1 ELSE 0 END)
           OVER (PARTITION BY prediction_id) = 0 AS heeded
  FROM last_words WHERE NOT ({people} AND heard_at < last_word)
), families AS (
  SELECT *, CASE WHEN NOT heeded AND kind <> 'rating' THEN 'unheeded'
                 WHEN {is_label} THEN 'label' ELSE kind END AS family
  FROM heard
), ranked AS (
  SELECT *, ROW_NUMBER() OVER (
           PARTITION BY prediction_id, family
           ORDER BY CASE WHEN kind = 'correction' THEN 0 ELSE 1 END, heard_at DESC, event_id DESC
         ) AS place,
         kind = 'correction' OR SUM(CASE WHEN kind = 'correction' AND heeded THEN 1 ELSE 0 END)
           OVER (PARTITION BY prediction_id) = 0 AS decides
  FROM families
), said AS (
  SELECT prediction_id,
         MAX(CASE WHEN family = 'label' AND place = 1 THEN value END) AS value,
         MAX(CASE WHEN family = 'label' AND place = 1 THEN source END) AS source,
         MAX(CASE WHEN family = 'label' AND place = 1 THEN principal END) AS principal,
         MAX(CASE WHEN family = 'label' AND place = 1 THEN confidence END) AS confidence,
         MAX(CASE WHEN family = 'label' AND kind = 'correction' THEN 1 ELSE 0 END) = 1 AS corrected,
         MAX(CASE WHEN family = 'label' AND place = 1 THEN happened_at END) AS happened_at,
         MAX(CASE WHEN family = 'label' AND place = 1 THEN heard_at END) AS heard_at,
         MAX(CASE WHEN family = 'rating' AND place = 1 THEN value END) AS rating,
         MAX(CASE WHEN family = 'label' THEN heard_at END) AS last_label,
         MAX(CASE WHEN family = 'rejection' THEN heard_at END) AS last_rejection,
         COUNT(DISTINCT CASE WHEN {is_label} THEN event_id END) AS label_count,
         MIN(CASE WHEN family = 'label' AND decides THEN value END) AS least,
         MAX(CASE WHEN family = 'label' AND decides THEN value END) AS greatest
  FROM ranked GROUP BY prediction_id
), judged AS (
  SELECT prediction_id, value, source, principal, confidence, corrected, happened_at, heard_at,
         rating, label_count, least, greatest,
         last_rejection IS NOT NULL
           AND (last_label IS NULL OR last_rejection >= last_label) AS rejected,
         CAST(NULL AS TIMESTAMPTZ) AS heard_once
  FROM said
  UNION ALL
  SELECT e.prediction_id,
         CASE WHEN {is_label} THEN e.value END, CASE WHEN {is_label} THEN e.source END,
         CASE WHEN {is_label} THEN e.principal END, CASE WHEN {is_label} THEN e.confidence END,
         kind = 'correction',
         CASE WHEN {is_label} THEN e.happened_at END, CASE WHEN {is_label} THEN e.heard_at END,
         CASE WHEN kind = 'rating' THEN e.value END, CASE WHEN {is_label} THEN 1 ELSE 0 END,
         CASE WHEN {is_label} THEN e.value END, CASE WHEN {is_label} THEN e.value END,
         kind = 'rejection', e.heard_at
  FROM events AS e LEFT JOIN several ON several.prediction_id = e.prediction_id
  WHERE several.prediction_id IS NULL
)
SELECT * EXCLUDE (corrected), {row_flags_sql(config)} AS flags FROM (
SELECT p.* EXCLUDE (source_file),
       CAST(CASE WHEN NOT j.rejected THEN j.value END AS {label_type}) AS label,
       CASE WHEN j.rejected THEN 'rejected'
            WHEN j.value IS NOT NULL THEN 'accepted' ELSE 'pending' END AS label_status,
       j.happened_at AS label_event_time,
       j.heard_at AS label_received_time,
       (epoch_us(j.heard_at) - epoch_us(p.event_time)) / {DAY_US}.0e0 AS label_delay_days,
       j.source AS label_source,
       j.principal AS label_principal,
       j.confidence AS label_confidence,
       CAST(COALESCE(j.label_count, 0) AS BIGINT) AS label_count,
       COALESCE(j.least <> j.greatest, FALSE) AS label_conflict,
       CASE WHEN j.least <> j.greatest THEN j.least || ' | ' || j.greatest
            ELSE j.least END AS labels_seen,
       TRY_CAST(j.rating AS DOUBLE) AS rating,
       COALESCE(j.corrected, FALSE) AS corrected
FROM {predictions} AS p LEFT JOIN judged AS j ON j.prediction_id = p.prediction_id
  AND (j.heard_once IS NULL
       OR epoch_us(j.heard_once) - epoch_us(p.event_time) BETWEEN -{LEAD_US} AND {horizon})
) AS joined
"""


def affected_partitions_sql(events: str, before: str, predictions: str, horizon_days: float) -> str:
    """The query that finds the prediction partitions whose truth new feedback changes.

    Args:
        events: Feedback events as they are now.
        before: The same partitions as they were at the last commit.
        predictions: The prediction log over the label horizon.
        horizon_days: Feedback that came later than this changes nothing.

    Returns:
        SQL text with one row a `partition_key`, the number of new `events` for it and how many of
        them came too early or too late; the key is null where no prediction is known.
    """
    horizon = int(horizon_days * DAY_US)
    return f"""
WITH fresh AS (
  SELECT e.prediction_id, e.received_time FROM {events} AS e
  LEFT JOIN {before} AS b ON b.{ident("event_id")} = e.{ident("event_id")}
  WHERE b.event_id IS NULL
)
SELECT p.partition_key, COUNT(*) AS events,
       SUM(CASE WHEN epoch_us(f.received_time) - epoch_us(p.event_time)
                     NOT BETWEEN -{LEAD_US} AND {horizon}
                THEN 1 ELSE 0 END) AS out_of_time
FROM fresh AS f LEFT JOIN {predictions} AS p ON p.prediction_id = f.prediction_id
GROUP BY p.partition_key
"""
