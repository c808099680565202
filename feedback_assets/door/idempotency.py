"""The header `Idempotency-Key`: the same request sent again gets the same answer."""

import hashlib
import re
from collections.abc import Awaitable, Callable

from feedback_assets.capture.inbox.records import Inbox, Replay
from feedback_assets.door.calls import Call, Reply
from feedback_assets.door.problems import Problem

HEADER = b"idempotency-key"
KEY = re.compile(rb"[\x21-\x7e]{1,255}\Z")
REPLAYED = ((b"idempotency-replayed", b"true"),)
AGAIN = ((b"retry-after", b"1"),)


class Seed:
    """What an answer is kept under."""

    __slots__ = ("_key", "_principal", "request")

    def __init__(self, principal: str, key: str, request: bytes) -> None:
        self._principal = principal
        self._key = key
        self.request = request

    @property
    def name(self) -> tuple[str, str]:
        """Whose key it is: keys of two principals never meet."""
        return self._principal, self._key

    def keeping(self, content: bytes) -> Replay:
        """The answer to keep."""
        return Replay(self._principal, self._key, self.request, 200, content)


Work = Callable[[Seed | None], Awaitable[Reply]]


def seed_of(call: Call, body: bytes) -> Seed | None:
    """What the call's answer is kept under; None when it states no key.

    Raises:
        Problem: 400, the key cannot be one.
    """
    stated = call.header(HEADER)
    if stated is None:
        return None
    if not KEY.match(stated):
        raise Problem(
            400, "idempotency-key", "Idempotency-Key must be 1 to 255 visible ASCII characters"
        )
    request = hashlib.sha256(f"{call.scope['method']} {call.path}\n".encode())
    # What of the headers says what is asked: its form, its loop, an envelope's attributes.
    for name, value in sorted(call.headers):
        if name in (b"content-type", b"x-loop") or name[:3] == b"ce-":
            request.update(b"%s: %s\n" % (name, value))
    request.update(b"\n" + body)
    return Seed(call.principal.name, stated.decode(), request.digest())


class Keys:
    """Answers each key once.

    Args:
        inbox: Where answers are kept, together with the rows that they are about.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._in_flight: set[tuple[str, str]] = set()

    async def once(self, seed: Seed, work: Work) -> Reply:
        """Do the work, or repeat its answer.

        Raises:
            Problem: 409 while the same key is being answered, 422 when it was another request's.
        """
        if seed.name in self._in_flight:
            raise Problem(
                409, "in-flight", "a request with this Idempotency-Key is being answered",
                headers=AGAIN,
            )  # fmt: skip
        self._in_flight.add(seed.name)
        try:
            kept = await self._inbox.replayed(*seed.name)
            if kept is None:
                return await work(seed)
        finally:
            self._in_flight.discard(seed.name)
        if kept.request != seed.request:
            raise Problem(
                422, "idempotency-key", "this Idempotency-Key was used for another request"
            )
        return Reply(kept.status, kept.content, headers=REPLAYED)
