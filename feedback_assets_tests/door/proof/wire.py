"""A keep-alive connection that sends exactly the bytes it is given."""

import contextlib
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

CLOSED = "closed"


@dataclass(frozen=True)
class Reply:
    """What came back; a status of 0 means that the server closed the connection unanswered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection; opened again when the server closes it."""

    def __init__(self, port: int, token: str | None = None, timeout: float = 20) -> None:
        self._port = port
        self._token = token
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self.opened = 0

    def send(
        self,
        method: str,
        target: str | bytes,
        body: bytes = b"",
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Reply:
        """Send one request; content-length and authorization are added unless stated."""
        said: dict[str, str | bytes] = {"host": f"127.0.0.1:{self._port}"}
        if self._token is not None:
            said["authorization"] = f"Bearer {self._token}"
        if method != "GET" or body:
            said["content-length"] = str(len(body))
        said |= headers or {}
        head = b"".join(_bytes(k) + b": " + _bytes(v) + b"\r\n" for k, v in said.items())
        line = method.encode() + b" " + _bytes(target) + b" HTTP/1.1\r\n"
        return self.raw(line + head + b"\r\n" + body, method)

    def raw(self, data: bytes, method: str = "POST") -> Reply:
        """Send bytes as they are and read one response."""
        fresh = self._socket is None
        try:
            return self._exchange(data, method)
        except (ConnectionError, http.client.HTTPException):
            self.close()
            if fresh:
                return Reply(0, {}, CLOSED.encode())
        # An idle keep-alive connection may have been closed by the server: that is allowed.
        try:
            return self._exchange(data, method)
        except (ConnectionError, http.client.HTTPException):
            self.close()
            return Reply(0, {}, CLOSED.encode())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, data: bytes, method: str) -> Reply:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.opened += 1
        # It may have answered (413) before it read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            content = response.read()
            headers = {k.lower(): v for k, v in response.getheaders()}
            status, closes = response.status, response.will_close
        finally:
            response.close()
        if closes:
            self.close()
        return Reply(status, headers, content)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
