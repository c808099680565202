"""The ledger of one loop in SQLite: records are added, never changed, never removed."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from feedback_assets.errors import LedgerError
from feedback_assets.ledger import merkle
from feedback_assets.ledger.records import (
    GENESIS,
    Entry,
    Record,
    Row,
    leaf_of,
    record_of,
    row_after,
)
from feedback_assets.ledger.schema import prepare

BUSY_SECONDS = 60.0
TILE_BITS = 8
"""Of the Merkle tree each eighth level is stored."""
TILE = 1 << TILE_BITS
_COLUMNS = "seq, subject, kind, time, actor, body, previous, hash"


def ledger_path(folder: Path, loop: str) -> Path:
    """The database of a loop's ledger."""
    return folder / f"{loop}.db"


class Ledger:
    """One loop's ledger; any number of processes may append.

    Every method raises `LedgerError` where the file is damaged, foreign or cannot be written.
    """

    def __init__(self, folder: Path, loop: str) -> None:
        self.loop = loop
        self.path = ledger_path(folder, loop)

    def append(self, entries: Sequence[Entry]) -> list[Record]:
        """Record entries durably, in their order, in one commit.

        Returns:
            For each entry its record; of one whose subject is recorded already, what stands.

        Raises:
            LedgerError: An entry cannot be recorded; then none of them is.
        """
        with self.connected() as con:
            con.execute("BEGIN IMMEDIATE")
            last = con.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
            seq, previous = last or (0, GENESIS)
            told: list[Record] = []
            for entry in entries:
                known = con.execute(
                    f"SELECT {_COLUMNS} FROM records WHERE subject = ?", (entry.subject,)
                ).fetchone()
                if known is None:
                    known = row_after(seq + 1, self.loop, previous, entry)
                    con.execute(f"INSERT INTO records ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)", known)
                    seq, previous = known[0], known[-1]
                    _grow(con, seq)
                told.append(record_of(self.loop, known))
            con.execute("COMMIT")
        return told

    def records(self, after: int = 0) -> Iterator[Record]:
        """Every record after one, oldest first; none where there is no ledger yet."""
        for row in self.rows(after):
            yield record_of(self.loop, row)

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Every record after one as it is stored, oldest first."""
        if not self.path.exists():
            return
        with self.connected() as con:
            yield from con.execute(
                f"SELECT {_COLUMNS} FROM records WHERE seq > ? ORDER BY seq", (after,)
            )

    def row(self, seq: int) -> Row:
        """One record as it is stored.

        Raises:
            LedgerError: There is no such record.
        """
        found = next(self.rows(seq - 1), None)
        if found is None or found[0] != seq:
            raise LedgerError(f"{self.loop}: no record {seq}; the newest is {self.head()[0]}")
        return found

    def holds(self, seq: int, digest: str) -> bool:
        """Whether the record at a place has this hash."""
        if not self.path.exists():
            return False
        with self.connected() as con:
            row = con.execute("SELECT hash FROM records WHERE seq = ?", (seq,)).fetchone()
        return bool(row and row[0] == digest)

    def head(self) -> tuple[int, str]:
        """Sequence number and hash of the newest record; 0 and `GENESIS` before the first."""
        if not self.path.exists():
            return 0, GENESIS
        with self.connected() as con:
            row = con.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
        return (int(row[0]), str(row[1])) if row else (0, GENESIS)

    def hash_of(self, seq: int) -> str:
        """Hash of one record; `GENESIS` for 0.

        Raises:
            LedgerError: There is no such record.
        """
        return str(self.row(seq)[-1]) if seq else GENESIS

    def root(self, size: int) -> bytes:
        """Root of the Merkle tree over the first `size` records (RFC 6962).

        Raises:
            LedgerError: There are fewer records.
        """
        with self.connected() as con:
            return merkle.root(size, self._subtrees(con))

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The proof that a record is in the tree over the first `size`.

        Raises:
            LedgerError: It is not.
        """
        with self.connected() as con:
            try:
                return merkle.inclusion_proof(seq - 1, size, self._subtrees(con))
            except ValueError as error:
                raise LedgerError(
                    f"{self.loop}: record {seq} is not of the first {size}"
                ) from error

    def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the tree over the first `size` records continues the one over `old`.

        Raises:
            LedgerError: It cannot.
        """
        with self.connected() as con:
            try:
                return merkle.consistency_proof(old, size, self._subtrees(con))
            except ValueError as error:
                raise LedgerError(f"{self.loop}: {error}") from error

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection of one errand; what it leaves uncommitted is undone.

        Raises:
            LedgerError: SQLite refused.
        """
        try:
            con = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(f"{self.path} cannot be opened: {error}") from error
        try:
            prepare(con, self.path)
            yield con
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(
                f"{self.path}: {error}. Nothing of this was recorded; if the file is damaged, "
                "restore it from a backup and compare it by `feedback-assets audit verify`"
            ) from error
        finally:
            con.close()

    def _opened(self) -> sqlite3.Connection:
        folder = self.path.parent
        if not folder.exists() or os.access(folder, os.W_OK):
            folder.mkdir(parents=True, exist_ok=True)
            return sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        # An auditor's copy that cannot be written: SQLite would want to make files beside it.
        how = "mode=ro" if self.path.with_name(f"{self.path.name}-wal").exists() else "immutable=1"
        return sqlite3.connect(
            f"{self.path.as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )

    def _subtrees(self, con: sqlite3.Connection) -> merkle.Subtree:
        def subtree(level: int, place: int) -> bytes:
            stored = level - level % TILE_BITS
            first, count = place << (level - stored), 1 << (level - stored)
            if stored:
                rows = con.execute(
                    "SELECT hash FROM tree WHERE level = ? AND place BETWEEN ? AND ? "
                    "ORDER BY place",
                    (stored, first, first + count - 1),
                ).fetchall()
                hashes = [row[0] for row in rows]
            else:
                hashes = _leaves(con, first, count)
            if len(hashes) != count:
                raise LedgerError(
                    f"{self.path}: of records {(place << level) + 1} to {(place + 1) << level} "
                    "some are not there; see `feedback-assets audit verify`"
                )
            return merkle.complete(hashes)

        return subtree


def _grow(con: sqlite3.Connection, seq: int) -> None:
    """Store the nodes that a record has completed."""
    level = TILE_BITS
    while seq % (1 << level) == 0:
        place = (seq >> level) - 1
        if level == TILE_BITS:
            below = _leaves(con, seq - TILE, TILE)
        else:
            rows = con.execute(
                "SELECT hash FROM tree WHERE level = ? AND place >= ? ORDER BY place",
                (level - TILE_BITS, place << TILE_BITS),
            )
            below = [row[0] for row in rows]
        con.execute("INSERT INTO tree VALUES (?, ?, ?)", (level, place, merkle.complete(below)))
        level += TILE_BITS


def _leaves(con: sqlite3.Connection, after: int, count: int) -> list[bytes]:
    """Leaf hashes of the records after one."""
    rows = con.execute(
        "SELECT hash FROM records WHERE seq > ? AND seq <= ? ORDER BY seq", (after, after + count)
    )
    return [leaf_of(row[0]) for row in rows]
