"""The outcome of every row: common table expressions that pool, counts and findings share."""

import datetime as dt
from collections.abc import Collection, Sequence

from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.labels.judges import may_judge_sql
from feedback_assets.labels.refusals import Limit, Refusals
from feedback_assets.sqltext import ident, instant, literal, literals, number

NOT_JUDGING = "may not judge"
OVER_CAP = "principal over the cap"
OVER_AUTOMATIC = "too many automatic labels"
OVER_CLASS = "class over its share"
OVER_SEGMENT = "segment over its share"
REASONS = (
    "not yet received",
    "shadow prediction",
    "its day is not mature",
    "label rejected",
    "no label came",
    "label disputed",
    "label the file does not know",
    "no feature is known",
    "no known chance of its label",
    "not trusted",
    "principal quarantined",
    "fails the poisoning check",
    "segment without traffic",
    NOT_JUDGING,
    "equal features, other label",
    "duplicate row",
    OVER_CAP,
    OVER_AUTOMATIC,
    OVER_CLASS,
    OVER_SEGMENT,
)
MAX_TWIN_SHARE = 0.05


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


def outcomes_sql(
    config: Config,
    relation: str,
    columns: Sequence[str],
    mature: Sequence[str],
    as_of: dt.datetime,
    max_twin_share: float,
    spent: Collection[str],
    refusals: Refusals,
    weight: str,
) -> str:
    """Common table expressions up to `outcomes`: every row with `fa_outcome` and `fa_weight`.

    Of rows with equal features none decides over a held-out row whose label may not judge itself:
    what strangers, strategies or the model say never takes a row out of the hold-out.

    Arguments are the attributes of `Sifting`.
    """
    names = ", ".join(f"feedback.{ident(c)}" for c in columns)
    stale_joins, stale = _segments(config, relation, as_of)
    reason = _first_reason(config, mature, as_of, stale, refusals)
    split = _split(config, mature, spent, refusals)
    applies, fairly = (_applies(config, max_twin_share, fair) for fair in (False, True))
    differ = config.label.kind != "regression"
    other, other_fair = ("twins.labels > 1", "twins.fair_labels > 1") if differ else ("FALSE",) * 2
    last, limited = _limited(columns, refusals.limits)
    return f"""
WITH judged AS (
  SELECT {names}, {_features_key(config)} AS fa_features, {weight} AS fa_weight,
    {reason} AS fa_reason
  FROM {relation} AS feedback{stale_joins}
),
parted AS (
  SELECT judged.*, COALESCE(fa_reason, {split}) AS fa_split, {may_judge_sql(config, "judged")} AS fa_fair
  FROM judged
),
compared AS (SELECT * FROM parted WHERE fa_split IN ('train', 'holdout')),
twins AS (
  SELECT fa_features AS twin, COUNT(*) AS members, COUNT(DISTINCT label) AS labels,
    SUM(CASE WHEN fa_fair THEN 1 ELSE 0 END) AS fair_members,
    COUNT(DISTINCT CASE WHEN fa_fair THEN label END) AS fair_labels
  FROM compared GROUP BY fa_features HAVING COUNT(*) > 1
),
telling AS (SELECT {applies} AS applies, {fairly} AS applies_fairly FROM twins),
firsts AS (
  SELECT twins.twin AS first_twin, label AS first_label, event_time AS first_time,
    COALESCE(MIN(CASE WHEN fa_fair THEN prediction_id END), MIN(prediction_id)) AS first_id
  FROM compared JOIN twins ON compared.fa_features = twins.twin
  GROUP BY twins.twin, label, event_time
),
placed AS (
  SELECT parted.*, CASE
    WHEN fa_split NOT IN ('train', 'holdout') THEN fa_split
    WHEN fa_split = 'train' AND NOT telling.applies THEN fa_split
    WHEN fa_split = 'holdout' AND NOT telling.applies_fairly THEN fa_split
    WHEN CASE WHEN fa_split = 'train' THEN {other} ELSE {other_fair} END
    THEN 'equal features, other label'
    WHEN prediction_id <> firsts.first_id THEN 'duplicate row'
    ELSE fa_split END AS fa_outcome
  FROM parted CROSS JOIN telling
  LEFT JOIN twins ON parted.fa_features = twins.twin
  LEFT JOIN firsts ON parted.fa_features = firsts.first_twin
    AND parted.label = firsts.first_label AND parted.event_time = firsts.first_time
),{limited}
outcomes AS (SELECT * FROM {last})
""".strip()


