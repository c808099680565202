"""How much one client may ask for: how often, how large, how deep, how slowly."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import numpy as np

from feedback_assets.config.serve import Limits
from feedback_assets.door.refusal import Refused

Message = MutableMapping[str, Any]
BODY_SECONDS = 10.0
LENGTH_DIGITS = 18
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
STEPS = np.zeros(256, dtype=np.int32)
STEPS[list(b"[{")] = 1
STEPS[list(b"]}")] = -1


class Bucket:
    """A token bucket: so many at once, so many a second over time.

    Args:
        per_second: How fast it fills.
        burst: How much it holds; it is full at first.
        monotonic: Seconds; the wall clock may jump and is not asked.
    """

    __slots__ = ("_at", "_burst", "_held", "_monotonic", "_per_second")

    def __init__(
        self, per_second: float, burst: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._held = float(burst)
        self._at = monotonic()

    def take(self) -> float:
        """Take one; 0 when there was one, else the seconds until there will be."""
        moment = self._monotonic()
        self._held = min(self._burst, self._held + (moment - self._at) * self._per_second)
        self._at = moment
        if self._held >= 1:
            self._held -= 1
            return 0.0
        return (1 - self._held) / self._per_second if self._per_second else math.inf


class Allowance:
    """A bucket for each principal and loop.

    Args:
        capacity: Buckets kept; the one unused for longest goes first. Principals are the holders
            of tokens, so nobody can push a bucket out by inventing names.
        monotonic: Seconds.
    """

    def __init__(
        self, capacity: int = 10_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def spend(self, principal: str, loop: str, limits: Limits) -> None:
        """Count one request.

        Raises:
            Refused: 429: the principal asks more often than the loop's limits allow.
        """
        key = (principal, loop)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = Bucket(limits.requests_per_second, limits.burst, self._monotonic)
            self._buckets[key] = bucket
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        wait = bucket.take()
        if wait:
            raise Refused(
                429, "rate", f"more than {limits.requests_per_second:g} requests a second",
                ((b"retry-after", str(math.ceil(wait)).encode()),),
            )  # fmt: skip


async def read_body(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    max_bytes: int,
    seconds: float = BODY_SECONDS,
) -> bytes:
    """Read a request's body; no more of it is held than the limit, however it is sent.

    Raises:
        Refused: 413 too large, 408 too slow, 400 when the length is no number or the client left.
    """
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not stated.isdigit():
        raise Refused(400, "length", "the header Content-Length is not a number")
    if len(stated) > LENGTH_DIGITS or int(stated) > max_bytes:
        raise too_large(max_bytes)
    # A small body comes with its header, and a timer would cost more than to read it. Whoever sends
    # a header and then nothing is left to the connection's own patience.
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > max_bytes:
            raise too_large(max_bytes)
        return body
    try:
        async with asyncio.timeout(seconds):
            return await _rest(message, receive, max_bytes)
    except TimeoutError:
        raise Refused(
            408, "slow_body", f"the body did not arrive within {seconds:g} seconds",
            ((b"connection", b"close"),),
        ) from None  # fmt: skip


async def _rest(
    message: Message, receive: Callable[[], Awaitable[Message]], max_bytes: int
) -> bytes:
    parts: list[bytes] = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body") and size <= max_bytes:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] == "http.disconnect":
        raise Refused(400, "disconnected", "the client left before the end of the body")
    if size > max_bytes:
        raise too_large(max_bytes)
    return b"".join(parts)


def too_large(max_bytes: int) -> Refused:
    """The refusal of a body beyond the limit."""
    return Refused(413, "body_size", f"the body is larger than {max_bytes} bytes")


def too_deep(body: bytes, max_depth: int) -> bool:
    """Whether JSON nests deeper than allowed; to be asked before a decoder sees the body.

    Only brackets outside strings count. What follows the first place where the bytes stop being
    JSON may be misread: a decoder stops there.
    """
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return False
    if b"\\" in body:  # first whole pairs, so that what remains before a quote escapes it
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(body.split(b'"')[::2])
    brackets = np.frombuffer(outside.translate(None, NOT_BRACKETS), dtype=np.uint8)
    return brackets.size > max_depth and int(np.cumsum(STEPS[brackets]).max()) > max_depth
