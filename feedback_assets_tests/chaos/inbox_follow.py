"""A process that follows the inbox by sequence number into a table of its own, and prunes behind."""

import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import InboxReader, Stream
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos.inbox_load import LOOP, small_segments
from feedback_assets_tests.chaos.inbox_notes import STREAMS

HOUR_US = 3_600_000_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (stream TEXT, seq INTEGER, key TEXT);
CREATE TABLE IF NOT EXISTS cursors (stream TEXT PRIMARY KEY, after INTEGER);
"""
CURSOR_FIRST = "the cursor before the table"
TAKEN_FIRST = "taken before the table"


def run(home: str, table: str, segment: int, mutant: str, to_the_end: bool) -> int:
    """Follow for ever, or until there is nothing more."""
    with small_segments(segment):
        return _follow(
            Settings(home=Path(home), inbox_url=None, inbox_keep_days=0, inbox_free_mb=0),
            table,
            mutant,
            to_the_end=to_the_end,
        )


def _follow(settings: Settings, table: str, mutant: str, *, to_the_end: bool) -> int:
    while (reader := open_reader(settings)) is None:
        time.sleep(0.01)
    with closing(sqlite3.connect(table, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript(SCHEMA)
        while True:
            taken = sum(_step(reader, database, stream, mutant) for stream in STREAMS)
            if to_the_end and not taken:
                return 0
            time.sleep(0.005)


def _step(reader: InboxReader, database: sqlite3.Connection, stream: Stream, mutant: str) -> int:
    cursor = database.execute("SELECT after FROM cursors WHERE stream = ?", (stream,)).fetchone()
    after = cursor[0] if cursor else 0
    until = reader.head()
    if mutant == CURSOR_FIRST:
        _advance(database, stream, until)
    if mutant == TAKEN_FIRST:
        reader.taken(stream, LOOP, until)
        time.sleep(0.05)
    rows = [
        (stream, seq, key)
        for hour in reader.hours(stream, LOOP, after, until)
        for batch in reader.batches(stream, LOOP, hour, hour + HOUR_US, until)
        for seq, key in zip(batch["seq"].to_pylist(), batch["key"].to_pylist(), strict=True)
        if seq > after
    ]
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
    _advance(database, stream, until)
    database.execute("COMMIT")
    reader.taken(stream, LOOP, until)
    return len(rows)


def _advance(database: sqlite3.Connection, stream: Stream, until: int) -> None:
    database.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (stream, until))


def followed(table: Path) -> tuple[Counter[int], set[str]]:
    """How often each number is in the table, and the keys there."""
    with closing(sqlite3.connect(table)) as database:
        rows = database.execute("SELECT seq, key FROM rows").fetchall()
    return Counter(seq for seq, _ in rows), {key for _, key in rows}
