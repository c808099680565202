"""What the inbox's tests share."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

from feedback_assets.capture.inbox.open import open_inbox, open_reader
from feedback_assets.capture.inbox.records import Entry, Inbox, InboxReader, Replay, Stream
from feedback_assets.settings import Settings

T = TypeVar("T")
SHOP = "shop"


def entry(
    key: str, body: str = "{}", time_us: int = 0, stream: Stream = "feedback", loop: str = SHOP
) -> Entry:
    digest = blake2b(body.encode(), digest_size=16).digest()
    return Entry(stream, loop, key, time_us, body.encode(), digest)


def entries(count: int, prefix: str = "k", **rest) -> list[Entry]:
    return [entry(f"{prefix}{i}", **rest) for i in range(count)]


def replay(key: str, principal: str = "anna", content: bytes = b"{}") -> Replay:
    return Replay(principal, key, bytes(32), 200, content)


def use(settings: Settings, what: Callable[[Inbox], Awaitable[T]]) -> T:
    """Open the inbox, do something with it, close it."""

    async def main() -> T:
        inbox = await open_inbox(settings)
        try:
            return await what(inbox)
        finally:
            await inbox.close()

    return asyncio.run(main())


def store(settings: Settings, *groups: Sequence[Entry]) -> list:
    """Append groups one after the other; all outcomes."""

    async def append(inbox: Inbox) -> list:
        return [out for group in groups for out in await inbox.append(group)]

    return use(settings, append)


def reader_of(settings: Settings) -> InboxReader:
    reader = open_reader(settings)
    assert reader is not None
    return reader


def rows_of(
    reader: InboxReader,
    stream: Stream = "feedback",
    loop: str = SHOP,
    start: int = -(2**62),
    end: int = 2**62,
    until: int = 2**62,
) -> list[dict]:
    return [
        row
        for batch in reader.batches(stream, loop, start, end, until)
        for row in batch.to_pylist()
    ]
