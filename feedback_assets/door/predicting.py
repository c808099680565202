"""Rows in, answers out, and between them the log: stored before the answer leaves."""

import asyncio
import os
import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from feedback_assets.capture.inbox.records import Entry
from feedback_assets.door.calls import JSON, Call, Reply
from feedback_assets.door.idempotency import Seed
from feedback_assets.door.items import Logged, Render, as_stored, item_of
from feedback_assets.door.problems import Fault, Problem
from feedback_assets.door.refusal import Headers
from feedback_assets.door.rows import Taken
from feedback_assets.door.state import OpenLoop, Service
from feedback_assets.serving.answer import Answer
from feedback_assets.serving.scorer import RowError

ID_BYTES = 9
INLINE_ROWS = 32
"""More rows are scored in a thread, so that other requests need not wait."""


_encode = msgspec.json.Encoder().encode


class _Chance:
    """Random bytes, taken from the system many at a time: one call costs as much as a scored row."""

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0
        self._owner = 0

    def hex(self) -> str:
        """Eighteen hex digits that were never given before; only from the event loop's thread."""
        if self._at >= len(self._bytes) or self._owner != os.getpid():
            self._bytes, self._at, self._owner = os.urandom(ID_BYTES * 512), 0, os.getpid()
        self._at += ID_BYTES
        return self._bytes[self._at - ID_BYTES : self._at].hex()


_chance = _Chance()


def new_id(now: int) -> str:
    """An id that sorts by time: 14 hex digits of microseconds, 18 of chance."""
    return f"{now:014x}{_chance.hex()}"


class Predicting:
    """Answers rows of one loop.

    Args:
        service: Its clock and inbox.
        loop: The loop.
    """

    def __init__(self, service: Service, loop: OpenLoop) -> None:
        self._service = service
        self._loop = loop
        self._name = loop.config.name
        self._key = loop.config.serve.routing.key
        self._replay = service.options.replay

    async def answer(
        self,
        call: Call,
        rows: Sequence[Taken],
        render: Render,
        seed: Seed | None,
        base: str = "",
        media_type: bytes = JSON,
        headers: Headers = (),
    ) -> Reply:
        """Answer valid rows.

        Args:
            call: The request.
            rows: Valid rows [n].
            render: Makes the body of the items [n].
            seed: What the answer is kept under, if anything.
            base: JSON pointer of the list of rows, or "" for a single one.
            media_type: Of what `render` makes.
            headers: To be sent along.

        Raises:
            Problem: 409, every row's id is known with other content.
            InboxError: Nothing was stored.
            ServingError: Nobody can answer.
        """
        loop, received = self._loop, call.received_us
        ids = [row.prediction_id or new_id(received) for row in rows]
        times = [row.event_us if row.event_us is not None else received for row in rows]
        sticks = [self._stick(row, key) for row, key in zip(rows, ids, strict=True)]
        values = [row.values for row in rows]
        started = time.perf_counter()
        try:
            if len(rows) <= INLINE_ROWS:
                answers = loop.engine.answer(values, ids, sticks)
            else:
                answers = await asyncio.to_thread(loop.engine.answer, values, ids, sticks)
        except RowError as error:
            place = base if error.position is None else f"{base}/{error.position}"
            raise Problem(
                422, "row", "a row cannot be scored", [Fault(place if base else "", str(error))]
            ) from None
        scoring = time.perf_counter() - started
        entries = self._entries(call, rows, ids, times, sticks, answers)
        items = [item_of(answer, answer.prediction_id) for answer in answers]
        content = render(items)
        inbox = self._service.inbox
        outcomes = await inbox.append(entries, seed.keeping(content) if seed else None)
        fresh = [i for i, outcome in enumerate(outcomes) if outcome.state == "stored"]
        loop.meter.predicted([answers[i] for i in fresh], scoring)
        if len(fresh) < len(outcomes):
            items = as_stored(items, outcomes, base)
            content = render(items)
            if seed:
                await inbox.remember(seed.keeping(content))

        def shadow() -> None:
            loop.engine.shadow(
                [values[i] for i in fresh], [answers[i] for i in fresh], [times[i] for i in fresh]
            )

        return Reply(200, content, media_type, headers, shadow if fresh else None)

    def _stick(self, row: Taken, prediction_id: str) -> str:
        """What sticks to an arm."""
        value = None if self._key == "prediction_id" else row.values.get(self._key)
        return prediction_id if value is None else str(value)

    def _entries(
        self,
        call: Call,
        rows: Sequence[Taken],
        ids: Sequence[str],
        times: Sequence[int],
        sticks: Sequence[str],
        answers: Sequence[Answer],
    ) -> list[Entry]:
        latency = int(call.seconds() * 1e6)
        who = call.principal.name
        entries = []
        for row, key, at, stick, answer in zip(rows, ids, times, sticks, answers, strict=True):
            features = _encode(row.values)
            digest = b""
            if row.prediction_id is not None:
                stated = b"%s %s %s" % (features, _text(row.event_us), _text(row.received_us))
                digest = blake2b(stated, digest_size=16).digest()
            logged = Logged(
                key, at, self._received(call, row, at), msgspec.Raw(features), answer.score,
                answer.class_scores, answer.prediction, answer.model_version, answer.model_digest,
                answer.arm, answer.answered_by, answer.propensity, answer.warning, stick, who,
                latency,
            )  # fmt: skip
            entries.append(Entry("predictions", self._name, key, at, _encode(logged), digest))
        return entries

    def _received(self, call: Call, row: Taken, at: int) -> int:
        """When the row is said to have come; a replay plays its own time."""
        if not self._replay:
            return call.received_us
        return at if row.received_us is None else row.received_us


def _text(value: Any) -> bytes:
    return b"-" if value is None else b"%d" % value
