"""When a request is sent again, and after how long."""

import datetime as dt
import random
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

PASSING = frozenset({429, 502, 503, 504})
IN_FLIGHT = 409
LOST = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)

# Processes forked from one another would draw the same waits and come back all at once.
_DRAWS = random.SystemRandom()

Reply = httpx.Response | httpx.TransportError
"""What a request came to."""


@dataclass(frozen=True)
class Retries:
    """Waits that double from `first` to `longest` seconds, each drawn from its upper half."""

    times: int = 5
    """Tries after the first."""
    first: float = 0.1
    longest: float = 5.0
    patience: float = 60.0
    """A service that asks for a longer wait than this is not waited for."""

    def wait(self, tried: int, reply: Reply) -> float | None:
        """Seconds until the next try; None when there is to be none.

        Args:
            tried: Tries before this one.
            reply: What this one came to.
        """
        if tried >= self.times or not passing(reply):
            return None
        most = min(self.longest, self.first * 2**tried)
        own = _DRAWS.uniform(most / 2, most)
        asked = retry_after(reply) if isinstance(reply, httpx.Response) else None
        if asked is None:
            return own
        return asked + own if asked <= self.patience else None


def passing(reply: Reply) -> bool:
    """Whether the same request may do better later."""
    if isinstance(reply, httpx.TransportError):
        return isinstance(reply, LOST) and not _distrusted(reply)
    if reply.status_code == IN_FLIGHT:
        # The try before is still being answered; an id in conflict has no time to come back at.
        return "Retry-After" in reply.headers
    return reply.status_code in PASSING


def retry_after(response: httpx.Response) -> float | None:
    """The header Retry-After in seconds, from a number or a date; None without a readable one."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())


def _distrusted(error: BaseException | None) -> bool:
    """Whether a certificate was refused: it will be again."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
