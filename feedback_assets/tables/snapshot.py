"""One pinned version of a table: its partitions, columns and where to read them."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from feedback_assets.errors import TableError
from feedback_assets.sqltext import ident, idents, literals
from feedback_assets.tables.log import MEANING, heal_checkpoint
from feedback_assets.tables.types import duckdb_types

PARTITION = "partition_key"
NO_VERSION = -1


@dataclass(frozen=True)
class PartitionInfo:
    """What a partition holds: its content digest (64 hex digits), rows, and files to read."""

    digest: str
    rows: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """A table as of one version; `version` is -1 for a table that was never written."""

    table: str
    path: Path
    version: int
    _types: Mapping[str, str] = field(repr=False)
    _partitions: Mapping[str, PartitionInfo] = field(repr=False)

    def partitions(self) -> dict[str, PartitionInfo]:
        """Return each partition that was ever written, in order; an empty one has 0 rows."""
        return dict(self._partitions)

    def columns(self) -> dict[str, str]:
        """Return the columns with their DuckDB types; empty for a table never written."""
        return dict(self._types)

    def inputs(self, partition: str) -> dict[str, int]:
        """Return the version of each input that a partition was made from."""
        found = self._meaning(partition).get("inputs", {})
        return {name: int(version) for name, version in found.items()}

    def details(self, partition: str) -> dict[str, str]:
        """Return what was kept of how a partition was made (`Cause.details`)."""
        found = self._meaning(partition).get("details", {})
        return {name: str(value) for name, value in found.items()}

    def _meaning(self, partition: str) -> dict[str, Any]:
        if partition not in self._partitions:
            return {}
        footer = pq.read_metadata(self._partitions[partition].files[0]).metadata or {}
        meaning: dict[str, Any] = json.loads(footer.get(MEANING.encode(), b"{}"))
        return meaning

    def manifest(self) -> dict[str, Any]:
        """Return what this version holds, as JSON: table, version, digest and rows by partition."""
        return {
            "table": self.table,
            "version": self.version,
            "partitions": {
                key: {"digest": info.digest, "rows": info.rows}
                for key, info in self._partitions.items()
            },
        }

    def relation(
        self, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> str:
        """Return SQL text to be used after FROM.

        Args:
            partitions: Which to read; all when absent. One that was never written has no rows.
            columns: Which to read, in this order; all when absent.

        Raises:
            TableError: The table was never written, or has no such column.
        """
        if not self._types:
            loop, _, asset = self.table.rpartition("/")
            raise TableError(
                f"the table {self.table} was never written; materialize the asset "
                f"{loop}/{asset} first"
            )
        chosen = self._chosen(columns)
        keys = self._partitions if partitions is None else dict.fromkeys(partitions)
        infos = [self._partitions[key] for key in keys if key in self._partitions]
        files = [file for info in infos if info.rows for file in info.files]
        return f"(SELECT {idents(chosen)} FROM {self._source(files)})"

    @cached_property
    def shape(self) -> str:
        """Short digest of the columns and types, part of the name of files that have them."""
        return shape_of(self._types)

    def _chosen(self, columns: Sequence[str] | None) -> list[str]:
        chosen = list(self._types if columns is None else columns)
        for name in chosen:
            if name not in self._types:
                near = difflib.get_close_matches(name, self._types, 1)
                hint = f"; nearest is {near[0]}" if near else ""
                raise TableError(
                    f"the table {self.table} has no column {name}{hint}; "
                    f"it has: {', '.join(self._types)}"
                )
        return chosen

    def _source(self, files: Sequence[str]) -> str:
        empty = "SELECT " + ", ".join(
            f"CAST(NULL AS {kind}) AS {ident(name)}" for name, kind in self._types.items()
        )
        if not files:
            return f"({empty} WHERE false)"
        older = any(_shape_in(file) != self.shape for file in files)
        union = ", union_by_name=true" if older else ""
        read = (
            f"read_parquet([{literals(map(_no_glob, files))}], "
            f"hive_partitioning=true, hive_types_autocast=false{union})"
        )
        if not older:
            return read
        return f"({empty} WHERE false UNION ALL BY NAME SELECT * FROM {read})"


def shape_of(types: Mapping[str, str]) -> str:
    """Return eight hex digits that tell sets of typed columns apart, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(types.items())).encode()).hexdigest()[:8]


def file_name(digest: str, shape: str, unique: str) -> str:
    """Name a data file so that digest and shape are known without opening it."""
    return f"{digest}-{shape}-{unique}.parquet"


def open_snapshot(table: str, path: Path, version: int | None = None) -> Snapshot:
    """Open one version of a table that exists, the newest when `version` is absent.

    Raises:
        TableError: There is no such version, or the table needs a newer reader.
    """
    delta = _open_delta(table, path, version)
    if delta.protocol().min_reader_version > 1:
        raise TableError(f"the table {table} was changed by another program: its files alone no "
                         "longer say what it holds (Delta reader version above 1)")  # fmt: skip
    adds = pa.table(delta.get_add_actions(flatten=True))
    rows = adds.select(["path", "num_records", f"partition.{PARTITION}"]).to_pylist()
    found: dict[str, PartitionInfo] = {}
    for row in sorted(rows, key=lambda row: row[f"partition.{PARTITION}"]):
        file = path / row["path"]
        found[row[f"partition.{PARTITION}"]] = PartitionInfo(
            digest=file.name.split("-", 1)[0], rows=row["num_records"], files=(str(file),)
        )
    types = duckdb_types(pa.schema(delta.schema().to_arrow()), table)
    return Snapshot(table, path, delta.version(), types, found)


def no_snapshot(table: str, path: Path) -> Snapshot:
    """Return the snapshot of a table that was never written."""
    return Snapshot(table, path, NO_VERSION, {}, {})


def _open_delta(table: str, path: Path, version: int | None) -> DeltaTable:
    try:
        return DeltaTable(str(path), version=version)
    except DeltaError as error:
        if heal_checkpoint(path):
            return DeltaTable(str(path), version=version)
        raise TableError(f"the table {table} at {path} cannot be opened: {error}") from error


def _shape_in(file: str) -> str:
    return file.rsplit("-", 2)[-2]


def _no_glob(file: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file)


def checked_keys(table: str, partitions: Iterable[str]) -> list[str]:
    """Return partition keys once each, in order, or say which is not one."""
    keys = sorted(set(partitions))
    for key in keys:
        if not key or not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
            raise TableError(f"{table}: {key!r} is not a partition key such as 2013-02-01")
    return keys
