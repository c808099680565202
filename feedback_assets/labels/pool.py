"""Which rows of the feedback table may be trained on, which are held out, and why the rest may not.

The text is portable SQL (DuckDB and Spark) and every row gets exactly one outcome: `train`,
`holdout`, or the first reason in `REASONS` that speaks against it. So the counts always add up.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.sqltext import ident, instant, literal, number

REASONS = (
    "not yet received",
    "shadow prediction",
    "its day is not mature",
    "label rejected",
    "no label came",
    "label disputed",
    "segment without traffic",
    "equal features, other label",
    "duplicate row",
)
MAX_TWIN_SHARE = 0.05


def eligibility_sql(
    config: Config,
    relation: str,
    columns: Sequence[str],
    mature: Sequence[str],
    as_of: dt.datetime,
    max_twin_share: float = MAX_TWIN_SHARE,
    spent: Collection[str] = (),
) -> str:
    """SQL of the labeled pool: eligible feedback table rows and `split` (train or holdout).

    The newest `pool.holdout_days` of mature time are held out; no row is in both.

    Args:
        config: the loop's.
        relation: text for FROM: the feedback table.
        columns: the table's columns, `partition_key` included, in the wanted order.
        mature: keys of the mature partitions (`Maturity.partitions`).
        as_of: nothing received later is used.
        max_twin_share: rows with the features of another row are normal when their share is
            larger (few or coarse features); then equal features are no sign of a fault. Text is
            always compared.
        spent: keys of partitions whose rows have judged enough candidates (`holdout_start`).
    """
    names = ", ".join(ident(c) for c in columns)
    inner = _outcomes(config, relation, columns, mature, as_of, max_twin_share, spent)
    return f"""
{inner}
SELECT {names}, fa_outcome AS split FROM outcomes WHERE fa_outcome IN ('train', 'holdout')
""".strip()


def exclusion_sql(
    config: Config,
    relation: str,
    columns: Sequence[str],
    mature: Sequence[str],
    as_of: dt.datetime,
    max_twin_share: float = MAX_TWIN_SHARE,
    spent: Collection[str] = (),
) -> str:
    """SQL that counts every row of the feedback table once: columns `outcome` VARCHAR, `n` BIGINT.

    Outcomes are train, holdout and `REASONS`; arguments as of `eligibility_sql`.
    """
    inner = _outcomes(config, relation, columns, mature, as_of, max_twin_share, spent)
    return f"""
{inner}
SELECT fa_outcome AS outcome, COUNT(*) AS n FROM outcomes GROUP BY fa_outcome
""".strip()


def holdout_start(
    config: Config, mature: Sequence[str], spent: Collection[str] = ()
) -> dt.datetime | None:
    """First moment of the held-out slice; None before any partition is mature.

    Rows that have judged enough candidates go to training, and with them what is older; as long as
    nothing newer could judge, they stay held out (and judge no more).
    """
    if not mature:
        return None
    grain, last = config.partitions.grain, max(mature)
    usual = partition_end(grain, last) - dt.timedelta(days=config.pool.holdout_days)
    told_all = max((key for key in mature if key in spent), default=None)
    if told_all is None or told_all == last:
        return usual
    return max(usual, partition_end(grain, told_all))


def training_sql(config: Config, relation: str) -> str:
    """SQL of the rows a candidate trains on: the pool's train rows, windowed and sampled.

    `model.window_days` counts back from the newest train row; of more than `model.max_rows` rows
    those with the smallest hash of seed and id are taken: the same rows whatever their order.

    Args:
        config: the loop's.
        relation: text for FROM: the labeled pool.
    """
    window = ""
    if config.model.window_days is not None:
        newest = f"(SELECT MAX(event_time) FROM {relation} AS newest WHERE split = 'train')"
        window = f"AND event_time > {newest} - INTERVAL {config.model.window_days} DAY"
    drawn = f"MD5(CONCAT({literal(f'{config.model.seed}:')}, prediction_id)), prediction_id"
    return f"""
SELECT * FROM {relation} AS pool WHERE split = 'train' {window}
ORDER BY {drawn} LIMIT {config.model.max_rows}
""".strip()


def holdout_sql(relation: str) -> str:
    """SQL of the pool's held-out rows, in the order of their ids."""
    return f"SELECT * FROM {relation} AS pool WHERE split = 'holdout' ORDER BY prediction_id"


