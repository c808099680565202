"""Questions out, answers in: one loop's review store, kept off the event loop."""

import asyncio
import datetime as dt
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from feedback_assets.config.schema import Config
from feedback_assets.review.records import Answer, Task
from feedback_assets.review.store import (
    Leased,
    Outcome,
    Progress,
    ReviewStore,
    Undone,
    store_path,
)
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.review.labelstudio.webhook import Heard, Notice

REMEMBERED = 10_000
"""Opinions shown that are known at once; the page tells as well, and outlives this process."""
T = TypeVar("T")


class Asked(NamedTuple):
    """What the next question is, and how far things are."""

    leased: Leased | None
    progress: Progress


class ReviewDesk:
    """Asks people about one loop's rows and takes what they say.

    SQLite waits for the disk and for other writers, so every errand runs in one thread of its own:
    predictions never wait for an annotator. All methods raise ReviewError when the store cannot be
    read or written; nothing was stored then.

    Args:
        config: The loop.
        settings: Where the home is.
    """

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._store = ReviewStore(store_path(settings.root, config.name))
        self._lease = dt.timedelta(minutes=config.review.lease_minutes)
        self._open_opinion = not config.review.hide_opinion
        self._shown: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"review-{config.name}")

    async def next(self, annotator: str, now: dt.datetime) -> Asked:
        """Lease a question to somebody: the one still open first."""

        def errand() -> Asked:
            leased = self._store.next(annotator, now, self._lease)
            return Asked(leased, self._store.progress(now, annotator))

        return await self._run(errand)

    async def opinion(self, annotator: str, task_id: str) -> Task | None:
        """The task whose opinion is shown to somebody from now on; None when there is none."""
        task = await self._run(lambda: self._store.task(task_id))
        if task is not None:
            self._shown[annotator, task_id] = None
            if len(self._shown) > REMEMBERED:
                self._shown.popitem(last=False)
        return task

    def saw_opinion(self, annotator: str, task_id: str) -> bool:
        """Whether somebody was surely shown the opinion: it is never hidden, or was asked for."""
        return self._open_opinion or (annotator, task_id) in self._shown

    async def answer(self, answer: Answer, received_at: dt.datetime) -> Outcome:
        """Store one answer, on disk when this returns; none was given before it was asked for."""

        def errand() -> Outcome:
            task = self._store.task(answer.task_id)
            if task is None:
                return "unknown"
            answered_at = min(max(answer.answered_at, task.asked_at), received_at)
            return self._store.answer(replace(answer, answered_at=answered_at), received_at)

        return await self._run(errand)

    async def hear(self, notice: "Notice", now: dt.datetime) -> "Heard":
        """Store what Label Studio told."""
        from feedback_assets.review.labelstudio.webhook import take_notice

        return await self._run(lambda: take_notice(self._config, self._store, notice, now))

    async def undo(
        self, annotator: str, annotation_id: str, now: dt.datetime
    ) -> tuple[Undone | None, Progress]:
        """Take back somebody's last answer, if it is this one and nobody has read it yet."""

        def errand() -> tuple[Undone | None, Progress]:
            undone = self._store.undo(annotator, now, self._lease, annotation_id)
            return undone, self._store.progress(now, annotator)

        return await self._run(errand)

    async def progress(self, annotator: str, now: dt.datetime) -> Progress:
        """How far things are for somebody."""
        return await self._run(lambda: self._store.progress(now, annotator))

    def close(self) -> None:
        """Wait for the errands under way."""
        self._thread.shutdown()

    async def _run(self, errand: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, errand)
