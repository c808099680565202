"""Counters that survive a restart, and never go down.

Prometheus takes a counter that went down for one that began anew, and adds its whole value once
more: a service killed between a scrape and the next save would show millions of samples that never
were. So a scrape saves first and shows exactly what is on disk. What was counted since, at most two
seconds of it, is lost with a kill -9 but was never shown. The rows themselves are never lost: the
tables are the truth, these are figures. While the inbox cannot write, live counters are shown:
silence would hide the trouble.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from feedback_assets.capture.inbox.records import Inbox
from feedback_assets.door.metrics import Meters

SAVE_EVERY_SECONDS = 2.0
WAIT_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.005
STAMP = "saved_at"


class CounterKeeper:
    """Saves and restores the counters of one service through its inbox.

    Args:
        meters: What is counted.
        inbox: An open inbox.
        every: Seconds between saves; nothing is saved when nothing was counted.
        stop: Told why the inbox takes nothing more, even when no request comes that would notice.
    """

    def __init__(
        self,
        meters: Meters,
        inbox: Inbox,
        every: float = SAVE_EVERY_SECONDS,
        stop: Callable[[str], None] | None = None,
    ) -> None:
        self._meters = meters
        self._inbox = inbox
        self._every = every
        self._stop = stop
        self._sent: dict[str, float] = {}
        self._stamp = 0.0
        self._one_scrape = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on from the counters on disk, and save from now on."""
        self._meters.restore(self._inbox.counters())
        self._task = asyncio.get_running_loop().create_task(self._save_for_ever())

    async def scrape(self) -> bytes:
        """The text for Prometheus, of counters that are on disk if the inbox can write at all."""
        async with self._one_scrape:
            counters = self._save()
            until = time.monotonic() + WAIT_SECONDS
            while not self._inbox.stopped() and time.monotonic() < until:
                if self._inbox.counters().get(STAMP) == self._stamp:
                    return self._meters.render(counters)
                await asyncio.sleep(LOOK_EVERY_SECONDS)
            return self._meters.render()

    async def stop(self) -> None:
        """Save for the last time; the inbox writes it before it closes."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._save()

    def _save(self) -> dict[str, float]:
        counters = self._meters.saved()
        changed = dict(counters.items() - self._sent.items())
        if changed:
            self._stamp = max(time.time(), self._stamp + 1)
            self._inbox.save_counters({**changed, STAMP: self._stamp})
            self._inbox.append_soon(())  # so that it is written now and not with the next row
            self._sent = counters
        return counters

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            why = self._inbox.stopped()
            if why and self._stop is not None:
                self._stop(why)
            self._save()
