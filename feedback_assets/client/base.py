"""What both clients are made of."""

import ssl
from abc import ABC, abstractmethod
from typing import Any

import httpx

from feedback_assets.client.calls import Calls
from feedback_assets.client.retries import Retries


class Base(ABC):
    """A service's address, a loop, and how hard to try.

    Args:
        base_url: Of the service: `https://door.example:8443`.
        token: The bearer token; it is sent, and never shown.
        loop: The loop that calls are for, unless they name another.
        timeout: Seconds for connecting, and for each part of an answer.
        retries: Tries after the first.
        verify: The system's certificates if True; a file of others; an SSL context; False for none.
        max_rows: Rows or events in one request; longer calls are split. The service's own limits
            are in the loop's YAML: serve.limits.max_rows and max_body_bytes.
        max_bytes: Of them in one request.
        transport: How httpx sends; for tests.

    Raises:
        ValueError: The address or the token cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        loop: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 5,
        verify: bool | str | ssl.SSLContext = True,
        max_rows: int = 1_000,
        max_bytes: int = 1_000_000,
        transport: Any = None,
    ) -> None:
        self.base_url, self.loop = _address(base_url), loop
        self._calls = Calls(loop, Retries(retries), max_rows, max_bytes)
        if isinstance(verify, str):
            verify = ssl.create_default_context(cafile=verify)
        self._open(
            base_url=self.base_url,
            headers=_authorization(token),
            timeout=timeout,
            verify=verify,
            transport=transport,
        )

    @abstractmethod
    def _open(self, **options: Any) -> None:
        """Make the httpx client."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r}, loop={self.loop!r})"


def event_of(
    prediction_id: str,
    value: object,
    kind: str | None,
    event_id: str | None,
    event_time: object,
    source: str | None,
    confidence: float | None,
) -> dict[str, object]:
    """One feedback event by the names the service has for its fields."""
    return {
        "prediction_id": prediction_id,
        "kind": kind,
        "value": value,
        "event_id": event_id,
        "event_time": event_time,
        "source": source,
        "confidence": confidence,
    }


def _address(said: str) -> str:
    try:
        url = httpx.URL(said)
    except httpx.InvalidURL:
        raise ValueError("base_url is no address; one is http://127.0.0.1:8000") from None
    if url.userinfo:
        raise ValueError("base_url holds a name or password; give the service's token as token=")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("base_url needs http:// or https:// and a host: http://127.0.0.1:8000")
    return str(url)


def _authorization(token: str | None) -> dict[str, str]:
    if token is None:
        return {}
    # Anything else would be named, with the token, in the error of whoever sends it.
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token holds a space or a line break, or is empty; check its file")
    return {"Authorization": f"Bearer {token}"}
