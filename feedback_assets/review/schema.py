"""The tables of a review database and how its file is opened."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from feedback_assets.capture.inbox.schema import sync_folder
from feedback_assets.errors import LedgerError, ReviewError
from feedback_assets.ledger.schema import locked

APPLICATION = 0x46415256
"""`FARV` in the file's header: by it a review database is told from any other."""
VERSION = 1
BUSY_SECONDS = 30.0
SKIPS = 2
"""A question that so many more people skipped than were to answer it is asked no more."""

_TABLES = (
    f"""CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY,
    prediction_id TEXT NOT NULL,
    batch TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    event_us INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    reason TEXT NOT NULL,
    probability REAL NOT NULL,
    priority REAL NOT NULL,
    answers INTEGER NOT NULL,
    shown TEXT NOT NULL,
    opinion TEXT NOT NULL,
    known TEXT,
    labels INTEGER NOT NULL DEFAULT 0,
    skips INTEGER NOT NULL DEFAULT 0,
    withdrawn_us INTEGER,
    open INTEGER NOT NULL GENERATED ALWAYS AS
      (withdrawn_us IS NULL AND labels < answers AND skips < answers + {SKIPS}) STORED
) STRICT""",
    "CREATE INDEX tasks_open ON tasks (priority DESC, asked_us, task_id) WHERE open",
    "CREATE INDEX tasks_row ON tasks (prediction_id)",
    """CREATE TABLE leases (
    task_id TEXT NOT NULL REFERENCES tasks,
    annotator TEXT NOT NULL,
    since_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (task_id, annotator)
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX leases_of ON leases (annotator)",
    # AUTOINCREMENT: who has read up to a number has read everything below it, for ever.
    """CREATE TABLE answers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    annotation_id TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL REFERENCES tasks,
    prediction_id TEXT NOT NULL,
    annotator TEXT NOT NULL,
    said TEXT NOT NULL CHECK (said IN ('label', 'skip')),
    value TEXT CHECK ((value IS NULL) = (said = 'skip')),
    answered_us INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    duration_seconds REAL,
    confidence REAL,
    route TEXT NOT NULL,
    saw_opinion INTEGER NOT NULL,
    note TEXT NOT NULL,
    undone_us INTEGER
) STRICT""",
    # Questions of earlier batches that the audit of a later one drew: nobody is asked again.
    """CREATE TABLE audits (
    task_id TEXT PRIMARY KEY REFERENCES tasks,
    batch TEXT NOT NULL,
    drawn_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    probability REAL NOT NULL,
    priority REAL NOT NULL
) STRICT, WITHOUT ROWID""",
    """CREATE UNIQUE INDEX answers_once ON answers (prediction_id, annotator, said)
WHERE undone_us IS NULL""",
    "CREATE INDEX answers_task ON answers (task_id)",
    "CREATE INDEX answers_of ON answers (annotator, seq)",
    # Questions that wait elsewhere; without an external id it is unknown whether they arrived.
    """CREATE TABLE placements (
    task_id TEXT PRIMARY KEY REFERENCES tasks,
    route TEXT NOT NULL,
    external TEXT,
    placed_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
)


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of one errand; the database is made where there is none.

    Raises:
        ReviewError: SQLite refused, or the file is something else.
    """
    try:
        with closing(_connect(path)) as con:
            if not _known(con, path):
                with locked(path.with_suffix(".lock")):
                    if not _known(con, path):
                        _create(con, path)
            yield con
    except (OSError, sqlite3.Error, LedgerError) as error:
        raise ReviewError(
            f"{path}: {error}. Nothing of this was kept; if the file is damaged, restore it from a "
            "backup (what the tables took of it is safe)"
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection within one transaction, committed at the end and undone by any error.

    Raises:
        ReviewError: SQLite refused, or the file is something else.
    """
    with connected(path) as con:
        con.execute("BEGIN IMMEDIATE")
        try:
            yield con
        except BaseException:
            con.execute("ROLLBACK")
            raise
        con.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        sync_folder(path.parent)
        sync_folder(path.parent.parent)
    con = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    con.execute("PRAGMA synchronous = FULL")
    con.execute("PRAGMA foreign_keys = ON")
    con.row_factory = sqlite3.Row
    return con


def _known(con: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a review database already; False of one with nothing in it."""
    application = con.execute("PRAGMA application_id").fetchone()[0]
    version = con.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) == (APPLICATION, VERSION):
        return True
    if application == APPLICATION:
        raise ReviewError(
            f"{path} has review tables of version {version}, this release knows {VERSION}: "
            "use the release that wrote it"
        )
    if application or con.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise ReviewError(f"{path} is a database of something else: move it away")
    return False


def _create(con: sqlite3.Connection, path: Path) -> None:
    if con.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise ReviewError(
            f"{path}: its file system lacks what SQLite's WAL needs; use a local disk"
        )
    con.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        con.execute(statement)
    con.execute(f"PRAGMA application_id = {APPLICATION}")
    con.execute(f"PRAGMA user_version = {VERSION}")
    con.execute("COMMIT")
