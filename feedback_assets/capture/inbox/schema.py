"""The tables of the SQLite inbox and how its files are opened."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from feedback_assets.errors import InboxError

DATABASE = "inbox.db"
VERSION = 1
_CREATE = f"""
CREATE TABLE channels (
  id INTEGER PRIMARY KEY, stream TEXT NOT NULL, loop TEXT NOT NULL,
  pruned_through INTEGER NOT NULL DEFAULT 0, UNIQUE (stream, loop));
-- AUTOINCREMENT: the number of a row that was pruned is never given again.
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL, key TEXT NOT NULL,
  time_us INTEGER NOT NULL, digest BLOB NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX entries_key ON entries (channel, key);
CREATE INDEX entries_time ON entries (channel, time_us);
-- Of closed segments: the last row of each channel, and when the newest row was written.
CREATE TABLE segments (
  segment INTEGER NOT NULL, channel INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  closed_us INTEGER NOT NULL, PRIMARY KEY (segment, channel));
CREATE TABLE replays (
  principal TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, status INTEGER NOT NULL,
  content BLOB NOT NULL, kept_us INTEGER NOT NULL, PRIMARY KEY (principal, key));
CREATE INDEX replays_age ON replays (kept_us);
CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE clock (
  id INTEGER PRIMARY KEY CHECK (id = 1), steady_us INTEGER NOT NULL, wall_us INTEGER NOT NULL);
PRAGMA user_version = {VERSION};
"""


class Cursor(Protocol):
    """What the inbox uses of a cursor."""

    @property
    def rowcount(self) -> int:
        """Rows that the statement changed."""
        ...

    def fetchone(self) -> Any:
        """The next row or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What the inbox uses of a connection, so that tests may put a faulty disk below it."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement; errors are sqlite3.Error with `sqlite_errorcode`."""
        ...

    def close(self) -> None:
        """End."""
        ...


def connect(path: Path) -> Connection:
    """Open a database to write to it; used by one thread at a time.

    Raises:
        InboxError: The file system has no shared memory, such as one of a network.
    """
    connection = sqlite3.connect(
        path, timeout=5, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        connection.close()
        raise InboxError(f"{path}: its file system lacks what SQLite's WAL needs; use a local disk")
    # Checkpoints are run by hand: SQLite hides the errors of those it starts by itself.
    for pragma in (
        "synchronous = FULL", "wal_autocheckpoint = 0",
        "cache_size = -65536", "temp_store = MEMORY", f"journal_size_limit = {64 * 2**20}",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a database to read it, also while another process writes.

    What a killed process has left half done is undone first, which needs leave to write.
    """
    connection = _connect_for_reading(path, "ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            raise
        connection = _connect_for_reading(path, "rw")
    return connection


def _connect_for_reading(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=5, isolation_level=None,
        check_same_thread=False,
    )  # fmt: skip
    connection.execute("PRAGMA query_only = 1")
    return connection


def make_files(folder: Path) -> Path:
    """Create the folder (0700) and an empty database file (0600) that outlive a power loss."""
    missing = [at for at in (folder, *folder.parents) if not at.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / DATABASE
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        missing.append(path)
    for made in missing:
        sync_folder(made.parent)
    return path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def version_of(connection: Connection, path: Path) -> int:
    """The version of the tables; 0 when there are none yet.

    Raises:
        InboxError: Another version of the project made them.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in {0, VERSION}:
        raise InboxError(
            f"{path}: has inbox tables of version {version}, this release knows {VERSION};"
            " use the release that wrote it"
        )
    return version


def create_tables(connection: Connection) -> None:
    """Create all tables; the caller holds a transaction."""
    for statement in _CREATE.strip().removesuffix(";").split(";\n"):
        connection.execute(statement)
