"""One SHA-256 for the content of a partition, whatever the order or layout of its rows.

Rows are read in the order of the table's key. Each column is hashed as a stream of values, of
lengths (texts) and of validity, so neither the batches nor the row groups nor the order of the
columns matter. A null counts as null whatever lies beneath it, -0.0 as 0.0, every NaN as one NaN;
a column without any value counts as absent, so that adding a column keeps the digests of old days.
Where a row came in (`source_file`) is no content: the same rows by file and by request are the same.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from feedback_assets.errors import TableError
from feedback_assets.sqltext import idents
from feedback_assets.tables.connection import reading
from feedback_assets.tables.types import duckdb_types

PROVENANCE = "source_file"


class RowsDigest:
    """Digest of rows that arrive in key order, batch by batch."""

    def __init__(self, schema: pa.Schema, key: Sequence[str], table: str = "rows") -> None:
        self.rows = 0
        self._columns = [
            _ColumnDigest(name, kind)
            for name, kind in duckdb_types(schema, table).items()
            if name != PROVENANCE or name in key
        ]
        self._key = _KeyOrder(key, table)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the next rows.

        Raises:
            TableError: A key occurs twice, which would leave the order to chance.
        """
        self._key.add(batch)
        for column in self._columns:
            column.add(batch.column(column.name))
        self.rows += batch.num_rows

    def hexdigest(self) -> str:
        """Return the digest of all rows so far as 64 hex digits."""
        columns = sorted(column.parts() for column in self._columns if column.filled)
        return hashlib.sha256(json.dumps([self.rows, columns]).encode()).hexdigest()


class _KeyOrder:
    """Refuses a second row with the same key."""

    def __init__(self, key: Sequence[str], table: str) -> None:
        self._key, self._table = list(key), table
        self._last: pa.RecordBatch | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        keys = batch.select(self._key)
        if self._last is not None:
            keys = pa.concat_batches([self._last, keys])
        self._last = keys.slice(keys.num_rows - 1)
        repeated = _same_as_previous(keys)
        if repeated.any():
            twice = keys.slice(int(repeated.argmax()), 1).to_pylist()[0]
            raise TableError(f"{self._table}: two rows have the key {twice}; keys must be unique")


def _same_as_previous(keys: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Tell for every row after the first whether its key equals the one before: bool[n - 1]."""
    same = np.full(keys.num_rows - 1, keys.num_columns > 0)
    for column in keys.columns:
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        equal = pc.fill_null(pc.equal(before, after), False)
        both_null = pc.and_(pc.is_null(before), pc.is_null(after))
        same &= pc.or_(equal, both_null).to_numpy(zero_copy_only=False)
    return same


class _ColumnDigest:
    """The streams of one column."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind, self.filled = name, kind, False
        self._values, self._lengths = hashlib.sha256(), hashlib.sha256()
        self._validity = hashlib.sha256()

    def add(self, column: pa.Array) -> None:
        self.filled = self.filled or column.null_count < len(column)
        self._validity.update(column.is_valid().cast(pa.uint8()).to_numpy())
        if self.kind == "VARCHAR":
            self._add_texts(pc.fill_null(column, "") if column.null_count else column)
        else:
            self._values.update(_canonical(column).data)

    def _add_texts(self, column: pa.Array) -> None:
        if not len(column):
            return
        offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
        offsets = offsets[column.offset : column.offset + len(column) + 1]
        self._lengths.update(np.diff(offsets).data)
        data = column.buffers()[2]
        if data is not None:
            self._values.update(memoryview(data)[offsets[0] : offsets[-1]])

    def parts(self) -> tuple[str, str, str, str, str]:
        digests = (self._values, self._lengths, self._validity)
        values, lengths, validity = (digest.hexdigest() for digest in digests)
        return self.name, self.kind, values, lengths, validity


def _canonical(column: pa.Array) -> npt.NDArray[Any]:
    """Return the fixed-width values with one spelling for null, zero and NaN."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    elif pa.types.is_temporal(column.type):
        column = column.view(pa.int32() if pa.types.is_date(column.type) else pa.int64())
    if column.null_count:
        column = pc.fill_null(column, 0)
    values: npt.NDArray[Any] = column.to_numpy()
    if pa.types.is_floating(column.type):
        values = values + values.dtype.type(0)
        values[np.isnan(values)] = np.nan
    return values


def digest_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, key: Sequence[str]) -> str:
    """Digest rows that come in the order of `key`."""
    digest = RowsDigest(schema, key)
    for batch in batches:
        digest.add(batch)
    return digest.hexdigest()


def digest_of(con: duckdb.DuckDBPyConnection, relation: str, key: Sequence[str]) -> str:
    """Compute the digest of the rows of one partition anew.

    Args:
        con: A connection that can read the relation.
        relation: SQL text usable after FROM.
        key: The columns that make the rows unique.

    Raises:
        TableError: Two rows have the same key, or a column has a type that tables do not hold.
    """
    ordered = f"SELECT * FROM {relation} ORDER BY {idents(key)}"
    with reading(con, ordered) as reader:
        return digest_batches(reader, reader.schema, key)


def combine(digests: Mapping[str, str]) -> str:
    """Return one digest of several that have names, whatever their order.

    >>> combine({"2013-01-01": "ab", "2013-01-02": "cd"})[:12]
    '...'
    """
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()
