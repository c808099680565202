"""One request and its answer, below any framework."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from feedback_assets.door.auth import ANYONE, Principal
from feedback_assets.door.problems import MEDIA_TYPE, Problem
from feedback_assets.door.refusal import Headers, Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
JSON = b"application/json"


class Call:
    """A request, its body not yet read."""

    __slots__ = ("headers", "principal", "receive", "received_us", "scope", "started")

    def __init__(self, scope: Message, receive: Receive, received_us: int) -> None:
        self.started = time.perf_counter()
        self.scope = scope
        self.receive = receive
        self.received_us = received_us
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.principal: Principal = ANYONE

    def header(self, wanted: bytes) -> bytes | None:
        """The first header of a name (lower case)."""
        for name, value in self.headers:
            if name == wanted:
                return value
        return None

    def seconds(self) -> float:
        """How long the request has been here."""
        return time.perf_counter() - self.started

    @property
    def path(self) -> str:
        """As it was sent, percent-decoded."""
        path: str = self.scope["path"]
        return path


class Reply:
    """An answer."""

    __slots__ = ("after", "content", "headers", "media_type", "status")

    def __init__(
        self,
        status: int,
        content: bytes,
        media_type: bytes = JSON,
        headers: Headers = (),
        after: Callable[[], None] | None = None,
    ) -> None:
        self.status = status
        self.content = content
        self.media_type = media_type
        self.headers = headers
        self.after = after
        """Called once the answer is sent; never blocks, never raises."""

    async def send(self, send: Send) -> None:
        """Send it."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (b"content-type", self.media_type),
                    (b"content-length", b"%d" % len(self.content)),
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                    *self.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": self.content})


def problem_reply(problem: Problem, extra: str | None = None) -> Reply:
    """The answer that tells a problem."""
    return Reply(problem.status, problem.document(extra), MEDIA_TYPE, problem.headers)


def of_refusal(refused: Refused) -> Problem:
    """The problem of a request turned away at the door."""
    slug = refused.reason.replace("_", "-")
    return Problem(refused.status, slug, refused.detail, headers=refused.headers)