def _applies(config: Config, max_twin_share: float, fair: bool) -> str:
    """Whether equal features are a sign of a fault: of all rows, or of those that may judge."""
    if config.columns.text:
        return "COUNT(*) >= 0"
    members = "CASE WHEN fair_members > 1 THEN fair_members ELSE 0 END" if fair else "members"
    rows = "compared WHERE fa_fair" if fair else "compared"
    return (
        f"COALESCE(SUM({members}), 0) <= {number(max_twin_share)} * (SELECT COUNT(*) FROM {rows})"
    )


def _limited(columns: Sequence[str], limits: Sequence[Limit]) -> tuple[str, str]:
    """The last expression, and those that take out what is beyond each limit in turn."""
    names = ", ".join(ident(c) for c in columns)
    before, text = "placed", ""
    for i, limit in enumerate(limits):
        text += f"""
limited_{i} AS (
  SELECT {names}, fa_features, fa_weight, CASE
    WHEN fa_outcome = 'train' AND fa_group IS NOT NULL AND fa_place > {limit.most}
    THEN {literal(limit.reason)} ELSE fa_outcome END AS fa_outcome
  FROM (
    SELECT {before}.*, {limit.group} AS fa_group, ROW_NUMBER() OVER (
      PARTITION BY fa_outcome, {limit.group} ORDER BY MD5(prediction_id), prediction_id
    ) AS fa_place FROM {before}
  ) AS ranked_{i}
),"""
        before = f"limited_{i}"
    return before, text


def _split(
    config: Config, mature: Sequence[str], spent: Collection[str], refusals: Refusals
) -> str:
    """CASE that tells train from holdout, and what of the held-out time may not judge."""
    start = holdout_start(config, mature, spent)
    young = f"partition_key IN ({literals(refusals.immature)})" if refusals.immature else ""
    early = f"WHEN {young} THEN 'train' " if young else ""
    if start is None:
        return "'train'"
    return (
        f"CASE {early}WHEN event_time < {instant(start)} THEN 'train' "
        f"WHEN {may_judge_sql(config, 'judged')} THEN 'holdout' ELSE {literal(NOT_JUDGING)} END"
    )


def _first_reason(
    config: Config, mature: Sequence[str], as_of: dt.datetime, stale: str, refusals: Refusals
) -> str:
    """CASE that gives the first reason of a row alone, or null."""
    now = instant(as_of)
    keys = ", ".join(literal(k) for k in mature) or "''"
    disputed = "COALESCE(label_conflict, FALSE)" if config.pool.drop_conflicts else "FALSE"
    ripe = f"feedback.partition_key IN ({keys})"
    if refusals.immature:
        young = f"feedback.partition_key IN ({literals(refusals.immature)})"
        ripe = f"({ripe} OR ({young} AND ({refusals.immature_counts})))"
    return f"""CASE
    WHEN received_time > {now} THEN 'not yet received'
    WHEN role = 'shadow' THEN 'shadow prediction'
    WHEN NOT {ripe} THEN 'its day is not mature'
    WHEN label_status = 'rejected' THEN 'label rejected'
    WHEN label_status <> 'accepted' OR label IS NULL OR label_received_time IS NULL
      OR label_received_time > {now} THEN 'no label came'
    WHEN {disputed} THEN 'label disputed'{_unfit(config)}{_refused(refusals)}
    WHEN {stale} THEN 'segment without traffic' END"""


def _unfit(config: Config) -> str:
    """WHENs of rows that teach nothing: a label or features that are none."""
    known = {
        "binary": "label IN (0, 1)",
        "multiclass": f"label IN ({literals(config.label.classes)})",
        "regression": "label = label AND ABS(label) < 1e300",
    }[config.label.kind]
    features = " AND ".join(f"feedback.{ident(c)} IS NULL" for c in config.features)
    return f"""
    WHEN NOT ({known}) THEN 'label the file does not know'
    WHEN {features} THEN 'no feature is known'"""


def _refused(refusals: Refusals) -> str:
    """WHENs of findings."""
    text = ""
    if refusals.unknown_chance:
        text += f"""
    WHEN {refusals.unknown_chance} THEN 'no known chance of its label'"""
    if refusals.untrusted:
        text += f"""
    WHEN {refusals.untrusted} THEN 'not trusted'"""
    if refusals.quarantined:
        names = literals(sorted(refusals.quarantined))
        text += f"""
    WHEN COALESCE(feedback.label_principal IN ({names}), FALSE) THEN 'principal quarantined'"""
    for batch in refusals.poisoned:
        text += f"""
    WHEN {batch.sql("feedback")} THEN 'fails the poisoning check'"""
    return text


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
