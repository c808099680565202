"""The service in a process of its own, and HTTP clients that repeat what was not answered."""

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.config.load import load_loop
from feedback_assets.door.server import ServerOptions, run
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.inbox_notes import rows_of
from feedback_assets_tests.serving.shop import LOOP

AGAIN = (408, 409, 429, 503)
CUT = (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)


def serve(home: str, configs: str, port: int, mutant: str) -> int:
    """What `feedback-assets serve` runs, on a port, until a signal."""
    settings = Settings(home=Path(home), configs=Path(configs), inbox_free_mb=0, inbox_url=None)
    config = load_loop(settings.configs / "loops" / f"{LOOP}.yaml", {})
    with inbox_mutants.applied(mutant):
        run({LOOP: config}, settings, ServerOptions(port=port))
    return 0


@dataclass
class Clients:
    """What clients of the service sent, and the answers they had."""

    url: str
    rows: list[dict[str, Any]]
    seed: int = 0
    sent: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    other_answers: int = 0
    """Answers to a repeated request that differ from the first."""
    seen: Counter[str] = field(default_factory=Counter)
    """How requests ended: a status, or what became of the connection."""
    ending: bool = False

    async def run(self, count: int) -> None:
        limits = httpx.Limits(max_connections=count)
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=30, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(count):
                group.create_task(self._client(client, number))

    async def _client(self, client: httpx.AsyncClient, number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        turn = 0
        while not self.ending:
            turn += 1
            name = f"{self.seed}-{number}-{turn}"
            predict = (f"p{name}", "predict", {**chance.choice(self.rows), "prediction_id": name})
            event = {"prediction_id": name, "event_id": f"e{name}", "value": turn % 2}
            feedback = (f"f{name}", "feedback", event)
            calls = [predict, feedback, chance.choice([predict, feedback])]
            chance.shuffle(calls)  # feedback may come before its prediction, and both twice
            for key, path, body in calls:
                if not await self._ask(client, key, path, body):
                    return

    async def _ask(self, client: httpx.AsyncClient, key: str, path: str, body: Any) -> bool:
        self.sent.add(key)
        # Without the header the ids in the body alone must keep a repeated request apart.
        headers = {"Idempotency-Key": key} if key.endswith(tuple("02468")) else {}
        while True:
            try:
                reply = await client.post(f"/v1/{LOOP}/{path}", json=body, headers=headers)
            except httpx.ConnectError:
                self.seen["refused"] += 1
            except CUT:
                self.seen["cut"] += 1
            else:
                self.seen[str(reply.status_code)] += 1
                if reply.status_code in (200, 202):
                    answer = reply.json()
                    answer.pop("state", None)  # stored at first, then repeated
                    self.other_answers += self.answers.setdefault(key, answer) != answer
                    return True
                assert reply.status_code in AGAIN, reply.text
            if self.ending:
                return False
            await asyncio.sleep(0.02)


@contextmanager
def at_work(clients: Clients, count: int) -> Iterator[None]:
    """The clients in a thread of their own, until the end of the block."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(clients.run(count))
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        clients.ending = True
        thread.join()
    if failed:
        raise failed[0]


@dataclass(frozen=True)
class Stored:
    """Answers against rows."""

    acknowledged: int
    lost: int
    doubled: int
    altered: int
    unanswered: int
    """Stored, though the request had no answer, or not yet."""

    @property
    def faults(self) -> int:
        return self.lost + self.doubled + self.altered


def compare(clients: Clients, settings: Settings) -> Stored:
    """Look for each answered request's row, and whether it says what the client was told."""
    reader = open_reader(settings)
    assert reader is not None
    with contextlib.closing(reader):
        rows = rows_of(reader, LOOP)
    found: dict[str, Any] = {}
    doubled = 0
    for _, key, body in rows:
        row = json.loads(body)
        name = f"p{key}" if "features" in row else f"f{row['prediction_id']}"
        doubled += name in found
        found[name] = row
    answers = dict(clients.answers)
    altered = sum(
        answers[name]["score"] != found[name]["score"]
        for name in answers.keys() & found.keys()
        if name.startswith("p")
    )
    return Stored(
        acknowledged=len(answers),
        lost=len(answers.keys() - found.keys()),
        doubled=doubled,
        altered=altered + clients.other_answers + len(found.keys() - clients.sent),
        unanswered=len(found.keys() - answers.keys()),
    )
