"""The tables of a ledger's database, and the triggers that keep them append-only."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.keys import sync_folder
from feedback_assets.ledger.records import GENESIS

APPLICATION = 0x46414C47
"""`FALG` in the file's header: by it a ledger is told from any other database."""
VERSION = 1

_TABLES = (
    """CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    subject TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    time TEXT NOT NULL,
    actor TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT""",
    # Hashes over 256, 65536, ... neighbouring records; what lies between is computed when asked.
    """CREATE TABLE tree (
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID""",
)
# INSERT OR REPLACE deletes without asking the trigger of a delete: so an insert is guarded too.
_GUARDS = (
    f"""CREATE TRIGGER records_follow BEFORE INSERT ON records
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM records)
  OR NEW.previous IS NOT
     coalesce((SELECT hash FROM records ORDER BY seq DESC LIMIT 1), '{GENESIS}')
  OR EXISTS (SELECT 1 FROM records WHERE subject = NEW.subject)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no record but the next'); END""",
    """CREATE TRIGGER tree_grows BEFORE INSERT ON tree
WHEN EXISTS (SELECT 1 FROM tree WHERE level = NEW.level AND place = NEW.place)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no node twice'); END""",
    *(
        f"""CREATE TRIGGER {table}_never_{verb} BEFORE {verb.upper()} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no {verb}'); END"""
        for table in ("records", "tree")
        for verb in ("update", "delete")
    ),
)


def prepare(con: sqlite3.Connection, path: Path) -> None:
    """Make sure that a connection is to a ledger; a new file becomes one.

    Raises:
        LedgerError: It is another database, or a ledger of another release.
    """
    con.execute("PRAGMA synchronous = FULL")
    if not _known(con, path):
        with locked(path.with_suffix(".lock")):
            if not _known(con, path):
                _create(con)
        sync_folder(path.parent)


def missing_guards(con: sqlite3.Connection) -> list[str]:
    """What of tables and triggers is gone or altered, by name."""
    there = dict(con.execute("SELECT name, sql FROM sqlite_master"))
    return [name for name, sql in _expected().items() if there.get(name) != sql]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes of this machine respect.

    Raises:
        LedgerError: Its file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerError(f"{path} cannot be locked: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _known(con: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a ledger already; False of one with nothing in it."""
    application = con.execute("PRAGMA application_id").fetchone()[0]
    version = con.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) == (APPLICATION, VERSION):
        return True
    if application == APPLICATION:
        raise LedgerError(
            f"{path} is a ledger of schema {version}; this release reads schema {VERSION}: "
            "use the release that wrote it"
        )
    if application or con.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise LedgerError(
            f"{path} is a database, but no ledger of this project: move it away, "
            "or restore the ledger from a backup"
        )
    return False


def _create(con: sqlite3.Connection) -> None:
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("BEGIN IMMEDIATE")
    for statement in (*_TABLES, *_GUARDS):
        con.execute(statement)
    con.execute(f"PRAGMA application_id = {APPLICATION}")
    con.execute(f"PRAGMA user_version = {VERSION}")
    con.execute("COMMIT")


@cache
def _expected() -> dict[str, str]:
    with sqlite3.connect(":memory:") as con:
        for statement in (*_TABLES, *_GUARDS):
            con.execute(statement)
        return dict(con.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
