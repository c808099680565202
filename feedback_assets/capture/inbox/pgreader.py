"""Reading a PostgreSQL inbox, and pruning what the tables hold."""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from feedback_assets.capture.inbox.pgschema import PRUNE_LOCK, connect, driver, has_tables
from feedback_assets.capture.inbox.reader import HOUR_US, READ_ROWS
from feedback_assets.capture.inbox.records import BATCH_SCHEMA, SEGMENT_ROWS, InboxReader, Stream
from feedback_assets.errors import InboxError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    import psycopg

PRUNE_SECONDS = 5.0
"""How long one call prunes; the next goes on."""
PRUNE_ROWS = 5_000
_CHANNEL = "(SELECT id FROM inbox_channels WHERE stream = %s AND loop = %s)"


def open_postgres_reader(settings: Settings) -> InboxReader | None:
    """Open the inbox at `settings.inbox_url` to read; None when none was ever opened there.

    Raises:
        InboxError: It cannot be reached.
    """
    with _reading():
        connection = connect(settings.inbox_url or "")
        if has_tables(connection):
            return PostgresReader(connection, settings.inbox_keep_days)
        connection.close()
    return None


class PostgresReader:
    """An InboxReader (records.py)."""

    def __init__(self, connection: "psycopg.Connection", keep_days: float) -> None:
        self._connection = connection
        self._keep_seconds = keep_days * 86_400

    def head(self) -> int:
        """See `InboxReader`."""
        return self._number("SELECT max(seq) FROM inbox_entries")

    def pruned_through(self, stream: Stream, loop: str) -> int:
        """See `InboxReader`."""
        sql = "SELECT pruned_through FROM inbox_channels WHERE stream = %s AND loop = %s"
        return self._number(sql, stream, loop)

    def hours(self, stream: Stream, loop: str, after: int, until: int) -> dict[int, int]:
        """See `InboxReader`."""
        sql = (
            f"SELECT time_us - mod(mod(time_us, {HOUR_US}) + {HOUR_US}, {HOUR_US}) AS hour,"
            f" count(*) FROM inbox_entries WHERE channel = {_CHANNEL} AND seq > %s AND seq <= %s"
            " GROUP BY hour ORDER BY hour"
        )
        with _reading():
            return dict(self._connection.execute(sql, (stream, loop, after, until)).fetchall())

    def batches(
        self, stream: Stream, loop: str, start_us: int, end_us: int, until: int
    ) -> Iterator[pa.RecordBatch]:
        """See `InboxReader`.

        Raises:
            InboxError: Rows were pruned while they were being read.
        """
        sql = (
            f"SELECT seq FROM inbox_entries WHERE channel = {_CHANNEL}"
            " AND time_us >= %s AND time_us < %s AND seq <= %s"
        )
        with _reading(), self._connection.cursor() as cursor:
            found = cursor.stream(sql, (stream, loop, start_us, end_us, until))
            numbers = np.sort(np.fromiter((seq for (seq,) in found), dtype=np.int64))
        for start in range(0, len(numbers), READ_ROWS):
            wanted = numbers[start : start + READ_ROWS].tolist()
            rows = self._rows(wanted)
            if [row[0] for row in rows] != wanted:
                raise InboxError("Rows of the inbox were pruned while being read; read again")
            columns = zip(*rows, strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(c, f.type) for c, f in zip(columns, BATCH_SCHEMA, strict=True)],
                schema=BATCH_SCHEMA,
            )

    def taken(self, stream: Stream, loop: str, through: int) -> None:
        """See `InboxReader`; prunes what may go, some seconds at most."""
        sql = (
            "INSERT INTO inbox_channels (stream, loop, taken) VALUES (%s, %s, %s)"
            " ON CONFLICT (stream, loop) DO UPDATE SET taken = excluded.taken"
        )
        with _reading():
            self._connection.execute(sql, (stream, loop, through))
            until = time.monotonic() + PRUNE_SECONDS
            while time.monotonic() < until and (below := self._prunable()):
                if not self._prune_batch(below):
                    break

    def close(self) -> None:
        """See `InboxReader`."""
        self._connection.close()

    def _rows(self, numbers: list[int]) -> list[tuple[int, str, int, str]]:
        sql = "SELECT seq, key, time_us, body FROM inbox_entries WHERE seq = ANY(%s) ORDER BY seq"
        with _reading():
            return self._connection.execute(sql, (numbers,)).fetchall()

    def _number(self, sql: str, *values: str) -> int:
        with _reading():
            row = self._connection.execute(sql, values).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])

    def _prunable(self) -> int:
        """Rows below this number may go: those of the oldest segment, or none (0)."""
        ends = "SELECT min(seq), max(seq) FROM inbox_entries"
        oldest, newest = self._connection.execute(ends).fetchone() or (None, None)
        if oldest is None or oldest // SEGMENT_ROWS >= newest // SEGMENT_ROWS:
            return 0
        below = (oldest // SEGMENT_ROWS + 1) * SEGMENT_ROWS
        sql = (
            "SELECT bool_and(taken >= last_seq AND"
            " newest <= statement_timestamp() - make_interval(secs => %s)) FROM"
            " (SELECT channel, max(seq) AS last_seq, max(kept_at) AS newest FROM inbox_entries"
            " WHERE seq < %s GROUP BY channel) AS segment"
            " JOIN inbox_channels ON id = channel"
        )
        row = self._connection.execute(sql, (self._keep_seconds, below)).fetchone()
        return below if row is not None and row[0] else 0

    def _prune_batch(self, below: int) -> bool:
        """Delete some rows and record that they are gone; False when another process prunes."""
        with self._connection.transaction():
            locked = f"SELECT pg_try_advisory_xact_lock({PRUNE_LOCK})::int"
            if not self._number(locked):
                return False
            last = self._number(
                "SELECT max(seq) FROM (SELECT seq FROM inbox_entries WHERE seq < %s"
                f" ORDER BY seq LIMIT {PRUNE_ROWS}) AS oldest",
                str(below),
            )
            self._connection.execute(
                "WITH gone AS (DELETE FROM inbox_entries WHERE seq <= %s RETURNING channel, seq)"
                " UPDATE inbox_channels SET pruned_through = through FROM"
                " (SELECT channel, max(seq) AS through FROM gone GROUP BY channel) AS last"
                " WHERE id = channel",
                (last,),
            )
        return True


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    psycopg = driver()
    try:
        yield
    except psycopg.Error as error:
        name = type(error).__name__
        raise InboxError(f"The inbox's PostgreSQL cannot be read ({name})") from error
