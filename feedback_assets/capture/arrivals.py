"""Which partitions a file holds, from its time column alone."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.parquet

from feedback_assets.capture.convert import convert
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.readers import STREAM, Opened, open_file
from feedback_assets.config.grain import Grain, partition_key_of, partition_key_sql
from feedback_assets.errors import SourceError
from feedback_assets.sqltext import ident

_KNOWN: dict[tuple[SourceFile, str, Grain], frozenset[str]] = {}
_KNOWN_LIMIT = 10_000


@dataclass(frozen=True)
class _Bounds:
    first: str
    last: str


def partitions_in(
    con: duckdb.DuckDBPyConnection,
    files: Iterable[SourceFile],
    time_column: str | None,
    grain: Grain,
) -> dict[SourceFile, frozenset[str]]:
    """Return the partitions of each file's rows; only the time column is read.

    A file is looked at once in a process while it does not change. Rows whose time cannot be
    read belong to the earliest partition of their file; a file without any readable time, or
    that cannot be read at all, to `SourceFile.fallback_partition`.

    Args:
        con: Any connection in UTC.
        files: The files of one source.
        time_column: The source's column that decides; the files' last change when None.
        grain: How time is cut.
    """
    return {file: _partitions(con, file, time_column, grain) for file in files}


def may_hold(
    con: duckdb.DuckDBPyConnection,
    file: SourceFile,
    time_column: str | None,
    grain: Grain,
    wanted: Collection[str],
) -> bool:
    """Tell whether a file can have rows of the wanted partitions; Parquet by its footer alone."""
    if time_column is None:
        return partition_key_of(grain, file.modified) in wanted
    if file.format == "parquet" and (file, time_column, grain) not in _KNOWN:
        bounds = _bounds(file, time_column, grain)
        if bounds is not None:
            return any(bounds.first <= key <= bounds.last for key in wanted)
    return not _partitions(con, file, time_column, grain).isdisjoint(wanted)


def _partitions(
    con: duckdb.DuckDBPyConnection, file: SourceFile, column: str | None, grain: Grain
) -> frozenset[str]:
    if column is None:
        return frozenset({partition_key_of(grain, file.modified)})
    known = _KNOWN.get((file, column, grain))
    if known is None:
        if len(_KNOWN) >= _KNOWN_LIMIT:
            _KNOWN.clear()
        known = _read(con, file, column, grain)
        if known is None:  # perhaps only now: it is tried again the next time
            return frozenset({file.fallback_partition(grain)})
        _KNOWN[file, column, grain] = known
    return known


def _read(
    con: duckdb.DuckDBPyConnection, file: SourceFile, column: str, grain: Grain
) -> frozenset[str] | None:
    """Return the partitions of a file's rows, None when it cannot be read."""
    bounds = _bounds(file, column, grain) if file.format == "parquet" else None
    if bounds is not None and bounds.first == bounds.last:
        return frozenset({bounds.first})
    fallback = frozenset({file.fallback_partition(grain)})
    try:
        found = _distinct(con, open_file(con, file, [column]), column, grain)
    except (SourceError, duckdb.Error):  # staging it will say what is wrong with it
        return None
    good = frozenset(key for key in found if key is not None)
    return good or (fallback if found else frozenset())


def _distinct(
    con: duckdb.DuckDBPyConnection, opened: Opened, column: str, grain: Grain
) -> set[str | None]:
    dtype = opened.columns.get(column)
    moment = convert("time", ident(column), dtype, column).value if dtype else "NULL"
    key = partition_key_sql(grain, "moment") if dtype else "CAST(moment AS VARCHAR)"
    if opened.stream is not None:
        con.register(STREAM, opened.stream)
    try:
        rows = con.execute(
            f"SELECT DISTINCT {key} FROM (SELECT {moment} AS moment FROM ({opened.sql}))"
        ).fetchall()
    finally:
        if opened.stream is not None:
            con.unregister(STREAM)
    return {row[0] for row in rows} | ({None} if opened.rejects else set())


def _bounds(file: SourceFile, column: str, grain: Grain) -> _Bounds | None:
    """Return the first and last partition by the footer; None when it does not tell for all rows."""
    try:
        with pa.parquet.ParquetFile(file.path) as opened:
            shape, metadata = opened.schema_arrow, opened.metadata
    except (pa.ArrowException, OSError):
        return None
    index = shape.get_field_index(column)
    if index < 0 or not pa.types.is_temporal(shape.field(index).type):
        return None
    moments: list[dt.datetime] = []
    for i in range(metadata.num_row_groups):
        found = _group_bounds(metadata.row_group(i), column)
        if found is None:
            return None
        moments.extend(found)
    keys = [partition_key_of(grain, moment) for moment in moments]
    return _Bounds(min(keys), max(keys)) if keys else None


def _group_bounds(
    group: "pa.parquet.RowGroupMetaData", column: str
) -> tuple[dt.datetime, dt.datetime] | None:
    chunks = (group.column(i) for i in range(group.num_columns))
    stats = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == column), None)
    if stats is None or not stats.has_min_max or not stats.has_null_count or stats.null_count:
        return None
    first, last = _moment(stats.min), _moment(stats.max)
    return None if first is None or last is None else (first, last)


def _moment(value: object) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    return None
