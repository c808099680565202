"""The inbox's rows as relations in the tables' own columns."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from feedback_assets.capture.contract import class_score_names
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.inbox.records import (
    BATCH_SCHEMA,
    SEGMENT_ROWS,
    InboxReader,
    Stream,
)
from feedback_assets.capture.readers import BROKEN, FILE, LINE, ROW, STREAM, Opened
from feedback_assets.config.grain import Grain, partition_end, partition_key_of, partition_start
from feedback_assets.config.schema import Config
from feedback_assets.config.source import Side
from feedback_assets.sqltext import ident, literal

PREFIX = "inbox/"
REFUSED_PREFIX = f"{PREFIX}refused_"
"""What the names of segments of refused payloads begin with."""
NO_FILES: tuple[SourceFile, ...] = ()
_NONE = "CAST(NULL AS VARCHAR)"


def segment_name(stream: Stream, seq: int) -> str:
    """What stands in `source_file` for a segment of the inbox; names sort as segments do."""
    return f"{PREFIX}{stream}/{seq // SEGMENT_ROWS:012d}"


def segment_sql(stream: Stream) -> str:
    """The same in SQL, of the column `seq`."""
    return f"printf('{PREFIX}{stream}/%012d', seq // {SEGMENT_ROWS})"


def first_whole(pruned: int) -> int:
    """The first sequence number that is read from the inbox once rows up to `pruned` are deleted.

    Deletion goes on in small steps inside a segment that the tables hold as a whole.
    """
    return (pruned // SEGMENT_ROWS + 1) * SEGMENT_ROWS if pruned else 0


def stored_before(stream: Stream, seq: int) -> str:
    """SQL that holds for stored rows of the stream's segments up to the one of `seq`."""
    prefix, last = f"{PREFIX}{stream}/", segment_name(stream, seq)
    return f"(starts_with(source_file, {literal(prefix)}) AND source_file <= {literal(last)})"


def moment_sql(micros: str) -> str:
    """SQL of microseconds since 1970 as a moment in UTC."""
    return f"make_timestamp({micros}) AT TIME ZONE 'UTC'"


@dataclass(frozen=True)
class InboxRows:
    """The rows of one table in the inbox, up to a sequence number.

    Attributes:
        reader: The inbox.
        config: The loop.
        stream: `predictions` or `feedback`.
        head: Later rows are left for the next time.
        pruned: By stream, up to where rows were deleted (`InboxReader.pruned_through`).
    """

    reader: InboxReader
    config: Config
    stream: Side
    head: int
    pruned: Mapping[Stream, int]

    @property
    def streams(self) -> tuple[Stream, Stream]:
        """The stream and its refused payloads."""
        refused: Stream = (
            "refused_predictions" if self.stream == "predictions" else "refused_feedback"
        )
        return self.stream, refused

    def opened(self, partitions: Sequence[str]) -> Iterator[Opened]:
        """Each stream of the rows of some partitions."""
        spans = time_spans(self.config.partitions.grain, partitions)
        fields = self._fields()
        for stream, columns in zip(self.streams, (fields, refused_fields(fields)), strict=True):
            yield Opened(
                NO_FILES,
                relation_sql(self.config, stream, columns, first_whole(self.pruned[stream])),
                {name: dtype for name, (dtype, _) in fields.items()},
                tuple(fields),
                inbox_stream(self.reader, stream, self.config.name, spans, self.head),
            )

    def _fields(self) -> dict[str, tuple[str, str]]:
        if self.stream == "predictions":
            return prediction_fields(self.config)
        return FEEDBACK_FIELDS


def inbox_stream(
    reader: InboxReader, stream: Stream, loop: str, spans: Sequence[tuple[int, int]], head: int
) -> pa.RecordBatchReader:
    """The inbox's rows of some stretches of time, batch by batch."""
    batches = (
        batch for start, end in spans for batch in reader.batches(stream, loop, start, end, head)
    )
    return pa.RecordBatchReader.from_batches(BATCH_SCHEMA, batches)


def time_spans(grain: Grain, partitions: Sequence[str]) -> list[tuple[int, int]]:
    """The stretches of time (microseconds, end excluded) that partitions cover, neighbours joined."""
    spans: list[tuple[int, int]] = []
    for key in sorted(partitions):
        start = int(partition_start(grain, key).timestamp()) * 1_000_000
        end = int(partition_end(grain, key).timestamp()) * 1_000_000
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def relation_sql(
    config: Config, stream: Stream, fields: dict[str, tuple[str, str]], first: int
) -> str:
    """SQL over the stream of inbox rows from `first` on: FILE, ROW, BROKEN, LINE and the fields."""
    broken = fields.get(BROKEN, ("", _NONE))[1]
    line = fields.get(LINE, ("", _NONE))[1]
    columns = [
        f"CAST({sql} AS {dtype}) AS {ident(name)}"
        for name, (dtype, sql) in fields.items()
        if name not in (BROKEN, LINE)
    ]
    return (
        f"SELECT {segment_sql(stream)} AS {FILE}, seq AS {ROW}, {broken} AS {BROKEN}, {line} AS {LINE}, "
        f"{', '.join(columns)} "
        f"FROM {bodies_sql(config, stream, first)}"
    )