def fingerprint(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's canonical JSON: equal for equal rows, however they came about.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _outcomes(
    config: Config,
    relation: str,
    columns: Sequence[str],
    mature: Sequence[str],
    as_of: dt.datetime,
    max_twin_share: float,
    spent: Collection[str],
) -> str:
    """Common table expressions up to `outcomes`: every row with its `fa_outcome`."""
    names = ", ".join(f"feedback.{ident(c)}" for c in columns)
    stale_joins, stale = _segments(config, relation, as_of)
    reason = _first_reason(config, mature, as_of, stale)
    start = holdout_start(config, mature, spent)
    split = (
        f"CASE WHEN event_time >= {instant(start)} THEN 'holdout' ELSE 'train' END"
        if start
        else "'train'"
    )
    twin_limit = f"{number(max_twin_share)} * (SELECT COUNT(*) FROM judged WHERE fa_reason IS NULL)"
    always = "COUNT(*) >= 0"
    applies = always if config.columns.text else f"COALESCE(SUM(members), 0) <= {twin_limit}"
    other_label = "FALSE" if config.label.kind == "regression" else "twins.labels > 1"
    return f"""
WITH judged AS (
  SELECT {names}, {_features_key(config)} AS fa_features, {reason} AS fa_reason
  FROM {relation} AS feedback{stale_joins}
),
twins AS (
  SELECT fa_features AS twin, COUNT(*) AS members, COUNT(DISTINCT label) AS labels
  FROM judged WHERE fa_reason IS NULL GROUP BY fa_features HAVING COUNT(*) > 1
),
telling AS (SELECT {applies} AS applies FROM twins),
firsts AS (
  SELECT twins.twin AS first_twin, label AS first_label, event_time AS first_time,
    MIN(prediction_id) AS first_id
  FROM judged JOIN twins ON judged.fa_features = twins.twin
  WHERE fa_reason IS NULL GROUP BY twins.twin, label, event_time
),
outcomes AS (
  SELECT judged.*, CASE
    WHEN fa_reason IS NOT NULL THEN fa_reason
    WHEN telling.applies AND {other_label} THEN 'equal features, other label'
    WHEN telling.applies AND prediction_id > firsts.first_id THEN 'duplicate row'
    ELSE {split} END AS fa_outcome
  FROM judged CROSS JOIN telling
  LEFT JOIN twins ON judged.fa_features = twins.twin
  LEFT JOIN firsts ON judged.fa_features = firsts.first_twin
    AND judged.label = firsts.first_label AND judged.event_time = firsts.first_time
)
""".strip()


def _first_reason(config: Config, mature: Sequence[str], as_of: dt.datetime, stale: str) -> str:
    """CASE that gives the first reason of a row alone, or null."""
    now = instant(as_of)
    keys = ", ".join(literal(k) for k in mature) or "''"
    disputed = "COALESCE(label_conflict, FALSE)" if config.pool.drop_conflicts else "FALSE"
    return f"""CASE
    WHEN received_time > {now} THEN 'not yet received'
    WHEN role = 'shadow' THEN 'shadow prediction'
    WHEN feedback.partition_key NOT IN ({keys}) THEN 'its day is not mature'
    WHEN label_status = 'rejected' THEN 'label rejected'
    WHEN label_status <> 'accepted' OR label IS NULL OR label_received_time IS NULL
      OR label_received_time > {now} THEN 'no label came'
    WHEN {disputed} THEN 'label disputed'
    WHEN {stale} THEN 'segment without traffic' END"""


def _segments(config: Config, relation: str, as_of: dt.datetime) -> tuple[str, str]:
    """Joins that give each segment's newest traffic, and the condition that it is too old.

    Age is counted from the loop's newest prediction: an old history is judged by its own time.
    """
    days = config.pool.relevance_days
    if not days or not config.columns.segments:
        return "", "FALSE"
    seen = f"FROM {relation} AS traffic WHERE received_time <= {instant(as_of)}"
    joins, stale = [], []
    for i, segment in enumerate(config.columns.segments):
        column = ident(segment)
        joins.append(f"""
  LEFT JOIN (
    SELECT {column} AS value_{i}, MAX(event_time) AS newest_{i} {seen} GROUP BY {column}
  ) AS segment_{i} ON feedback.{column} = segment_{i}.value_{i}""")
        stale.append(f"newest_{i} < newest_prediction - INTERVAL {days} DAY")
    joins.append(f"\n  CROSS JOIN (SELECT MAX(event_time) AS newest_prediction {seen}) AS newest")
    return "".join(joins), "(" + " OR ".join(stale) + ")"


def _features_key(config: Config) -> str:
    """Hash of all declared features; the length before each value keeps neighbours apart."""
    parts = []
    for name in config.columns.features:
        text = f"CAST(feedback.{ident(name)} AS STRING)"
        parts.append(f"COALESCE(CONCAT(LENGTH({text}), ':', {text}), '-')")
    return f"MD5(CONCAT_WS(',', {', '.join(parts)}))"
