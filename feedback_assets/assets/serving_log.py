"""How each request was answered: by whom, in which arm, how fast, and what a shadow would have said."""

import contextlib
from collections.abc import Sequence

import dagster as dg
import duckdb

from feedback_assets.assets.intake import kept_relation, pruned_through
from feedback_assets.assets.materialize import Metadata, newest_filled, partitioned_result, shown
from feedback_assets.assets.receipts import Receipts
from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.contract import class_score_names
from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import InboxReader, Stream
from feedback_assets.capture.readers import STREAM
from feedback_assets.capture.waiting import (
    bodies_sql,
    first_whole,
    inbox_stream,
    moment_sql,
    segment_sql,
    time_spans,
)
from feedback_assets.config.grain import partition_key_sql
from feedback_assets.config.schema import Config
from feedback_assets.errors import InboxError
from feedback_assets.sqltext import ident, literal
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """How `feedback-assets serve` answered, a row for each prediction and one for each
answer of a challenger in shadow.

`arm` is what routing chose, `answered_by` who really answered (the champion, the challenger, or a
fallback in the declared order), `propensity` how probable the answer was where answers are explored.
Join it to `feedback_table` by `prediction_id`."""
# The inbox forgets the ids of deleted rows: one that is sent again is in the log already.
ONCE = """SELECT * FROM served QUALIFY row_number() OVER (
PARTITION BY prediction_id, role, model_version ORDER BY received_time, source_file) = 1"""
SUMMARY = """SELECT coalesce(arm, 'shadow score') AS arm, coalesce(answered_by, 'challenger') AS
answered_by, model_version, count(*) AS answers, CAST(quantile_cont(latency_us, 0.5) AS BIGINT) AS
median_us, CAST(quantile_cont(latency_us, 0.99) AS BIGINT) AS p99_us, count(warning) AS warnings
FROM {relation} GROUP BY ALL ORDER BY answers DESC, 1, 2, 3 LIMIT 50"""


def serving_log(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, serving_log]`, partitioned by prediction time."""

    @dg.asset(
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        **space.attributes("serving_log", DESCRIPTION, {"deltalake", "duckdb"}),
    )
    def _serving_log(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        with connect(space.settings) as con, contextlib.ExitStack() as closing:
            reader = open_reader(space.settings)
            if reader:
                closing.callback(reader.close)
            con.execute(f"CREATE TEMP TABLE served ({columns_sql(space.config)})")
            head = fill(space, con, reader, keys) if reader else 0
            snapshot = space.table("serving_log").replace(
                con, ONCE, keys, space.cause(context, {"inbox": head})
            )
            if reader:
                receipts = Receipts(space)
                receipts.note("serving_log", keys, head)
                receipts.release(reader, head)
            return partitioned_result(
                context, space, snapshot, con, extra=routes(con, snapshot, keys)
            )

    return _serving_log


def fill(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, reader: InboxReader, keys: Sequence[str]
) -> int:
    """Fill the table `served` with the rows of some days; returns how far the inbox was read.

    Raises:
        InboxError: Rows were deleted meanwhile, because the table holds them; run it again.
    """
    pruned, head = pruned_through(reader, space, "serving_log"), reader.head()
    kept = kept_relation(space, "serving_log", keys, pruned)
    if kept is not None:
        con.execute(f"INSERT INTO served BY NAME SELECT * FROM {kept}")
    spans = time_spans(space.config.partitions.grain, keys)
    for stream, gone in pruned.items():
        batches = inbox_stream(reader, stream, space.name, spans, head)
        with registered(con, STREAM, batches):
            con.execute(
                f"INSERT INTO served BY NAME {query(space.config, stream, first_whole(gone))}"
            )
    now = pruned_through(reader, space, "serving_log")
    if any(first_whole(now[stream]) != first_whole(gone) for stream, gone in pruned.items()):
        raise InboxError(f"{space.name}: the inbox was pruned while it was read; run it again")
    return head


def columns(config: Config) -> dict[str, str]:
    """The table's columns and their types."""
    answer = {"binary": "BIGINT", "multiclass": "VARCHAR", "regression": "DOUBLE"}
    return {
        "prediction_id": "VARCHAR",
        "role": "VARCHAR",
        "event_time": "TIMESTAMPTZ",
        "received_time": "TIMESTAMPTZ",
        "arm": "VARCHAR",
        "answered_by": "VARCHAR",
        "model_version": "VARCHAR",
        "model_digest": "VARCHAR",
        "score": "DOUBLE",
        **dict.fromkeys(class_score_names(config), "DOUBLE"),
        "prediction": answer[config.label.kind],
        "propensity": "DOUBLE",
        "warning": "VARCHAR",
        "stick": "VARCHAR",
        "principal": "VARCHAR",
        "latency_us": "BIGINT",
        "source_file": "VARCHAR",
        "partition_key": "VARCHAR",
    }


def columns_sql(config: Config) -> str:
    """The columns as CREATE TABLE wants them."""
    return ", ".join(f"{ident(name)} {dtype}" for name, dtype in columns(config).items())


def query(config: Config, stream: Stream, first: int) -> str:
    """SQL over the inbox's stream from `first` on that yields rows of the table."""
    scores = zip(config.columns.class_scores, class_score_names(config), strict=True)
    made = {
        "prediction_id": "j.id",
        "role": literal("served" if stream == "predictions" else "shadow"),
        "event_time": moment_sql("j.event_us"),
        "received_time": moment_sql("j.received_us"),
        "partition_key": partition_key_sql(config.partitions.grain, "make_timestamp(j.event_us)"),
        "source_file": segment_sql(stream),
        **{name: f"j.class_scores.{ident(cls)}" for cls, name in scores},
    }
    alike = ["model_version", "model_digest", "score", "prediction", "latency_us"]
    if stream == "predictions":
        alike += ["arm", "answered_by", "propensity", "warning", "stick", "principal"]
    made |= {name: f"j.{name}" for name in alike}
    types = columns(config)
    cast = (f"CAST({sql} AS {types[name]}) AS {ident(name)}" for name, sql in made.items())
    return f"SELECT {', '.join(cast)} FROM {bodies_sql(config, stream, first)}"


def routes(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, keys: Sequence[str]) -> Metadata:
    """Who answered on the newest day, how often and how fast, as a table for people."""
    relation = snapshot.relation(newest_filled(snapshot, keys))
    cursor = con.execute(SUMMARY.format(relation=relation))
    names = [column[0] for column in cursor.description or []]
    records = [
        dg.TableRecord({name: shown(value) for name, value in zip(names, row, strict=True)})
        for row in cursor.fetchall()
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
    return {"routes": dg.MetadataValue.table(records=records, schema=schema)}
