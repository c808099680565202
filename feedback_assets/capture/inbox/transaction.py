"""One SQLite transaction, and what its errors mean for the inbox."""

import contextlib
import sqlite3
from collections.abc import Iterator

from feedback_assets.capture.inbox.schema import Connection
from feedback_assets.errors import InboxClosedError, InboxError, InboxFullError

_PRIMARY = 0xFF
"""SQLite's extended error codes hold the primary one in their lowest byte."""
_LATER = {
    sqlite3.SQLITE_FULL: "The inbox's disk is full",
    sqlite3.SQLITE_BUSY: "Another program holds the inbox's database",
}
_VALUE = {
    sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
}  # fmt: skip


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the block does, or nothing of it.

    Raises:
        InboxFullError: Nothing reached the commit and trying later may help.
        InboxError: A value cannot be stored.
        InboxClosedError: Reading, writing or the commit failed. What the disk holds now is known
            only after it was opened anew, so nothing is tried again (a second fsync may report
            success for pages that the first has lost).
    """
    committing = False
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        committing = True
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        roll_back(connection)
        raise in_words(error, before_commit=not committing) from error
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: Connection) -> None:
    """Undo; SQLite may have done so by itself."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute("ROLLBACK")


def in_words(error: sqlite3.Error | OSError, *, before_commit: bool) -> InboxError:
    """What an error of the database or its files means for the inbox."""
    if isinstance(error, OSError):
        return InboxClosedError(f"{error.filename}: {error.strerror or error}")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return InboxError(f"An entry has a field of a wrong type: {type(error).__name__}")
    primary = code & _PRIMARY
    if before_commit and primary in _LATER:
        return InboxFullError(_LATER[primary])
    if before_commit and primary in _VALUE:
        return InboxError(f"An entry cannot be stored: {error}")
    name = getattr(error, "sqlite_errorname", "") or primary
    return InboxClosedError(f"The inbox's disk failed ({name}: {error})")
