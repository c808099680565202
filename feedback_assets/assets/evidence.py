"""What the retrain policy decides by, read from the ledger, the tables and the assets' events."""

import datetime as dt
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster import DagsterEventType
from dagster._core.storage.tags import RUN_KEY_TAG

from feedback_assets.assets.answers import LEARNED_DAYS
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion, versions
from feedback_assets.assets.space import RETRAIN_TAG, LoopSpace
from feedback_assets.config.grain import partition_end, partition_key_of
from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import delay_counts_sql, maturity
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.usable import coming
from feedback_assets.policy.evidence import Coming, DriftDay, Evidence, Measured, PerformanceDay
from feedback_assets.promotion.decisions import Decision
from feedback_assets.sqltext import instant
from feedback_assets.tables.connection import connect

DAYS_READ = 60
"""Partitions looked back at; a drift or a loss of longer ago says little of today."""
RUNS_READ = 20
SECONDS_PER_DAY = 86_400.0
IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
Metadata = Mapping[str, Any]


def gather(space: LoopSpace, instance: dg.DagsterInstance, now: dt.datetime) -> Evidence:
    """Everything that the loop's trigger policy asks for, as of `now`; nothing else is read."""
    asked = {leaf.kind for leaf in space.config.trigger.when.leaves()}
    trained = versions(space)
    last = trained[-1] if trained else None
    retrained, promoted = decisions(space, "retrain"), decisions(space, "promote")
    since = retrained[-1].time if retrained else None
    drift: list[DriftDay] = []
    if promoted and asked & {"drift", "coverage"}:
        drift = drift_days(space, instance, since, promoted[-1].version)
    performance: list[PerformanceDay] = []
    if promoted and asked & {"estimated_loss", "realised_loss", "sla_streak"}:
        fresh = max(since or LONG_AGO, promoted[-1].time)
        performance = performance_days(space, instance, fresh)
    return Evidence(
        now=now,
        new_labels=labels_since(space, last.as_of if last else None),
        last_version=last.version if last else None,
        days_since_retrain=_days(present(space, now, since) - since) if since else None,
        retrains=[decision.time for decision in retrained],
        in_flight=instance.get_runs_count(
            dg.RunsFilter(tags={RETRAIN_TAG: space.name}, statuses=IN_PROGRESS)
        ),
        drift=drift,
        performance=performance,
        coverage=coverage(space, drift) if "coverage" in asked else None,
        fired=fired_by(retrained[-1]) if retrained else {},
        promoted_since=bool(retrained and promoted) and _newer(promoted[-1], retrained[-1]),
        asked=asked_for(space, instance),
        coming=labels_coming(space, last, now) if space.config.trigger.wait and last else (),
    )


def run_key(space: LoopSpace, key: str) -> str:
    """The key of a run that a decision of the policy asks for."""
    return f"{space.name}:retrain:{key}"


def asked_for(space: LoopSpace, instance: dg.DagsterInstance) -> frozenset[str]:
    """The keys of the newest retrains that were started, whatever became of them."""
    runs = instance.get_runs(dg.RunsFilter(tags={RETRAIN_TAG: space.name}), limit=RUNS_READ)
    keys = (run.tags.get(RUN_KEY_TAG, "") for run in runs)
    return frozenset(key.removeprefix(run_key(space, "")) for key in keys)


def drift_days(
    space: LoopSpace,
    instance: dg.DagsterInstance,
    since: dt.datetime | None,
    champion: str | None,
) -> list[DriftDay]:
    """Verdicts against the champion's own reference, of days that no retrain has answered yet."""
    return [
        DriftDay(
            partition=partition,
            columns=int(told.get("drifted_columns", 0)) if told["verdict"] == "drift" else 0,
            weight=_number(told.get("drift_weight")),
            digest=str(told.get("digest", "")),
            reason=str(told.get("reason", "")),
        )
        for partition, told in _newest_events(space, instance, "drift_report", since or LONG_AGO)
        if str(told.get("reference")) == champion
        and told.get("verdict", "insufficient") != "insufficient"
    ]


def performance_days(
    space: LoopSpace, instance: dg.DagsterInstance, since: dt.datetime
) -> list[PerformanceDay]:
    """What the days after `since` say of the metrics that the loop's trigger and gate look at."""
    names = metrics_read(space.config)
    return [
        PerformanceDay(
            partition=partition,
            estimated=dict(_measured(told, "estimated", names)),
            realised=dict(_measured(told, "realised", names)),
            expected={
                name: value
                for name in names
                if (value := _number(told.get(f"expected_{name}"))) is not None
            },
            sla_streak=_whole(told.get("sla_streak")),
        )
        for partition, told in _newest_events(space, instance, "performance_report", since)
    ]


def metrics_read(config: Config) -> list[str]:
    """The metrics that a loss condition may ask for."""
    losses = [
        loss
        for leaf in config.trigger.when.leaves()
        for loss in (leaf.estimated_loss, leaf.realised_loss)
        if loss
    ]
    return sorted({loss.metric or config.metric for loss in losses})


