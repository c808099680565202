"""What the model was asked and what it answered, every row of it, by day."""

import dagster as dg
import duckdb

from feedback_assets.assets.intake import intake
from feedback_assets.assets.materialize import (
    Metadata,
    intake_metadata,
    newest_filled,
    partitioned_result,
    source_details,
)
from feedback_assets.assets.space import LoopSpace, micros
from feedback_assets.capture.files import FileSource
from feedback_assets.capture.predictions import stage_predictions
from feedback_assets.clock import Clock
from feedback_assets.reports.plots import markdown_image, volume_by_hour
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

PLOTTED_ROWS = 100_000

DESCRIPTION = """Every prediction of the day, validated: {description}

Rows that break the contract are in `{name}.prediction_log_quarantine` with their reason;
received = stored + quarantined."""


def prediction_log(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, prediction_log]`, partitioned by prediction time."""

    @dg.asset(
        deps=space.imports,
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        **space.attributes(
            "prediction_log",
            DESCRIPTION.format(description=space.config.description, name=space.name),
            {"deltalake", "duckdb"},
        ),
    )
    def _prediction_log(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        as_of, keys = clock.now(), list(context.partition_keys)
        source = FileSource(space.config.source.predictions, space.settings)
        with (
            connect(space.settings) as con,
            intake(space, "prediction_log", keys) as opened,
        ):
            staged = opened.stage(con, stage_predictions, source.own(), as_of)
            cause = space.cause(context, {"as_of": micros(as_of)}, **source_details(staged))
            space.table("prediction_log_quarantine").replace(
                con, "SELECT * FROM staged_bad", keys, cause
            )
            snapshot = space.table("prediction_log").replace(
                con, "SELECT * FROM staged_good", keys, cause
            )
            opened.taken(staged.with_future)
            return partitioned_result(
                context, space, snapshot, con, intake_metadata(staged), volume(con, snapshot, keys)
            )

    return _prediction_log


def volume(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, keys: list[str]) -> Metadata:
    """A plot of when the newest partition's predictions were made."""
    shown = newest_filled(snapshot, keys)
    relation = snapshot.relation(shown, ["event_time"])
    one_of = sum(snapshot.partitions()[key].rows for key in shown) // PLOTTED_ROWS + 1
    times = con.execute(
        f"SELECT event_time FROM {relation} WHERE hash(event_time) % {one_of} = 0"
    ).df()
    png = volume_by_hour(times["event_time"], f"{shown[0]}: predictions by hour")
    return {"volume": dg.MetadataValue.md(markdown_image(png, "predictions by hour"))}
