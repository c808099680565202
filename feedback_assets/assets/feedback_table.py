"""Predictions beside their truth: what is known now, what is still pending, what is disputed."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg
import duckdb

from feedback_assets.assets.contract import refuse_broken
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.space import LoopSpace, micros
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end, partition_key_of, partition_start
from feedback_assets.labels.join import LEAD, feedback_table_sql
from feedback_assets.labels.older import EVENT, with_columns
from feedback_assets.sqltext import literals
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """Every prediction with the latest accepted feedback known now: {kpi}

A prediction without feedback is *pending*, never negative; disputed labels are kept and marked.
Late feedback brings exactly the days that it concerns up to date."""


def feedback_window(space: LoopSpace, keys: Sequence[str]) -> tuple[dt.datetime, dt.datetime]:
    """The received times at which feedback on these prediction partitions may have come.

    What a partition becomes must not depend on which others are made with it, so both ends are
    those of the join.
    """
    grain = space.config.partitions.grain
    first, last = partition_start(grain, min(keys)), partition_end(grain, max(keys))
    return first - LEAD, last + space.horizon


def feedback_relation(space: LoopSpace, events: Snapshot, keys: Sequence[str]) -> str:
    """The feedback events that may concern these prediction partitions, as a relation."""
    grain = space.config.partitions.grain
    first, last = (partition_key_of(grain, moment) for moment in feedback_window(space, keys))
    return events.relation([key for key in events.partitions() if first <= key <= last])


def feedback_table(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, feedback_table]`, partitioned by prediction time."""
    # Feedback is told to the days it concerns by the late_feedback sensor, not by this condition:
    # a new day of events touches the whole label horizon and changes only some of it.
    upstream = dg.AutomationCondition.any_deps_updated().ignore(
        dg.AssetSelection.assets(space.key("feedback_events"))
    )
    condition = (
        upstream.since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )
    horizon = 1 + max(1, round(space.config.label.max_delay_days))

    @dg.asset(
        deps=[
            space.key("prediction_log"),
            dg.AssetDep(
                space.key("feedback_events"),
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=0,
                    end_offset=_partitions_in(space, horizon),
                    allow_nonexistent_upstream_partitions=True,
                ),
            ),
        ],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=condition,
        **space.attributes(
            "feedback_table",
            DESCRIPTION.format(kpi=space.config.kpi.name),
            {"deltalake", "duckdb"},
        ),
    )
    def _feedback_table(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        as_of, keys = clock.now(), list(context.partition_keys)
        predictions = space.table("prediction_log").snapshot()
        events = space.table("feedback_events").snapshot()
        refuse_broken(space, keys, predictions)
        with connect(space.settings) as con:
            query = feedback_table_sql(
                space.config,
                predictions.relation(keys),
                events_or_none(space, events, keys),
                as_of,
            )
            snapshot = space.table("feedback_table").replace(
                con,
                query,
                keys,
                space.cause(
                    context,
                    {"prediction_log": predictions.version, "feedback_events": events.version},
                    as_of=as_of.isoformat(),
                ),
            )
            by_partition = label_figures(con, snapshot, keys)
            return partitioned_result(
                context,
                space,
                snapshot,
                con,
                by_partition,
                {"as_of": as_of.isoformat(), "as_of_micros": micros(as_of)},
            )

    return _feedback_table


def _partitions_in(space: LoopSpace, days: int) -> int:
    match space.config.partitions.grain:
        case "hourly":
            return days * 24
        case "weekly":
            return days // 7 + 1
        case _:
            return days


def events_or_none(space: LoopSpace, events: Snapshot, keys: Sequence[str]) -> str:
    """The events as a relation; an empty one before the first feedback has arrived."""
    if events.version >= 0:
        return with_columns(feedback_relation(space, events, keys), events.columns(), EVENT)
    return (
        "(SELECT '' AS prediction_id, '' AS event_id, '' AS kind, '' AS value, '' AS source,"
        " '' AS principal, 1e0 AS confidence,"
        " TIMESTAMPTZ '1970-01-01' AS event_time, TIMESTAMPTZ '1970-01-01' AS received_time"
        " WHERE FALSE)"
    )


def label_figures(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, keys: Sequence[str]
) -> dict[str, Metadata]:
    """Per partition: labels accepted, pending, rejected, disputed, and the median delay."""
    rows = con.execute(
        f"""SELECT partition_key,
              COUNT(*) FILTER (label_status = 'accepted'), COUNT(*) FILTER (label_status = 'pending'),
              COUNT(*) FILTER (label_status = 'rejected'), COUNT(*) FILTER (label_conflict),
              MEDIAN(label_delay_days), COUNT(*)
            FROM {snapshot.relation(keys)}
            WHERE partition_key IN ({literals(keys)}) GROUP BY partition_key"""
    ).fetchall()
    figures: dict[str, Metadata] = {}
    for key, accepted, pending, rejected, disputed, delay, total in rows:
        figures[key] = {
            "labels_accepted": accepted,
            "labels_pending": pending,
            "labels_rejected": rejected,
            "labels_disputed": disputed,
            "label_share": accepted / total,
        }
        if delay is not None:
            figures[key]["median_delay_days"] = float(delay)
    return figures
