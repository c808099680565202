"""What every materialization tells: digest, rows, schema, lineage, a look at the rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb

from feedback_assets.assets.columns import table_schema
from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.stage import Staged
from feedback_assets.tables.digest import combine
from feedback_assets.tables.table import Snapshot

PREVIEW_ROWS = 5
SHOWN_REASONS = 20
SHOWN_CHARACTERS = 200
Metadata = dict[str, Any]


def partitioned_result(
    context: dg.AssetExecutionContext,
    space: LoopSpace,
    snapshot: Snapshot,
    con: duckdb.DuckDBPyConnection,
    by_partition: Mapping[str, Metadata] | None = None,
    extra: Metadata | None = None,
) -> dg.MaterializeResult:
    """The result of a partitioned asset: each partition with its own digest and figures.

    A run over many partitions has one data version, the digest of their digests; what is said of
    one partition alone is attached to that partition's own event.
    """
    partitions = snapshot.partitions()
    keys = list(context.partition_keys)
    for key in keys:
        info = partitions[key]
        context.add_asset_metadata(
            {
                "digest": info.digest,
                "dagster/partition_row_count": info.rows,
                "rows": info.rows,
                **(by_partition or {}).get(key, {}),
            },
            partition_key=key,
        )
    asset = context.asset_key.path[-1]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(combine({key: partitions[key].digest for key in keys})),
        metadata={
            **table_metadata(space, snapshot, asset),
            "preview": preview(con, snapshot.relation(newest_filled(snapshot, keys))),
            **(extra or {}),
        },
    )


def newest_filled(snapshot: Snapshot, keys: Sequence[str]) -> list[str]:
    """The newest of these partitions that holds a row, to be shown; the newest if none does."""
    partitions = snapshot.partitions()
    return [key for key in keys if partitions[key].rows][-1:] or list(keys[-1:])


def table_metadata(space: LoopSpace, snapshot: Snapshot, asset: str) -> Metadata:
    """What is said of the table as a whole: rows, version, schema, lineage, how to read it."""
    columns = snapshot.columns()
    sql = f'feedback-assets sql "select * from {space.name}.{asset}" --as-of {snapshot.version}'
    return {
        "dagster/row_count": sum(info.rows for info in snapshot.partitions().values()),
        "dagster/column_schema": table_schema(space.config, asset, columns),
        "dagster/column_lineage": dg.TableColumnLineage(column_lineage(space, asset, columns)),
        "table_version": snapshot.version,
        "read_it": dg.MetadataValue.md(f"```sh\n{sql}\n```"),
    }


def intake_metadata(staged: Staged) -> dict[str, Metadata]:
    """What became of the received rows of each partition; received = stored + quarantined."""
    metadata: dict[str, Metadata] = {}
    for key, counts in staged.counts.items():
        metadata[key] = {
            "received": counts.received,
            "stored": counts.stored,
            "quarantined": counts.quarantined,
            "future": counts.future,
        }
        if counts.reasons:
            metadata[key]["reasons"] = dg.MetadataValue.table(
                [
                    dg.TableRecord({"reason": reason, "rows": rows})
                    for reason, rows in counts.reasons.items()
                ][:SHOWN_REASONS]
            )
    return metadata


def source_details(staged: Staged) -> dict[str, str]:
    """What a commit keeps of its source: fingerprints of the files, and their columns."""
    return {
        "files": " ".join(file.fingerprint for file in staged.files),
        "source_columns": json.dumps(staged.columns),
    }


def preview(con: duckdb.DuckDBPyConnection, relation: str) -> dg.TableMetadataValue:
    """The first rows of a relation as a table for people."""
    cursor = con.execute(f"SELECT * FROM {relation} LIMIT {PREVIEW_ROWS}")
    names = [column[0] for column in cursor.description or []]
    records = [
        dg.TableRecord({name: shown(value) for name, value in zip(names, row, strict=True)})
        for row in cursor.fetchall()
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
    return dg.MetadataValue.table(records=records, schema=schema)


def shown(value: object) -> str | int | float | bool:
    """A cell of a metadata table; a null is an empty text."""
    if isinstance(value, str):
        return value[:SHOWN_CHARACTERS]
    if isinstance(value, int | float):
        return value
    return "" if value is None else str(value)


def column_lineage(
    space: LoopSpace, asset: str, columns: Sequence[str] | Mapping[str, str]
) -> dict[str, list[dg.TableColumnDep]]:
    """Which upstream columns each column of an asset is made from."""
    upstream = {"labeled_pool": "feedback_table", "feedback_table": "prediction_log"}.get(asset)
    if upstream is None:
        return {}
    said = {
        "label": ["value", "kind", "received_time"],
        "label_status": ["kind", "received_time"],
        "label_event_time": ["event_time"],
        "label_received_time": ["received_time"],
        "label_delay_days": ["received_time"],
        "label_source": ["source"],
        "label_principal": ["principal"],
        "label_confidence": ["confidence"],
        "label_count": ["event_id"],
        "label_conflict": ["value"],
        "labels_seen": ["value"],
        "rating": ["value", "kind"],
    }
    lineage: dict[str, list[dg.TableColumnDep]] = {}
    for column in columns:
        if asset == "feedback_table" and column in said:
            key, sources = space.key("feedback_events"), said[column]
        elif column == "split":
            key, sources = space.key(upstream), ["event_time"]
        else:
            key, sources = space.key(upstream), [column]
        lineage[column] = [dg.TableColumnDep(key, source) for source in sources]
    return lineage