def bodies_sql(config: Config, stream: Stream, first: int) -> str:
    """The rows of STREAM from `first` on as a relation: `seq`, and the body `j` as a struct."""
    shape = literal(shape_of(config, stream))
    return f"(SELECT seq, json_transform(body, {shape}) AS j FROM {STREAM} WHERE seq >= {first})"


def prediction_fields(config: Config) -> dict[str, tuple[str, str]]:
    """Landed columns of a prediction: type and SQL over its body `j`."""
    columns = config.columns
    answer = "DOUBLE" if config.label.kind == "regression" else "VARCHAR"
    return {
        "prediction_id": ("VARCHAR", "j.id"),
        "event_time": ("TIMESTAMPTZ", moment_sql("j.event_us")),
        "received_time": ("TIMESTAMPTZ", moment_sql("j.received_us")),
        "model_version": ("VARCHAR", "j.model_version"),
        "role": ("VARCHAR", "'served'"),
        "propensity": ("DOUBLE", "j.propensity"),
        "score": ("DOUBLE", "j.score"),
        **{
            name: ("DOUBLE", f"j.class_scores.{ident(cls)}")
            for cls, name in zip(columns.class_scores, class_score_names(config), strict=True)
        },
        "prediction": (answer, "j.prediction"),
        **{
            name: (type_of(config, name), f"j.features.{ident(name)}")
            for name in [*columns.features, *columns.carried]
        },
    }


SAID_BY = (
    "coalesce(j.said_by, CASE WHEN j.principal <> 'anyone' THEN concat('token:', j.principal) END)"
)
"""SQL of who said it: what a replayed history says, or the token it came with; null without one."""

FEEDBACK_FIELDS: dict[str, tuple[str, str]] = {
    "prediction_id": ("VARCHAR", "j.prediction_id"),
    "value": ("VARCHAR", "j.value"),
    "received_time": ("TIMESTAMPTZ", moment_sql("j.received_us")),
    "event_time": ("TIMESTAMPTZ", moment_sql("j.event_us")),
    "event_id": ("VARCHAR", "j.event_id"),
    "kind": ("VARCHAR", "j.kind"),
    "source": ("VARCHAR", "j.source"),
    "confidence": ("DOUBLE", "j.confidence"),
    "principal": ("VARCHAR", SAID_BY),
}


def refused_fields(fields: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The same columns for refused payloads: nothing but their time, the reason and the line."""
    moment = ("TIMESTAMPTZ", moment_sql("j.received_us"))
    empty = {name: (dtype, "NULL") for name, (dtype, _) in fields.items()}
    times = dict.fromkeys(("event_time", "received_time"), moment)
    return {**empty, **times, BROKEN: ("VARCHAR", "j.reason"), LINE: ("VARCHAR", "j.line")}


def shape_of(config: Config, stream: Stream) -> str:
    """The shape of a stream's bodies, as DuckDB's json_transform wants it."""
    names = [*config.columns.features, *config.columns.carried]
    features = {name: type_of(config, name) for name in names}
    scores = dict.fromkeys(config.columns.class_scores or ["none"], "DOUBLE")
    answer = {
        "id": "VARCHAR", "event_us": "BIGINT", "received_us": "BIGINT", "score": "DOUBLE",
        "class_scores": scores, "prediction": "VARCHAR", "model_version": "VARCHAR",
        "model_digest": "VARCHAR", "latency_us": "BIGINT",
    }  # fmt: skip
    shapes: dict[Stream, dict[str, object]] = {
        "predictions": {
            **answer, "features": features, "propensity": "DOUBLE", "arm": "VARCHAR",
            "answered_by": "VARCHAR", "warning": "VARCHAR", "stick": "VARCHAR",
            "principal": "VARCHAR",
        },
        "shadow": dict(answer),
        "feedback": {
            "event_id": "VARCHAR", "prediction_id": "VARCHAR", "kind": "VARCHAR",
            "value": "VARCHAR", "event_us": "BIGINT", "received_us": "BIGINT",
            "source": "VARCHAR", "confidence": "DOUBLE", "principal": "VARCHAR",
            "said_by": "VARCHAR",
        },
    }  # fmt: skip
    refused = {"reason": "VARCHAR", "line": "VARCHAR", "received_us": "BIGINT"}
    return json.dumps(shapes.get(stream, refused), ensure_ascii=False)


def type_of(config: Config, column: str) -> str:
    """A landed feature's type."""
    return "DOUBLE" if config.columns.kind_of(column) == "numeric" else "VARCHAR"


def partitions_of(grain: Grain, hours: dict[int, int]) -> dict[str, int]:
    """Rows by partition from rows by hour (microseconds of its start)."""
    found: dict[str, int] = {}
    for start, rows in hours.items():
        moment = dt.datetime.fromtimestamp(start / 1e6, dt.UTC)
        key = partition_key_of(grain, moment)
        found[key] = found.get(key, 0) + rows
    return found
