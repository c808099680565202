"""The real writer on a disk that loses its power, life after life."""

import asyncio
import copy
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from feedback_assets.capture.inbox import sqlite
from feedback_assets.capture.inbox.open import open_sqlite
from feedback_assets.capture.inbox.receipts import write_receipt
from feedback_assets.capture.inbox.records import Inbox
from feedback_assets.errors import InboxError
from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.inbox_load import LOOP, Clients, Load, small_segments
from feedback_assets_tests.chaos.inbox_notes import STREAMS, Notes, Row, Told, Verdict, judge
from feedback_assets_tests.chaos.powerloss import Disk, powered
from feedback_assets_tests.chaos.powerloss_connection import DiskConnection

OPERATIONS = 600
"""The power goes before so many writes and syncs."""
CLIENTS = 6
ROWS = """
SELECT e.seq, e.key, e.body FROM entries e JOIN channels c ON c.id = e.channel WHERE c.loop = ?
ORDER BY e.seq
"""
PRUNED = "SELECT coalesce(max(pruned_through), 0) FROM channels"
SEGMENT = 40


@contextmanager
def busy(chance: random.Random) -> Iterator[None]:
    """Merge the log, prune and save often enough for a short life to see all of it."""
    usual = (sqlite.CHECKPOINT_ROWS, sqlite.CHORES_SECONDS, sqlite.CLOCK_US)
    sqlite.CHECKPOINT_ROWS = chance.choice([10, 100, 2_000])
    sqlite.CHORES_SECONDS = chance.choice([0.005, 0.02, 2.0])
    sqlite.CLOCK_US = 0
    try:
        with small_segments(SEGMENT):
            yield
    finally:
        sqlite.CHECKPOINT_ROWS, sqlite.CHORES_SECONDS, sqlite.CLOCK_US = usual


class Life:
    """One disk, its database and what clients were told about it.

    Args:
        root: For the files that are not on the disk, such as the writer's lock.
        disk: Holds the database.
        mutant: How the writer is broken, if at all.
    """

    def __init__(self, root: Path, disk: Disk, mutant: str = "") -> None:
        self.disk, self.mutant = disk, mutant
        self.load = Load(str(root), "", clients=CLIENTS, segment=SEGMENT)
        self.lines: list[str] = []
        self.lives = 0
        self.opened = 0
        self.taken: list[Row] = []
        """Rows that a table holds; the inbox may prune them."""
        self.pruned = 0

    @property
    def told(self) -> Told:
        return Told.of(self.lines)

    def round(self) -> None:
        """Serve clients until the power is gone, and switch it on again."""
        self.lives += 1
        chance = self.disk.chance
        self.disk.last = self.disk.operations + chance.randrange(1, OPERATIONS)
        with inbox_mutants.applied(self.mutant, self._connect), busy(chance):
            asyncio.run(self._serve())
        assert self.disk.dead
        self.disk.lose_power()

    def verdict(self) -> Verdict:
        """What the table and the disk hold, and a leave to prune what the table takes now.

        Raises:
            sqlite3.DatabaseError: The file is damaged.
        """
        last = self.taken[-1][0] if self.taken else 0
        rows = [*self.taken, *(row for row in self._rows() if row[0] > last)]
        told = self.told
        # A row is not pruned while its client may repeat it: inbox_keep_days sees to that.
        done = list(takewhile(lambda row: row[1] in told.acknowledged, rows))
        if len(done) > len(self.taken) and self.disk.chance.random() < 0.5:
            self.taken = done
            for stream in STREAMS:
                write_receipt(self.load.settings.inbox, stream, LOOP, done[-1][0])
        return judge(told, rows, LOOP)

    def _rows(self) -> list[Row]:
        """By number, seen on a copy of the disk: this look must not heal anything."""
        with powered(0, self.disk.sector) as image:
            image.folder = copy.deepcopy(self.disk.folder)
            with closing(DiskConnection(image, self._database)) as connection:
                if not connection.execute("PRAGMA user_version").fetchone()[0]:
                    return []
                found = connection.execute("PRAGMA integrity_check").fetchall()
                if found != [("ok",)]:
                    raise sqlite3.DatabaseError(str(found))
                self.pruned = connection.execute(PRUNED).fetchone()[0]
                return connection.execute(ROWS, (LOOP,)).fetchall()

    @property
    def _database(self) -> Path:
        return self.load.settings.inbox / "inbox.db"

    def _connect(self, path: Any, **options: Any) -> Any:
        assert not options.get("uri"), "only the writer has a connection here"
        return DiskConnection(self.disk, Path(path))

    async def _serve(self) -> None:
        self.disk.keep(str(self._database))  # made and synced by the writer outside of SQLite
        try:
            inbox: Inbox = await asyncio.to_thread(
                open_sqlite, self.load.settings, free=lambda _: 1 << 40
            )
        except InboxError:
            assert self.disk.dead
            return
        self.opened += 1
        lines = Notes(lambda text: self.lines.extend(text.splitlines()))
        load = Load(self.load.home, "", life=self.lives, clients=CLIENTS)
        clients = Clients(load, inbox, lines, random.Random(self.lives))
        await clients.run(self.told.unanswered)
        assert self.disk.dead, inbox.stopped()
        await inbox.close()


@contextmanager
def living(root: Path, seed: int, mutant: str = "") -> Iterator[Life]:
    """A new disk; its kind depends on the seed."""
    sector = (512, 4_096)[seed % 2]
    with powered(seed, sector, safe_overwrite=seed % 4 < 2) as disk:
        yield Life(root, disk, mutant)
