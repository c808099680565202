"""Rows of a query as one Parquet file per partition, hashed on the way and not yet visible."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feedback_assets.errors import TableError
from feedback_assets.sqltext import ident, idents
from feedback_assets.tables.connection import BATCH_ROWS, reading
from feedback_assets.tables.digest import RowsDigest
from feedback_assets.tables.log import MEANING, sync
from feedback_assets.tables.snapshot import PARTITION, file_name
from feedback_assets.tables.types import arrow_schema, duckdb_types

STAGING_FOLDER = "_staging"
ABANDONED_SECONDS = 86_400
_FORMAT: dict[str, Any] = {"compression": "zstd", "compression_level": 1}


@dataclass(frozen=True)
class StagedFile:
    """One partition's rows in a file that no reader sees yet."""

    partition: str
    path: Path
    digest: str
    rows: int


@dataclass(frozen=True)
class Staged:
    """All partitions of one replacement, and the columns they have."""

    types: Mapping[str, str]
    files: Sequence[StagedFile]


@contextmanager
def staged_rows(
    con: duckdb.DuckDBPyConnection,
    query: str,
    partitions: Sequence[str],
    table: str,
    path: Path,
    key: Sequence[str],
    meaning: Mapping[str, object],
) -> Iterator[Staged]:
    """Write the rows of `query` into files that vanish at the end unless they were published.

    Raises:
        TableError: The query lacks a needed column, yields a type that tables do not hold, a row
            of another partition, or two rows with one key.
    """
    folder = path / STAGING_FOLDER / uuid4().hex
    _drop_abandoned(folder.parent)
    folder.mkdir(parents=True)
    try:
        yield _stage(con, query, partitions, table, folder, key, meaning)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(path: Path, file: StagedFile, shape: str) -> Path:
    """Move a staged file to where it will be read from, durably; a commit makes it visible."""
    folder = path / f"{PARTITION}={file.partition}"
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        sync(path)
    target = folder / file_name(file.digest, shape, uuid4().hex[:12])
    file.path.rename(target)
    sync(folder)
    return target


def _stage(
    con: duckdb.DuckDBPyConnection,
    query: str,
    partitions: Sequence[str],
    table: str,
    folder: Path,
    key: Sequence[str],
    meaning: Mapping[str, object],
) -> Staged:
    ordered = f"SELECT * FROM ({query}) ORDER BY {ident(PARTITION)}, {idents(key)}"
    try:
        with reading(con, ordered) as reader:
            types = duckdb_types(reader.schema, table)
            files = _Files(folder, arrow_schema(types), key, table, meaning)
            return Staged(types, files.write_all(reader, partitions))
    except duckdb.BinderException as error:
        needed = ", ".join((PARTITION, *key))
        raise TableError(f"{table}: the query must run and yield {needed}: {error}") from error


def _by_partition(
    batches: pa.RecordBatchReader,
) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
    """Cut sorted batches at the ends of partitions; each iterator must be used up in turn."""
    pieces = _pieces(batches)
    piece = next(pieces, None)

    def rest_of(partition: str) -> Iterator[pa.RecordBatch]:
        nonlocal piece
        while piece is not None and piece[0] == partition:
            yield piece[1]
            piece = next(pieces, None)

    while piece is not None:
        yield piece[0], rest_of(piece[0])


def _pieces(batches: pa.RecordBatchReader) -> Iterator[tuple[str, pa.RecordBatch]]:
    for batch in batches:
        runs = pc.run_end_encode(batch.column(PARTITION))
        start = 0
        for end, value in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
            yield value, batch.slice(start, end - start)
            start = end


@dataclass(frozen=True)
class _Files:
    """Writes the files of one replacement."""

    folder: Path
    schema: pa.Schema
    key: Sequence[str]
    table: str
    meaning: Mapping[str, object]

    def write_all(
        self, reader: pa.RecordBatchReader, partitions: Sequence[str]
    ) -> list[StagedFile]:
        left = dict.fromkeys(partitions)
        files = []
        for partition, batches in _by_partition(reader):
            if partition not in left:
                raise TableError(
                    f"{self.table}: the query yields rows of the partition {partition}, which is "
                    "not among those to replace"
                )
            del left[partition]
            files.append(self._write(partition, batches))
        return files + [self._write(partition, iter(())) for partition in left]

    def _write(self, partition: str, batches: Iterator[pa.RecordBatch]) -> StagedFile:
        digest = RowsDigest(self.schema, self.key, self.table)
        columns = pa.schema([field for field in self.schema if field.name != PARTITION])
        path = self.folder / f"{partition}.parquet"
        with path.open("wb") as file:
            dictionary = self._repetitive(columns)
            with pq.ParquetWriter(file, columns, use_dictionary=dictionary, **_FORMAT) as writer:
                for batch in batches:
                    digest.add(batch)
                    rows = batch.select(columns.names).cast(columns)
                    writer.write_batch(rows, BATCH_ROWS)
                said = {**self.meaning, "digest": digest.hexdigest(), "rows": digest.rows}
                writer.add_key_value_metadata({MEANING: json.dumps(said, sort_keys=True)})
            file.flush()
            os.fsync(file.fileno())
        return StagedFile(partition, path, digest.hexdigest(), digest.rows)

    def _repetitive(self, columns: pa.Schema) -> list[str] | bool:
        """Name the columns worth a dictionary: texts that are not part of the unique key."""
        texts = (field.name for field in columns if field.type == pa.string())
        return [name for name in texts if name not in self.key] or False


def _drop_abandoned(staging: Path) -> None:
    """Remove what killed processes left behind, long after any of them could still write."""
    if not staging.exists():
        return
    oldest = time.time() - ABANDONED_SECONDS
    for folder in staging.iterdir():
        try:
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            continue
