"""Labels, corrections, ratings and rejections as they were received, each event once."""

import json
from collections.abc import Sequence

import dagster as dg
import duckdb

from feedback_assets.assets.intake import intake
from feedback_assets.assets.materialize import (
    Metadata,
    intake_metadata,
    partitioned_result,
    source_details,
)
from feedback_assets.assets.space import LoopSpace, micros
from feedback_assets.capture.feedback import stage_feedback
from feedback_assets.capture.files import FileSource
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_key_of, partition_start
from feedback_assets.labels.join import affected_partitions_sql
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """Every feedback event of the day on which it was received, deduplicated by event id.

Refused events are in `{name}.feedback_events_quarantine` with their reason. Each materialization
says which prediction days its new events are about; the late_feedback sensor brings those up to
date."""
NO_EVENTS = "(SELECT '' AS event_id WHERE FALSE)"
NO_PREDICTIONS = (
    "(SELECT '' AS prediction_id, '' AS partition_key,"
    " TIMESTAMPTZ '1970-01-01 00:00:00+00' AS event_time WHERE FALSE)"
)


def feedback_events(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, feedback_events]`, partitioned by received time."""

    @dg.asset(
        deps=space.imports,
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        **space.attributes(
            "feedback_events", DESCRIPTION.format(name=space.name), {"deltalake", "duckdb"}
        ),
    )
    def _feedback_events(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        as_of, keys = clock.now(), list(context.partition_keys)
        source = FileSource(space.config.source.feedback, space.settings)
        table = space.table("feedback_events")
        with (
            connect(space.settings) as con,
            intake(space, "feedback_events", keys) as opened,
        ):
            staged = opened.stage(con, stage_feedback, source.own(), as_of)
            cause = space.cause(context, {"as_of": micros(as_of)}, **source_details(staged))
            space.table("feedback_events_quarantine").replace(
                con, "SELECT * FROM staged_bad", keys, cause
            )
            snapshot = table.replace(con, "SELECT * FROM staged_good", keys, cause)
            opened.taken(staged.with_future)
            before = told_before(space, context.instance, keys)
            concerned = affected(space, con, snapshot, before, keys)
            return partitioned_result(
                context, space, snapshot, con, intake_metadata(staged), concerned
            )

    return _feedback_events


def affected(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    after: Snapshot,
    before: str,
    keys: Sequence[str],
) -> Metadata:
    """Prediction days that the run's new events are about, and events that are about none.

    Args:
        space: The loop.
        con: A connection.
        after: The events as they are now.
        before: Relation of the events that were told before.
        keys: The run's partitions.
    """
    horizon = space.config.label.max_delay_days
    predictions = space.table("prediction_log").snapshot()
    query = affected_partitions_sql(
        after.relation(keys),
        before,
        recent_predictions(space, predictions, keys),
        horizon,
    )
    found = {key: (events, late) for key, events, late in con.execute(query).fetchall()}
    unknown, _ = found.pop(None, (0, 0))
    late = sum(int(late or 0) for _, late in found.values())
    concerned = sorted(key for key, (events, late) in found.items() if events > int(late or 0))
    return {
        "affected_partitions": json.dumps(concerned),
        "new_events": int(unknown) + sum(int(events) for events, _ in found.values()),
        "unknown_predictions": int(unknown),
        "beyond_horizon": late,
    }


def told_before(space: LoopSpace, instance: dg.DagsterInstance, keys: Sequence[str]) -> str:
    """The events that earlier materializations of these partitions have told of, as a relation.

    The table's last version would not do: a run that is killed after its commit and before its
    event has told nobody.
    """
    asset = space.key("feedback_events")
    newest = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, set(keys)
    )
    if not newest:
        return NO_EVENTS
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(newest.values())),
        limit=len(newest),
    ).records
    by_version: dict[int, list[str]] = {}
    for record in records:
        event = record.asset_materialization
        if event and event.partition and "table_version" in event.metadata:
            version = int(str(event.metadata["table_version"].value))
            by_version.setdefault(version, []).append(event.partition)
    table = space.table("feedback_events")
    known = [
        f"SELECT event_id FROM {table.snapshot(version).relation(partitions, ['event_id'])}"
        for version, partitions in by_version.items()
    ]
    return f"({' UNION ALL '.join(known)})" if known else NO_EVENTS


def recent_predictions(space: LoopSpace, predictions: Snapshot, keys: Sequence[str]) -> str:
    """The predictions that feedback received in these partitions can be about, as a relation.

    Later ones too: the feedback of a prediction may be in before the prediction itself.
    """
    if predictions.version < 0:
        return NO_PREDICTIONS
    grain = space.config.partitions.grain
    first = partition_start(grain, min(keys)) - space.horizon
    oldest = partition_key_of(grain, first)
    wanted = [key for key in predictions.partitions() if key >= oldest]
    return predictions.relation(wanted, ["prediction_id", "partition_key", "event_time"])
