"""What waits for the writer: bounded by rows and bytes, filled from any thread."""

import queue
import threading
from collections.abc import Iterator

from feedback_assets.capture.inbox.jobs import Job
from feedback_assets.errors import InboxClosedError, InboxFullError

QUEUE_BYTES = 64 * 2**20
"""Of bodies in the queue: rows alone would not bound the memory."""
GROUP_ROWS = 2_048
"""Rows in one commit: the first of a long queue should not wait for the last."""


class Waiting:
    """A queue that refuses what it has no room for."""

    def __init__(self, rows: int) -> None:
        self._most = rows
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._rows = 0
        self._soon = 0
        self._bytes = 0
        self._ended = ""
        self.full = ""
        """Why nothing is taken for now, whatever the room."""

    @property
    def rows(self) -> int:
        """Rows in the queue or being written."""
        return self._rows + self._soon

    @property
    def ended(self) -> str:
        """Why nothing is taken any more."""
        return self._ended

    def put(self, job: Job) -> None:
        """Add a job; those nobody waits for have a bound of their own.

        Raises:
            InboxFullError: There is no room. A job larger than the queue is taken by an empty one.
            InboxClosedError: The inbox takes nothing more.
        """
        count = len(job.entries)
        with self._lock:
            if self._ended:
                raise InboxClosedError(self._ended)
            if self.full:
                raise InboxFullError(self.full)
            there = self._soon if job.done is None else self._rows
            if there and there + count > self._most:
                raise InboxFullError(f"{there} rows wait to be written; settings.inbox_queue full")
            if self._bytes and self._bytes + job.size > QUEUE_BYTES:
                raise InboxFullError(f"{self._bytes >> 20} MiB wait to be written")
            self._count(job, 1)
            self._queue.put(job)

    def get(self, timeout: float) -> list[Job] | None:
        """The next group, waiting for its first job; empty after the timeout, None at the end."""
        try:
            job = self._queue.get(timeout=timeout)
        except queue.Empty:
            return []
        if job is None:
            return None
        group = [job]
        rows = len(job.entries)
        while rows < GROUP_ROWS and not self._queue.empty():
            job = self._queue.get()
            if job is None:
                self._queue.put(None)
                break
            group.append(job)
            rows += len(job.entries)
        return group

    def forget(self, jobs: list[Job]) -> None:
        """Jobs that `get` gave are over."""
        with self._lock:
            for job in jobs:
                self._count(job, -1)

    def end(self, why: str) -> None:
        """Take nothing more; `get` gives what is there, then None."""
        with self._lock:
            if not self._ended:
                self._ended = why
                self._queue.put(None)

    def rest(self) -> Iterator[Job]:
        """What is left after `end` when nothing more will be written."""
        while not self._queue.empty():
            job = self._queue.get()
            if job is not None:
                yield job

    def _count(self, job: Job, sign: int) -> None:
        if job.done is None:
            self._soon += sign * len(job.entries)
        else:
            self._rows += sign * len(job.entries)
        self._bytes += sign * job.size
