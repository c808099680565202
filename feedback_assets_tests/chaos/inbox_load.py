"""The inbox alone in a process, under the load of many clients that note what they were told."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from feedback_assets.capture.inbox import pruning, records, segments, state
from feedback_assets.capture.inbox.open import open_inbox
from feedback_assets.capture.inbox.records import Inbox
from feedback_assets.capture.inbox.writer import CLOSED
from feedback_assets.errors import InboxClosedError, InboxFullError
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.inbox_notes import Notes, Told, entry_of, notes_in

LOOP = "flights"
STOPPED = 3
"""Exit code when the inbox stopped by itself."""


@dataclass(frozen=True)
class Load:
    """What a process of the load is to do."""

    home: str
    notes: str
    life: int = 0
    """How many processes had this home before; makes new keys."""
    clients: int = 64
    mutant: str = ""
    appends: int = 0
    """Of each client, then the end; 0 for no end."""
    free_mb: int = 0
    segment: int = 0
    """Rows of a segment, if not as many as usual; those taken are then pruned at once."""
    queue: int = 10_000

    @property
    def settings(self) -> Settings:
        return Settings(
            home=Path(self.home),
            inbox_free_mb=self.free_mb,
            inbox_queue=self.queue,
            inbox_keep_days=0 if self.segment else 7,
            inbox_url=None,
        )

    def told(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Clients:
    """Clients of one inbox; each sends one request at a time and repeats what was not answered."""

    load: Load
    inbox: Inbox
    notes: Notes
    chance: random.Random
    ending: bool = False
    answered: list[str] = field(default_factory=list)

    async def run(self, unanswered: list[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for client in range(self.load.clients):
                group.create_task(self._client(client, unanswered[client :: self.load.clients]))

    async def _client(self, client: int, again: list[str]) -> None:
        sent = 0
        while not self.load.appends or sent < self.load.appends:
            sent += 1
            if again:
                keys = [again.pop()]
            elif self.answered and self.chance.random() < 0.1:
                keys = [self.chance.choice(self.answered)]
            else:
                rows = self.chance.choice([1, 1, 1, 2, 5])
                keys = [f"{self.load.life}-{client}-{sent}-{row}" for row in range(rows)]
            if not await self._send(keys):
                return

    async def _send(self, keys: list[str]) -> bool:
        self.notes.sent(keys)
        while True:
            try:
                outcomes = await self.inbox.append([entry_of(key, LOOP) for key in keys])
            except InboxClosedError:
                self.notes.refused(keys)
                return False
            except InboxFullError:
                self.notes.full(keys)
                if self.ending:
                    return False
                await asyncio.sleep(0.02)
                continue
            self.notes.answered(keys, outcomes)
            self.answered.extend(keys)
            return True


def run(told: dict[str, Any]) -> int:
    """Serve the clients until SIGTERM, the end of their requests, or the inbox's own stop."""
    load = Load(**told)
    with small_segments(load.segment), inbox_mutants.applied(load.mutant):
        return asyncio.run(_serve(load))


async def _serve(load: Load) -> int:
    inbox = await open_inbox(load.settings)
    unanswered = Told.read(Path(load.notes)).unanswered
    with notes_in(Path(load.notes)) as notes:
        clients = Clients(load, inbox, notes, random.Random(load.life))
        closing: list[asyncio.Task[None]] = []
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _end(clients, inbox, closing))
        notes.began()
        await clients.run(unanswered)
        await (closing[0] if closing else inbox.close())
    if (why := inbox.stopped()) != CLOSED:
        sys.stderr.write(f"{why}\n")
        return STOPPED
    return 0


@contextmanager
def small_segments(rows: int) -> Iterator[None]:
    """Let segments have so many rows, if not 0: the usual ones take long to fill."""
    usual = records.SEGMENT_ROWS
    for module in (pruning, segments, state):
        module.SEGMENT_ROWS = rows or usual
    try:
        yield
    finally:
        for module in (pruning, segments, state):
            module.SEGMENT_ROWS = usual


def _end(clients: Clients, inbox: Inbox, closing: list[asyncio.Task[None]]) -> Callable[[], None]:
    def end() -> None:
        clients.ending = True
        closing.append(asyncio.get_running_loop().create_task(inbox.close()))

    return end


if __name__ == "__main__":
    sys.exit(run(json.loads(os.environ["LOAD"])))
