"""Looking up single rows of an SQLite inbox, in a thread that never waits for the writer."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from feedback_assets.capture.inbox import replays
from feedback_assets.capture.inbox.records import Replay
from feedback_assets.capture.inbox.schema import Connection
from feedback_assets.capture.inbox.transaction import in_words


class Lookup:
    """A connection of its own, opened when first asked; errors are InboxError."""

    def __init__(self, path: Path, connect: Callable[[Path], Connection]) -> None:
        self._path = path
        self._connect = connect
        self._connection: Connection | None = None

    def find(self, stream: str, loop: str, key: str) -> bytes | None:
        """The body of a row."""
        sql = (
            "SELECT body FROM entries WHERE key = ? AND channel ="
            " (SELECT id FROM channels WHERE stream = ? AND loop = ?)"
        )
        with self._asked() as connection:
            row = connection.execute(sql, (key, stream, loop)).fetchone()
        return None if row is None else row[0].encode()

    def replayed(self, principal: str, key: str, now_us: int) -> Replay | None:
        """The answer kept for an idempotency key."""
        with self._asked() as connection:
            return replays.recall(connection, principal, key, now_us)

    def close(self) -> None:
        """End."""
        if self._connection is not None:
            self._connection.close()

    @contextlib.contextmanager
    def _asked(self) -> Iterator[Connection]:
        try:
            if self._connection is None:
                self._connection = self._connect(self._path)
            yield self._connection
        except sqlite3.Error as error:
            raise in_words(error, before_commit=True) from error
