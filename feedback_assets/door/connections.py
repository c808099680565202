"""The protocol of one connection: uvicorn's, with an end to patience and to headers."""

import time
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 20.0
HEADER_BYTES = 65_536
NOT_WAITING = float("inf")


class Connection(HttpToolsProtocol):
    """Knows since when it waits for the rest of a request.

    uvicorn waits for ever for the end of a header, and holds as much of it as is sent: a handful of
    clients that send a byte now and then would take every connection.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waits_since = time.monotonic()
        self._header_bytes = 0
        self._in_header = True

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is a header without end."""
        if self._in_header:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES + len(data):
                self.transport.abort()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.waits_since = time.monotonic()
        self._in_header = True
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The body comes next; it has limits of its own."""
        self._in_header = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self.waits_since = NOT_WAITING
        super().on_message_complete()


def end_the_slow(connections: Iterable[Any], seconds: float = REQUEST_SECONDS) -> int:
    """Close connections whose request is not complete after so many seconds; how many."""
    before = time.monotonic() - seconds
    slow = [one for one in connections if isinstance(one, Connection) and one.waits_since < before]
    for one in slow:
        one.transport.abort()
    return len(slow)
