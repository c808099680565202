"""The SQLite inbox: WAL, synchronous=FULL, one writer, rows numbered in commit order."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from feedback_assets.capture.inbox import replays, space, state
from feedback_assets.capture.inbox.insert import COLUMNS, compare, insert, lay_out
from feedback_assets.capture.inbox.jobs import Job, by_job
from feedback_assets.capture.inbox.lock import Role, WriterLock
from feedback_assets.capture.inbox.lookup import Lookup
from feedback_assets.capture.inbox.pruning import prunable, prune_batch
from feedback_assets.capture.inbox.receipts import read_receipts
from feedback_assets.capture.inbox.records import Outcome, Replay
from feedback_assets.capture.inbox.schema import (
    DATABASE,
    Connection,
    connect,
    connect_read_only,
    make_files,
)
from feedback_assets.capture.inbox.seen import Seen
from feedback_assets.capture.inbox.segments import grow
from feedback_assets.capture.inbox.transaction import in_words, transaction
from feedback_assets.errors import InboxClosedError, InboxError, InboxFullError
from feedback_assets.settings import Settings

CHECKPOINT_ROWS = 2_000
"""Rows after which the WAL goes into the database: some ten MB."""
CHORES_SECONDS = 2.0
PACE_SECONDS = 0.02
"""Between two batches of pruning, so that appends go on."""
CLOCK_US = 60_000_000
DAY_US = 86_400_000_000


class SqliteStore:
    """A Store (store.py) that holds the writer's lock."""

    def __init__(
        self,
        settings: Settings,
        role: Role,
        connect: Callable[[Path], Connection] = connect,
        connect_reader: Callable[[Path], Connection] = connect_read_only,
        free: Callable[[Path], int] = space.free_bytes,
    ) -> None:
        self._keep_us = int(settings.inbox_keep_days * DAY_US)
        self._floor = space.Floor(settings.inbox, settings.inbox_free_mb, free)
        self._lookup = Lookup(settings.inbox / DATABASE, connect_reader)
        self._broken = False
        self._stuck = ""
        self._unmerged = 0
        self._seen = Seen(replays.LIFE_SECONDS)
        with contextlib.ExitStack() as undo:
            undo.enter_context(_opening(settings.inbox))
            self._path = make_files(settings.inbox)
            self._lock = undo.enter_context(WriterLock(settings.inbox, role))
            self._connection = undo.enter_context(contextlib.closing(connect(self._path)))
            self._load()
            undo.pop_all()

    def _load(self) -> None:
        state.prepare(self._connection, self._path)
        self._seq = state.newest(self._connection)
        self._open = state.load_open(self._connection)
        self._channels = state.Channels(self._connection)
        self._clock = state.load_clock(self._connection)
        self._save_clock()
        for principal, key in self._connection.execute("SELECT principal, key FROM replays"):
            self._seen.add(principal, key)

    def write(self, jobs: Sequence[Job], counters: Mapping[str, float]) -> list[list[Outcome]]:
        """See `Store`."""
        with self._watched():
            self._merge(CHECKPOINT_ROWS)
            if self._stuck:
                raise InboxFullError(self._stuck)
            return self._write(jobs, counters)

    def room(self) -> str:
        """See `Store`."""
        with self._watched():
            if self._stuck:
                self._merge(0)
            return self._stuck or self._floor.problem()

    def chores(self) -> float:
        """See `Store`: prune, forget old replays, merge the WAL, save the clock."""
        more = False
        with contextlib.suppress(InboxFullError), self._watched():
            more = self.prune() > 0
            more |= replays.sweep(self._connection, self._clock.now())
            if self._clock.now() - self._saved_us >= CLOCK_US:
                self._save_clock()
            if not more:
                self._merge(1)
        return PACE_SECONDS if more else CHORES_SECONDS

    def prune(self) -> int:
        """Delete some rows that the tables hold; how many went, 0 when none may."""
        with self._watched():
            receipts = read_receipts(self._path.parent)
            below = prunable(self._connection, receipts, self._clock.now() - self._keep_us)
            gone = prune_batch(self._connection, below) if below else 0
        self._unmerged += gone
        return gone

    def counters(self) -> dict[str, float]:
        """See `Store`."""
        return state.load_counters(self._connection)

    def may_know(self, principal: str, key: str) -> bool:
        """See `Store`."""
        return self._seen.may_know(principal, key)

    def find(self, stream: str, loop: str, key: str) -> bytes | None:
        """See `Store`."""
        return self._lookup.find(stream, loop, key)

    def replayed(self, principal: str, key: str) -> Replay | None:
        """See `Store`."""
        return self._lookup.replayed(principal, key, self._clock.now())

    def close(self) -> None:
        """See `Store`."""
        with contextlib.suppress(InboxFullError, InboxClosedError, sqlite3.Error):
            if not self._broken:
                self._save_clock()
            self._lookup.close()
            self._connection.close()
        self._lock.release()

    def _write(self, jobs: Sequence[Job], counters: Mapping[str, float]) -> list[list[Outcome]]:
        flat, placed = lay_out(jobs, self._channels, self._seq)
        now = self._clock.now()
        with transaction(self._connection):
            if insert(self._connection, flat) == len(placed):
                outcomes = [Outcome("stored", seq) for seq, _ in placed]
            else:
                entries = [entry for job in jobs for entry in job.entries]
                outcomes = compare(self._connection, placed, entries, self._seq)
                placed = [
                    at for at, what in zip(placed, outcomes, strict=True) if at[0] == what.seq
                ]
            grown, closed = grow(self._open, placed)
            for end in closed:
                row = (end.segment, end.channel, end.last, now)
                self._connection.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", row)
            answers, kept = by_job(jobs, outcomes)
            for replay in kept:
                replays.keep(self._connection, replay, now)
            for counter in counters.items():
                self._connection.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", counter)
        self._open = grown
        self._seq += len(flat) // COLUMNS
        self._unmerged += len(placed) + 1
        for replay in kept:
            self._seen.add(replay.principal, replay.key)
        return answers

    def _merge(self, rows: int) -> None:
        """Bring the WAL into the database when it holds that many rows or more."""
        if self._unmerged < rows:
            return
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            # What the WAL holds is safe; the rest waits until there is room.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
                raise InboxClosedError(str(in_words(error, before_commit=False))) from error
            self._stuck = f"{self._path.parent}: the disk is full; free some space"
        else:
            self._stuck = ""
            self._unmerged = 0

    def _save_clock(self) -> None:
        state.save_clock(self._connection, self._clock)
        self._saved_us = self._clock.now()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Translate errors, and write no more after a fatal one."""
        try:
            yield
        except InboxClosedError:
            self._broken = True
            raise
        except (sqlite3.Error, OSError) as error:
            words = in_words(error, before_commit=True)
            self._broken = isinstance(words, InboxClosedError)
            raise words from error


@contextlib.contextmanager
def _opening(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise InboxError(f"{folder}: the inbox cannot be opened ({error})") from error
