"""A challenger that answers for itself only: scored after the answer was sent, out of its way."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import msgspec

from feedback_assets.capture.inbox.records import Entry
from feedback_assets.errors import FeedbackAssetsError, ServingError
from feedback_assets.serving.answer import Row
from feedback_assets.serving.counts import Counts
from feedback_assets.serving.scorer import Scored
from feedback_assets.serving.served import ServedModel

NICE = 10
ROWS_EACH = 16
"""Rows that may wait for each request that may: a request can hold a thousand."""
GATHER = 0.01
"""Seconds between two bouts of work: many requests scored at once cost a tenth of the same one by
one, and the interpreter's lock is asked for a hundred times a second at most."""
ROWS_AT_ONCE = 64
"""So few that the lock is held for less than half a millisecond."""

logger = logging.getLogger(__name__)


class Task(NamedTuple):
    """One request's rows for the challenger."""

    model: ServedModel
    rows: Sequence[Row]
    ids: Sequence[str]
    event_us: Sequence[int]


class _Row(NamedTuple):
    model: ServedModel
    row: Row
    prediction_id: str
    event_us: int


class ShadowBody(msgspec.Struct):
    """What the inbox keeps of a shadow score."""

    id: str
    event_us: int
    received_us: int
    score: float
    class_scores: dict[str, float] | None
    prediction: int | float | str
    model_version: str
    model_digest: str
    latency_us: int


class Shadow:
    """A bounded queue and one thread of low priority."""

    def __init__(
        self,
        loop: str,
        room: int,
        submit: Callable[[Sequence[Entry]], bool],
        now: Callable[[], int],
        counts: Counts,
    ) -> None:
        self._loop = loop
        self._queue: deque[Task] = deque()
        self._room = room
        self._rows = 0
        self._lock = threading.Lock()
        self._submit = submit
        self._now = now
        self._counts = counts
        self._some = threading.Event()
        self._stop = threading.Event()
        self._encode = msgspec.json.Encoder().encode
        self._thread = threading.Thread(target=self._work, name=f"{loop} shadow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Score what waits, then end; what takes longer than some seconds is dropped."""
        self._stop.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(5)
        while (task := self._next()) is not None:
            self._counts.add("shadow_dropped", len(task.rows))

    def put(self, task: Task) -> None:
        """Have rows scored later; dropped and counted when there is no room. Never waits."""
        n = len(task.rows)
        with self._lock:
            full = len(self._queue) >= self._room or self._rows + n > self._room * ROWS_EACH
            if not full:
                self._queue.append(task)
                self._rows += n
        if full:
            self._counts.add("shadow_dropped", n)
        self._some.set()

    def _work(self) -> None:
        _be_nice()
        while True:
            self._some.wait()
            self._some.clear()
            stopped = self._stop.wait(GATHER)
            while bout := self._bout():
                for model, rows in groupby(bout, key=attrgetter("model")):
                    self._score_all(model, list(rows))
            if stopped:
                return

    def _bout(self) -> list[_Row]:
        """Rows of the oldest requests; empty when none wait."""
        bout: list[_Row] = []
        while len(bout) < ROWS_AT_ONCE:
            task = self._next()
            if task is None:
                break
            rows = zip(task.rows, task.ids, task.event_us, strict=True)
            bout += [_Row(task.model, *row) for row in rows]
        return bout

    def _next(self) -> Task | None:
        with self._lock:
            if not self._queue:
                return None
            task = self._queue.popleft()
            self._rows -= len(task.rows)
            return task

    def _score_all(self, model: ServedModel, rows: list[_Row]) -> None:
        for at in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[at : at + ROWS_AT_ONCE]
            started = time.perf_counter()
            try:
                said = model.score([one.row for one in some])
                each_us = round((time.perf_counter() - started) * 1e6 / len(some))
                self._send(model, some, said, each_us)
            except ServingError:
                self._counts.add("shadow_failed", len(some))
            except Exception:  # a dead worker would never score again
                logger.exception("%s: shadow scoring failed", self._loop)
                self._counts.add("shadow_failed", len(some))
            time.sleep(0)  # lets a request that waits for the interpreter go first

    def _send(
        self, model: ServedModel, rows: list[_Row], said: list[Scored | None], each_us: int
    ) -> None:
        received = self._now()
        entries = [
            self._entry(model, row, one, received, each_us)
            for row, one in zip(rows, said, strict=True)
            if one is not None
        ]
        self._counts.add("shadow_failed", len(rows) - len(entries))
        try:
            taken = not entries or self._submit(entries)
        except (FeedbackAssetsError, RuntimeError):  # the inbox, or its loop, has ended
            taken = False
        self._counts.add("shadow_scored" if taken else "shadow_dropped", len(entries))

    def _entry(
        self, model: ServedModel, row: _Row, said: Scored, received: int, each_us: int
    ) -> Entry:
        body = ShadowBody(
            id=row.prediction_id,
            event_us=row.event_us,
            received_us=received,
            score=said.score,
            class_scores=said.class_scores,
            prediction=said.prediction,
            model_version=model.version,
            model_digest=model.digest,
            latency_us=each_us,
        )
        key = f"{row.prediction_id}~{model.version}"
        return Entry("shadow", self._loop, key, row.event_us, self._encode(body))


def _be_nice() -> None:
    """Lower the calling thread's priority, where the system has one for threads."""
    own = threading.get_native_id()
    with suppress(OSError):
        own_nice = os.getpriority(os.PRIO_PROCESS, own)
        os.setpriority(os.PRIO_PROCESS, own, min(own_nice + NICE, 19))
