"""The inbox over any database: one writing thread, one commit for all who wait."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from feedback_assets.capture.inbox.jobs import Job, is_key, make_job
from feedback_assets.capture.inbox.records import Entry, Outcome, Replay
from feedback_assets.capture.inbox.store import Store
from feedback_assets.capture.inbox.telling import Results, tell
from feedback_assets.capture.inbox.waiting import Waiting
from feedback_assets.errors import InboxClosedError, InboxError, InboxFullError

ROOM_SECONDS = 0.5
"""How old the last look at the free space may be."""
CLOSED = "The inbox was closed"
BROKEN = "The inbox's writer ended unexpectedly"
Answer = TypeVar("Answer")


class GroupInbox:
    """An Inbox (records.py): acknowledges after the commit, in one call into the event loop.

    The event loop never touches the database: reads have a thread of their own.
    """

    def __init__(self, store: Store, queue_rows: int) -> None:
        self._store = store
        self._waiting = Waiting(queue_rows)
        self._counters = store.counters()
        self._unsaved: dict[str, float] = {}
        self._unsaved_lock = threading.Lock()
        self._looked = -ROOM_SECONDS
        self._reader = ThreadPoolExecutor(1, "inbox-reader")
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    async def append(self, entries: Sequence[Entry], replay: Replay | None = None) -> list[Outcome]:
        """See `Inbox`; an entry that cannot be stored as it is raises InboxError."""
        if not entries and replay is None:
            return []
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.put(make_job(entries, replay, done))
        return await done

    def append_soon(self, entries: Sequence[Entry]) -> bool:
        """See `Inbox`."""
        try:
            self._waiting.put(make_job(entries))
        except (InboxFullError, InboxClosedError):
            return False
        return True

    async def remember(self, replay: Replay) -> None:
        """See `Inbox`."""
        await self.append((), replay)

    async def replayed(self, principal: str, key: str) -> Replay | None:
        """See `Inbox`."""
        if not is_key(key) or not self._store.may_know(principal, key):
            return None
        return await self._read(lambda: self._store.replayed(principal, key))

    async def find(self, stream: str, loop: str, key: str) -> bytes | None:
        """See `Inbox`; what cannot be a key is not there."""
        if not is_key(key):
            return None
        return await self._read(lambda: self._store.find(stream, loop, key))

    def counters(self) -> dict[str, float]:
        """See `Inbox`."""
        return dict(self._counters)

    def save_counters(self, counters: Mapping[str, float]) -> None:
        """See `Inbox`; names that are not given keep what was saved."""
        with self._unsaved_lock:
            self._unsaved.update(counters)

    def waiting(self) -> int:
        """See `Inbox`."""
        return self._waiting.rows

    def stopped(self) -> str:
        """See `Inbox`."""
        return self._waiting.ended

    async def close(self) -> None:
        """See `Inbox`; closing twice does no harm."""
        self._waiting.end(CLOSED)
        await asyncio.to_thread(self._thread.join)

    async def _read(self, question: Callable[[], Answer]) -> Answer:
        try:
            asked = self._reader.submit(question)
        except RuntimeError:
            raise InboxClosedError(self._waiting.ended) from None
        return await asyncio.wrap_future(asked)

    def _run(self) -> None:
        why = BROKEN
        try:
            self._serve()
            why = CLOSED
        except InboxClosedError as error:
            why = str(error)
        finally:
            self._waiting.end(why)
            failed = InboxClosedError(why)
            tell([(job, failed) for job in self._waiting.rest()])
            self._reader.shutdown(wait=True)
            self._store.close()

    def _serve(self) -> None:
        chores = time.monotonic()
        while True:
            now = time.monotonic()
            pause = min(chores - now, ROOM_SECONDS) if self._waiting.full else chores - now
            group = self._waiting.get(max(pause, 0))
            if group is None:
                break
            self._look_for_room()
            if group:
                self._settle(group)
            if time.monotonic() >= chores:
                self._save()
                chores = time.monotonic() + self._store.chores()
        self._save()

    def _look_for_room(self) -> None:
        if time.monotonic() - self._looked >= ROOM_SECONDS:
            self._waiting.full = self._store.room()
            self._looked = time.monotonic()

    def _settle(self, group: list[Job]) -> None:
        """Store a group and tell those who wait; on a fatal error tell them, then raise it."""
        results: Results = []
        why = BROKEN
        try:
            self._store_group(group, results)
        except InboxClosedError as error:
            why = str(error)
            raise
        finally:
            self._waiting.forget(group)
            if len(results) < len(group):
                self._waiting.end(why)  # before anyone learns of it and asks `stopped`
                settled = {id(job) for job, _ in results}
                failed = InboxClosedError(why)
                results += [(job, failed) for job in group if id(job) not in settled]
            tell(results)

    def _store_group(self, group: list[Job], results: Results) -> None:
        if self._waiting.full:
            results += [(job, InboxFullError(self._waiting.full)) for job in group]
            return
        try:
            results += zip(group, self._write(group), strict=True)
        except InboxClosedError:
            raise
        except InboxFullError as error:
            results += [(job, error) for job in group]
        except InboxError as error:
            if len(group) == 1:
                results.append((group[0], error))
                return
            for job in group:  # only the one at fault fails
                self._store_group([job], results)

    def _write(self, group: list[Job]) -> list[list[Outcome]]:
        with self._unsaved_lock:
            counters, self._unsaved = self._unsaved, {}
        try:
            outcomes = self._store.write(group, counters)
        except InboxError:
            with self._unsaved_lock:
                self._unsaved = counters | self._unsaved
            raise
        if counters:
            self._counters = self._counters | counters
        return outcomes

    def _save(self) -> None:
        """Save counters that no commit has taken along."""
        if self._unsaved and not self._waiting.full:
            with contextlib.suppress(InboxFullError):
                self._write([])
