"""The ledger of one loop in SQLite: records are added, never changed, never removed."""

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import rfc8785

from feedback_assets.ledger.records import GENESIS, Entry, Record

BUSY_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY,
    subject TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    time TEXT NOT NULL,
    actor TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS records_never_change BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no update'); END;
CREATE TRIGGER IF NOT EXISTS records_never_go BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no delete'); END;
"""
_COLUMNS = "seq, subject, kind, time, actor, body, previous, hash"


def ledger_path(folder: Path, loop: str) -> Path:
    """The database of a loop's ledger."""
    return folder / f"{loop}.db"


class Ledger:
    """One loop's ledger; any number of processes may append."""

    def __init__(self, folder: Path, loop: str) -> None:
        self.loop = loop
        self.path = ledger_path(folder, loop)

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Record entries durably, in their order, in one commit.

        Returns:
            For each entry its record; of one whose subject is recorded already, what stands.
        """
        with self._connected() as con:
            con.execute("BEGIN IMMEDIATE")
            last = con.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
            seq, previous = last or (0, GENESIS)
            told: list[Record] = []
            for entry in entries:
                known = con.execute(
                    f"SELECT {_COLUMNS} FROM records WHERE subject = ?", (entry.subject,)
                ).fetchone()
                if known is not None:
                    told.append(self._record(known))
                    continue
                record = Record.after(seq + 1, self.loop, previous, entry)
                con.execute(
                    f"INSERT INTO records ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)", _row(record)
                )
                seq, previous = record.seq, record.hash
                told.append(record)
            con.execute("COMMIT")
        return told

    def records(self, after: int = 0) -> Iterator[Record]:
        """Every record after one, oldest first; none where there is no ledger yet."""
        if not self.path.exists():
            return
        with self._connected() as con:
            for row in con.execute(
                f"SELECT {_COLUMNS} FROM records WHERE seq > ? ORDER BY seq", (after,)
            ):
                yield self._record(row)

    def holds(self, seq: int, digest: str) -> bool:
        """Whether the record at a place has this hash."""
        if not self.path.exists():
            return False
        with self._connected() as con:
            row = con.execute("SELECT hash FROM records WHERE seq = ?", (seq,)).fetchone()
        return bool(row and row[0] == digest)

    def head(self) -> tuple[int, str]:
        """Sequence number and hash of the newest record; 0 and `GENESIS` before the first."""
        if not self.path.exists():
            return 0, GENESIS
        with self._connected() as con:
            row = con.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
        return (int(row[0]), str(row[1])) if row else (0, GENESIS)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        con = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            con.execute("PRAGMA journal_mode = WAL")
            con.execute("PRAGMA synchronous = FULL")
            con.executescript(_SCHEMA)
            yield con
        finally:
            con.close()

    def _record(self, row: tuple[int, str, str, str, str, str, str, str]) -> Record:
        seq, subject, kind, time, actor, body, previous, digest = row
        return Record(
            seq, self.loop, subject, kind, dt.datetime.fromisoformat(time), actor,
            json.loads(body), previous, digest,
        )  # fmt: skip


def _row(record: Record) -> tuple[object, ...]:
    time = record.time.astimezone(dt.UTC).isoformat()
    body = rfc8785.dumps(dict(record.body)).decode()
    return (
        record.seq, record.subject, record.kind, time, record.actor, body, record.previous,
        record.hash,
    )  # fmt: skip
