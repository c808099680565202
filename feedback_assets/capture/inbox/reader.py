"""Reading an SQLite inbox from another process, while the service writes it."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from feedback_assets.capture.inbox.receipts import write_receipt
from feedback_assets.capture.inbox.records import BATCH_SCHEMA, Stream
from feedback_assets.capture.inbox.schema import connect_read_only, version_of
from feedback_assets.errors import InboxError

HOUR_US = 3_600_000_000
READ_ROWS = 2_048
READ_BYTES = 16 * 2**20
"""Of bodies in one batch, roughly."""
_CHANNEL = "(SELECT id FROM channels WHERE stream = ? AND loop = ?)"


class SqliteReader:
    """An InboxReader (records.py); each query is short, so that the WAL can be merged meanwhile."""

    def __init__(self, path: Path, prune: Callable[[], object] = lambda: None) -> None:
        """Open the database.

        Args:
            path: Of a database that has tables.
            prune: Called when the tables have taken more; deletes what may go, or does nothing.

        Raises:
            InboxError: The file cannot be read, or another release made it.
        """
        self._path = path
        self._prune = prune
        with self._reading():
            self._connection = connect_read_only(path)
            self.has_tables = version_of(self._connection, path) > 0

    def head(self) -> int:
        """See `InboxReader`."""
        with self._reading():
            return self._connection.execute("SELECT max(seq) FROM entries").fetchone()[0] or 0

    def pruned_through(self, stream: Stream, loop: str) -> int:
        """See `InboxReader`."""
        sql = "SELECT pruned_through FROM channels WHERE stream = ? AND loop = ?"
        with self._reading():
            row = self._connection.execute(sql, (stream, loop)).fetchone()
        return int(row[0]) if row else 0

    def hours(self, stream: Stream, loop: str, after: int, until: int) -> dict[int, int]:
        """See `InboxReader`; costs as much as reading all rows between the two numbers."""
        sql = (
            f"SELECT time_us - ((time_us % {HOUR_US}) + {HOUR_US}) % {HOUR_US} AS hour, count(*)"
            f" FROM entries NOT INDEXED WHERE channel = {_CHANNEL} AND seq > ? AND seq <= ?"
            " GROUP BY hour ORDER BY hour"
        )
        with self._reading():
            return dict(self._connection.execute(sql, (stream, loop, after, until)))

    def batches(
        self, stream: Stream, loop: str, start_us: int, end_us: int, until: int
    ) -> Iterator[pa.RecordBatch]:
        """See `InboxReader`.

        Raises:
            InboxError: Rows were pruned while they were being read.
        """
        numbers = self._numbers(stream, loop, start_us, end_us, until)
        at = 0
        while at < len(numbers):
            wanted = numbers[at : at + READ_ROWS].tolist()
            rows = self._rows(wanted)
            if [row[0] for row in rows] != wanted[: len(rows)] or not rows:
                raise InboxError(f"{self._path}: rows were pruned while being read; read again")
            columns = zip(*rows, strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(c, f.type) for c, f in zip(columns, BATCH_SCHEMA, strict=True)],
                schema=BATCH_SCHEMA,
            )
            at += len(rows)

    def taken(self, stream: Stream, loop: str, through: int) -> None:
        """See `InboxReader`; the service prunes, or this process when none runs."""
        write_receipt(self._path.parent, stream, loop, through)
        self._prune()

    def close(self) -> None:
        """See `InboxReader`."""
        self._connection.close()

    def _numbers(
        self, stream: Stream, loop: str, start_us: int, end_us: int, until: int
    ) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        sql = (
            f"SELECT seq FROM entries INDEXED BY entries_time WHERE channel = {_CHANNEL}"
            " AND time_us >= ? AND time_us < ? AND seq <= ?"
        )
        with self._reading():
            found = self._connection.execute(sql, (stream, loop, start_us, end_us, until))
            return np.sort(np.fromiter((seq for (seq,) in found), dtype=np.int64))

    def _rows(self, numbers: list[int]) -> list[tuple[int, str, int, str]]:
        """Rows of the first numbers, as many as READ_BYTES holds."""
        sql = (
            "SELECT seq, key, time_us, body FROM entries"
            " WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq"
        )
        rows: list[tuple[int, str, int, str]] = []
        size = 0
        with self._reading(), contextlib.closing(self._connection.cursor()) as cursor:
            for row in cursor.execute(sql, (json.dumps(numbers),)):
                rows.append(row)
                size += len(row[3])
                if size >= READ_BYTES:
                    break
        return rows

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InboxError(f"{self._path}: the inbox cannot be read ({error})") from error