def present(space: LoopSpace, now: dt.datetime, retrained: dt.datetime) -> dt.datetime:
    """The moment up to which days since the last retrain are counted.

    It is now, unless the sources have been silent for longer than any label takes and the loop has
    not decided since: a replayed past, or a feed that stopped. The time that has passed without the
    loop is then no reason to train; what is received next is.
    """
    snapshot = space.table("feedback_table").snapshot()
    if snapshot.version < 0:
        return now
    with connect(space.settings) as con:
        row = con.execute(
            f"SELECT GREATEST(MAX(received_time), MAX(label_received_time)) FROM {snapshot.relation()}"
        ).fetchone()
    newest = row[0] if row else None
    patience = space.horizon + dt.timedelta(hours=space.config.contract.freshness_hours)
    if newest is None or not retrained < newest < now - patience:
        return now
    grain = space.config.partitions.grain
    return partition_end(grain, partition_key_of(grain, newest))


def labels_since(space: LoopSpace, moment: dt.datetime | None) -> int:
    """Accepted labels received after `moment`; all of them when it is None."""
    snapshot = space.table("feedback_table").snapshot()
    if snapshot.version < 0:
        return 0
    after = f"AND label_received_time > {instant(moment)}" if moment else ""
    with connect(space.settings) as con:
        row = con.execute(
            f"SELECT COUNT(*) FROM {snapshot.relation()} WHERE label_status = 'accepted' {after}"
        ).fetchone()
    return int(row[0]) if row else 0


def labels_coming(space: LoopSpace, last: ModelVersion, now: dt.datetime) -> tuple[Coming, ...]:
    """New labels that a training could use now and in the next days, of rows that are there."""
    config, wait = space.config, space.config.trigger.wait
    snapshot = space.table("feedback_table").snapshot()
    filled = [key for key, info in snapshot.partitions().items() if info.rows][-LEARNED_DAYS:]
    if wait is None or not filled:
        return ()
    with connect(space.settings) as con:
        counts = con.execute(delay_counts_sql(config, snapshot.relation(filled), now)).df()
    if counts.empty:
        return ()
    standing = maturity(counts, config, now)
    trained = last.manifest["pool"]["partitions"]
    return coming(standing, group_curves(counts, config, now), config, trained, wait.max_days)


def coverage(space: LoopSpace, drift: Sequence[DriftDay]) -> float | None:
    """Share of the drifted days' rows that have an accepted label now; None without such rows."""
    snapshot = space.table("feedback_table").snapshot()
    filled = snapshot.partitions() if snapshot.version >= 0 else {}
    days = [day.partition for day in drift if day.columns and day.partition in filled]
    if not days:
        return None
    with connect(space.settings) as con:
        row = con.execute(
            "SELECT AVG(CASE WHEN label_status = 'accepted' THEN 1.0 ELSE 0.0 END) "
            f"FROM {snapshot.relation(days, ['label_status'])}"
        ).fetchone()
    return _number(row[0]) if row else None


def fired_by(retrained: Decision) -> dict[str, float]:
    """The conditions that caused a retrain with their levels; none of one started by hand."""
    try:
        fired = json.loads(str(retrained.evidence.get("told") or "{}")).get("fired", {})
        return {str(name): float(level) for name, level in fired.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _newest_events(
    space: LoopSpace, instance: dg.DagsterInstance, asset: str, since: dt.datetime
) -> Iterator[tuple[str, Metadata]]:
    """The newest materialization of each partition that ends after `since`, oldest partition first."""
    key, grain = space.key(asset), space.config.partitions.grain

    def ends_later(partition: str) -> bool:
        try:
            return partition_end(grain, partition) > since
        except ValueError:  # a key of the time before the grain was changed
            return False

    newest = instance.get_latest_storage_id_by_partition(
        key, DagsterEventType.ASSET_MATERIALIZATION
    )
    wanted = sorted(partition for partition in newest if ends_later(partition))[-DAYS_READ:]
    if not wanted:
        return
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, storage_ids=[newest[each] for each in wanted]),
        limit=len(wanted),
    ).records
    told = {record.partition_key: record.asset_materialization for record in records}
    for partition in wanted:
        event = told.get(partition)
        if event is not None:
            yield partition, {name: entry.value for name, entry in event.metadata.items()}


def _measured(told: Metadata, way: str, metrics: Iterable[str]) -> Iterator[tuple[str, Measured]]:
    """Metrics with their intervals, stretched over what is expected once all labels are there.

    Labels that come early are no fair sample: what they alone seem to prove is not beyond doubt.
    """
    for metric in metrics:
        name = f"{way}_{metric}"
        ends = [_number(told.get(f"{name}{end}")) for end in ("", "_low", "_high")]
        value, low, high = (math.nan if end is None else end for end in ends)
        later = [_number(told.get(f"{name}_{end}")) for end in ("low_mature", "high_mature")]
        if later[0] is not None and later[1] is not None:
            low, high = min(low, later[0]), max(high, later[1])
        if not math.isnan(value):
            yield metric, Measured(value, low, high)


def _number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _days(span: dt.timedelta) -> float:
    return span.total_seconds() / SECONDS_PER_DAY


def _newer(promoted: Decision, retrained: Decision) -> bool:
    """Whether the promotion is of the version that the retrain made, or of a later one."""
    return int(promoted.version or 0) >= int(retrained.version or 0)
