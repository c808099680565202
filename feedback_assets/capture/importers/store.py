"""What an import remembers: files read, records landed, halves that wait, files not yet named."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.reading import Place
from feedback_assets.capture.importers.records import Part
from feedback_assets.errors import SourceError

_SHAPE = """
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY, fingerprint TEXT, layout TEXT, offset INTEGER, digest TEXT, carry TEXT);
CREATE TABLE IF NOT EXISTS seen (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unpaired (
    id TEXT, half INTEGER, since_us INTEGER, file_us INTEGER, part BLOB, line TEXT, key BLOB,
    PRIMARY KEY (id, half)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unpaired_since ON unpaired (since_us);
CREATE TABLE IF NOT EXISTS pending (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER);
CREATE TEMP TABLE asked (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE asked_for (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Part).decode


class Waiting(NamedTuple):
    """A half that waits for the other."""

    part: Part
    since_us: int
    file_us: int
    """When its file was last written: the time of a record that states none."""
    line: str
    key: bytes
    """What tells the record from others."""


class Store:
    """The state of one loop's imports of one kind, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.con = sqlite3.connect(path, isolation_level=None)
        self.con.execute("PRAGMA journal_mode = WAL")
        self.con.execute("PRAGMA synchronous = FULL")
        self.con.execute("PRAGMA temp_store = MEMORY")
        self.con.executescript(_SHAPE)

    def place(self, file: SourceFile, layout: str) -> Place | None:
        """Return where to go on in a file; None when it has not changed since it was read.

        What was read with another layout is read from its beginning.
        """
        row = self.con.execute(
            "SELECT fingerprint, layout, offset, digest, carry FROM files WHERE name = ?",
            [file.name],
        ).fetchone()
        if row is None or row[1] != layout:
            return Place()
        return None if row[0] == file.fingerprint else Place(*row[2:])

    def seen(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return which of the records came before."""
        self._ask("asked", ids)
        found = self.con.execute("SELECT id FROM asked WHERE id IN (SELECT id FROM seen)")
        return {row[0] for row in found}

    def _ask(self, table: str, ids: Sequence[bytes] | Sequence[str]) -> None:
        self.con.execute("BEGIN")  # or each of the rows would be a transaction of its own
        self.con.execute(f"DELETE FROM {table}")
        self.con.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?)", [(i,) for i in ids])
        self.con.execute("COMMIT")

    def waiting(self, ids: Sequence[str]) -> dict[tuple[str, int], Waiting]:
        """Return the halves of some records that wait."""
        self._ask("asked_for", ids)
        rows = self.con.execute(
            "SELECT id, half, part, since_us, file_us, line, key FROM unpaired "
            "WHERE id IN (SELECT id FROM asked_for)"
        )
        return {(row[0], row[1]): Waiting(_decode(row[2]), *row[3:]) for row in rows}

    def expired(self, before_us: int, most: int) -> list[tuple[str, int, Waiting]]:
        """Return halves that have waited since before a moment, the oldest first."""
        rows = self.con.execute(
            "SELECT id, half, part, since_us, file_us, line, key FROM unpaired "
            "WHERE since_us < ? ORDER BY since_us, id, half LIMIT ?",
            [before_us, most],
        )
        return [(row[0], row[1], Waiting(_decode(row[2]), *row[3:])) for row in rows]

    def ages(self) -> tuple[int, int | None]:
        """Return how many halves wait and since when the oldest does."""
        count, oldest = self.con.execute("SELECT count(*), min(since_us) FROM unpaired").fetchone()
        return int(count), oldest

    def next_number(self) -> int:
        """Return the number of the next landed file; it is taken with the transaction."""
        self.con.execute(
            "INSERT INTO counters VALUES ('files', 1) "
            "ON CONFLICT (name) DO UPDATE SET value = value + 1"
        )
        row = self.con.execute("SELECT value FROM counters WHERE name = 'files'").fetchone()
        return int(row[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything that is written inside the block, or nothing of it."""
        self.con.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    def keep_seen(self, ids: Sequence[bytes]) -> None:
        """Remember records."""
        self.con.executemany("INSERT OR IGNORE INTO seen VALUES (?)", ((i,) for i in sorted(ids)))

    def forget(self, ids: Sequence[bytes]) -> None:
        """Forget records, so that they are new when they come again."""
        self.con.executemany("DELETE FROM seen WHERE id = ?", ((i,) for i in ids))

    def keep_waiting(self, halves: Sequence[Waiting]) -> None:
        """Let halves wait."""
        self.con.executemany(
            "INSERT OR REPLACE INTO unpaired VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (h.part.id, h.part.half, h.since_us, h.file_us, _encode(h.part), h.line, h.key)
                for h in halves
            ),
        )

    def drop_waiting(self, keys: Sequence[tuple[str, int]]) -> None:
        """Let halves wait no longer."""
        self.con.executemany("DELETE FROM unpaired WHERE id = ? AND half = ?", keys)

    def keep_place(self, file: SourceFile, layout: str, place: Place, complete: bool) -> None:
        """Remember how far a file was read; unless complete, it is looked at again."""
        self.con.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            [
                file.name,
                file.fingerprint if complete else "",
                layout,
                place.offset,
                place.digest,
                place.carry,
            ],
        )

    def keep_pending(self, name: str) -> None:
        """Remember a file that is written and has not got its name yet."""
        self.con.execute("INSERT INTO pending VALUES (?)", [name])

    def pending(self) -> list[str]:
        """Return the files that were written and have no name yet, or whose naming was not noted."""
        return [row[0] for row in self.con.execute("SELECT name FROM pending ORDER BY name")]

    def drop_pending(self, names: Sequence[str]) -> None:
        """Note that files have their names."""
        self.con.executemany("DELETE FROM pending WHERE name = ?", ((n,) for n in names))

    def close(self) -> None:
        """End."""
        self.con.close()


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """Open the state for the time of the block.

    Raises:
        SourceError: if the file is damaged, or the disk fails.
    """
    store: Store | None = None
    try:
        store = Store(path)
        yield store
    except sqlite3.Error as error:
        raise SourceError(
            f"{path}: the import's state cannot be used: {error}; if it is damaged, move it away: "
            "files are then read again, and staging refuses what is there twice"
        ) from error
    finally:
        if store is not None:
            store.close()
