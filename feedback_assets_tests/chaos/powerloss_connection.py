"""A connection to a database on a disk that can lose its power, alike those of `sqlite3`."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from feedback_assets_tests.chaos.powerloss import Disk, PowerLost

_ERRORS: tuple[tuple[type[apsw.Error], type[sqlite3.Error]], ...] = (
    (apsw.ConstraintError, sqlite3.IntegrityError),
    (apsw.CorruptError, sqlite3.DatabaseError),
    (apsw.NotADBError, sqlite3.DatabaseError),
)


class Result:
    """What a statement returned, read to its end at once."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows, self.rowcount = iter(rows), rowcount

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


class DiskConnection:
    """A connection that locks exclusively: the disk has no memory to share.

    Args:
        disk: Where the file is.
        path: Its name there.
        replace: Statements to run in place of others, for a broken writer.
    """

    def __init__(self, disk: Disk, path: Path, replace: dict[str, str] | None = None) -> None:
        self._replace = replace or {}
        with _as_sqlite3():
            self._connection = apsw.Connection(str(path), vfs=disk.name)
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Result:
        """Run the statement to its end.

        Raises:
            sqlite3.Error: Of the kind, and with the code, that `sqlite3` would raise.
        """
        for found, other in self._replace.items():
            sql = sql.replace(found, other)
        with _as_sqlite3():
            before = self._connection.total_changes()
            rows = self._connection.execute(sql, tuple(params)).fetchall()
            return Result(rows, self._connection.total_changes() - before)

    def close(self) -> None:
        """End."""
        with _as_sqlite3():
            self._connection.close()


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except PowerLost as lost:
        raise _with_code(sqlite3.OperationalError("disk I/O error"), apsw.SQLITE_IOERR) from lost
    except apsw.Error as error:
        kind = next((to for of, to in _ERRORS if isinstance(error, of)), sqlite3.OperationalError)
        raise _with_code(kind(str(error)), getattr(error, "extendedresult", 1)) from error


def _with_code(error: sqlite3.Error, code: int) -> sqlite3.Error:
    error.sqlite_errorcode = code
    return error
