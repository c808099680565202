"""Whether to train a candidate now: drift, enough new labels, or the schedule."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion, champion, versions
from feedback_assets.assets.space import RETRAIN_TAG, LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end, partition_key_of
from feedback_assets.config.schema import Config
from feedback_assets.sensors.requests import caused_run
from feedback_assets.sqltext import instant
from feedback_assets.tables.connection import connect

EVENTS_PER_TICK = 1_000
BREACHES_KEPT = 50
SECONDS_PER_DAY = 86_400.0
IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Breach:
    """A day whose drift verdict crossed, as its materialization told it."""

    partition: str
    columns: int
    digest: str
    model_version: str
    reason: str


@dataclass(frozen=True)
class Situation:
    """All that the decision to train depends on."""

    new_labels: int
    last_version: int | None
    champion_version: int | None
    days_since_retrain: float | None
    breaches: Sequence[Breach]
    in_flight: int


@dataclass(frozen=True)
class Verdict:
    """Train, with cause and evidence; or wait, with the numbers that say why."""

    cause: str | None
    run_key: str
    reason: str


def decide(config: Config, now: Situation) -> Verdict:
    """Whether the evidence crosses the loop's trigger policy.

    The run key is made from the evidence, never from a date: the same evidence cannot train twice,
    and evidence that has grown by another quota of labels can, even after a failed run.
    """
    trigger = config.trigger
    quota = trigger.new_labels or config.pool.min_rows
    labels = f"{now.new_labels:,} of {quota:,} new labels"
    if now.in_flight:
        return _wait(f"a retrain is in flight; {labels}")
    if now.last_version is None:
        if now.new_labels >= quota:
            return Verdict("first model", f"first:{now.new_labels // quota}", labels)
        return _wait(f"no model yet; {labels}")
    since = now.days_since_retrain
    if since is not None and since < trigger.cooldown_days:
        left = trigger.cooldown_days - since
        return _wait(f"cooldown for another {left:.1f} of {trigger.cooldown_days:g} days; {labels}")
    if now.new_labels < trigger.min_new_labels:
        few = f"{now.new_labels:,} of at least {trigger.min_new_labels:,} new labels"
        return _wait(f"{few}; {_drift_words(config, now)}")
    crossed = [b for b in now.breaches if b.columns >= trigger.drift_columns]
    if trigger.on_drift and crossed:
        newest = crossed[-1]
        reason = f"{newest.partition}: {newest.reason}"
        return Verdict("drift", f"drift:{newest.partition}:{newest.digest}", reason)
    if trigger.new_labels is not None and now.new_labels >= trigger.new_labels:
        key = f"labels:{now.last_version}:{now.new_labels // trigger.new_labels}"
        return Verdict("new labels", key, labels)
    if trigger.every_days is not None and since is not None and since >= trigger.every_days:
        periods = int(since // trigger.every_days)
        reason = f"{since:.1f} days since the last retrain, one is due every {trigger.every_days:g}"
        return Verdict("schedule", f"schedule:{now.last_version}:{periods}", reason)
    return _wait(f"{_drift_words(config, now)}; {labels}")


def _wait(reason: str) -> Verdict:
    return Verdict(None, "", reason)


def _drift_words(config: Config, now: Situation) -> str:
    worst = max((b.columns for b in now.breaches), default=0)
    return f"{worst} of {config.trigger.drift_columns} drifted columns"


def retrain(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that starts the training of a candidate."""

    @dg.sensor(
        name=f"{space.name}_retrain",
        target=[space.key("labeled_pool"), space.key("candidate_model")],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Trains a candidate on drift, on enough new labels, or on schedule; "
        "after a cooldown, one at a time, once per cause.",
        tags={"feedback_assets/loop": space.name},
    )
    def _retrain(
        context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]
    ) -> dg.SensorResult:
        storage_id, pending = _read_cursor(context.cursor)
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=space.key("drift_report"), after_storage_id=storage_id),
            limit=EVENTS_PER_TICK,
            ascending=True,
        ).records
        if records:
            storage_id = records[-1].storage_id
        serving = champion(space)
        breaches = _still_valid(space, _breaches(pending, records), serving)
        verdict = decide(space.config, _situation(space, context.instance, clock, breaches))
        if verdict.cause is None:
            return dg.SensorResult(
                skip_reason=verdict.reason, cursor=_write_cursor(storage_id, breaches)
            )
        request = caused_run(
            space,
            ["labeled_pool", "candidate_model"],
            f"{space.name}:retrain:{verdict.run_key}",
            verdict.cause,
            {"reason": verdict.reason, "key": verdict.run_key},
            {RETRAIN_TAG: space.name},
        )
        return dg.SensorResult(run_requests=[request], cursor=_write_cursor(storage_id, []))

    return _retrain


def _situation(
    space: LoopSpace, instance: dg.DagsterInstance, clock: Clock, breaches: Sequence[Breach]
) -> Situation:
    trained = versions(space)
    last = trained[-1] if trained else None
    serving = champion(space)
    retrained = decisions(space, "retrain")
    age = (
        (present(space, clock.now(), retrained[-1].time) - retrained[-1].time).total_seconds()
        if retrained
        else None
    )
    in_flight = instance.get_runs_count(
        dg.RunsFilter(tags={RETRAIN_TAG: space.name}, statuses=IN_PROGRESS)
    )
    return Situation(
        new_labels=labels_since(space, last.as_of if last else None),
        last_version=last.version if last else None,
        champion_version=serving.version if serving else None,
        days_since_retrain=age / SECONDS_PER_DAY if age is not None else None,
        breaches=breaches,
        in_flight=in_flight,
    )


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


def _breaches(known: Sequence[Breach], records: Sequence[dg.EventLogRecord]) -> list[Breach]:
    """What is known of breaches after these materializations; a later verdict replaces a day's."""
    by_day = {breach.partition: breach for breach in known}
    for record in records:
        event = record.asset_materialization
        if event is None or "verdict" not in event.metadata or event.partition is None:
            continue
        value = {name: entry.value for name, entry in event.metadata.items()}
        by_day.pop(event.partition, None)
        if value["verdict"] == "drift":
            by_day[event.partition] = Breach(
                partition=event.partition,
                columns=int(str(value["drifted_columns"])),
                digest=str(value["digest"]),
                model_version=str(value["reference"]),
                reason=str(value["reason"]),
            )
    return [by_day[day] for day in sorted(by_day)]


def _still_valid(
    space: LoopSpace, breaches: Sequence[Breach], serving: ModelVersion | None
) -> list[Breach]:
    """Breaches against the champion's own reference, on days that no retrain has answered yet."""
    if serving is None:
        return []
    retrained = decisions(space, "retrain")
    grain = space.config.partitions.grain
    return [
        breach
        for breach in breaches
        if breach.model_version == str(serving.version)
        and (not retrained or partition_end(grain, breach.partition) > retrained[-1].time)
    ][-BREACHES_KEPT:]


def _read_cursor(cursor: str | None) -> tuple[int | None, list[Breach]]:
    if not cursor:
        return None, []
    state = json.loads(cursor)
    return state["storage_id"], [Breach(**breach) for breach in state["breaches"]]


def _write_cursor(storage_id: int | None, breaches: Sequence[Breach]) -> str:
    return json.dumps({"storage_id": storage_id, "breaches": [vars(breach) for breach in breaches]})
