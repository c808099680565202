"""Who knocks, and what they may do."""

import datetime as dt
import functools
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from feedback_assets.door.refusal import Refused
from feedback_assets.door.tokens import EVERY_LOOP, SCOPES, Scope, TokenFile, digest_of
from feedback_assets.errors import DoorError
from feedback_assets.settings import Settings

logger = logging.getLogger(__name__)
LOOK_EVERY_SECONDS = 1.0
SCHEME = b"bearer "
CHALLENGE = ((b"www-authenticate", b"Bearer"),)
NEVER_SEEN = (0, 0, 0)


class Principal(NamedTuple):
    """Whoever holds a token."""

    name: str
    grants: frozenset[tuple[str, str]]
    """Pairs of a loop (or `*`) and a scope."""

    def may(self, scope: Scope, loop: str = EVERY_LOOP) -> bool:
        """Whether the scope is granted for the loop; `*` asks for what belongs to no loop."""
        return (loop, scope) in self.grants or (EVERY_LOOP, scope) in self.grants


ANYONE = Principal("anyone", frozenset((EVERY_LOOP, scope) for scope in SCOPES))
"""Every caller of a service without tokens, which listens on loopback only."""


class _Holder(NamedTuple):
    principal: Principal
    expires_us: float


class Doorkeeper:
    """Knows the usable tokens; follows changes of their file while the service runs.

    Args:
        settings: Where the file of tokens lies.
        open_to_all: Let anyone in as long as no token was ever made. Requests that a foreign web
            page makes are refused then: a browser on this machine would carry them to loopback.
        now: Microseconds since 1970, UTC; decides what has expired.
        monotonic: Seconds; decides when to look at the file again.

    Raises:
        DoorError: The file of tokens is damaged.
    """

    def __init__(
        self,
        settings: Settings,
        open_to_all: bool = False,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = TokenFile(settings)
        self._open_to_all = open_to_all
        self._now = now
        self._monotonic = monotonic
        self._seen = self._stamp()
        self._load()
        self._look_at = monotonic() + LOOK_EVERY_SECONDS

    def admit(
        self, headers: Iterable[tuple[bytes, bytes]], scope: Scope, loop: str = EVERY_LOOP
    ) -> Principal:
        """Authenticate, and refuse whoever lacks the scope.

        Raises:
            Refused: 401 without a usable token, 403 without the scope.
        """
        principal = self.authenticate(headers)
        if principal.may(scope, loop):
            return principal
        raise Refused(403, "scope", f"the token does not have the scope {scope} here")

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """Tell who sends a request.

        Args:
            headers: As ASGI gives them, names in lower case.

        Raises:
            Refused: 401: no usable token; 403: an open service is asked by a foreign web page.
        """
        if self._monotonic() >= self._look_at:
            self._look()
        if self._open:
            refuse_foreign_pages(headers)
            return ANYONE
        stated = [value for name, value in headers if name == b"authorization"]
        if len(stated) != 1 or stated[0][: len(SCHEME)].lower() != SCHEME:
            raise Refused(401, "token", "send one header `Authorization: Bearer TOKEN`", CHALLENGE)
        # Looked up by digest, so that the time taken tells nothing about the token.
        holder = self._holders.get(digest_of(stated[0][len(SCHEME) :].strip()))
        if holder is None or self._now() >= holder.expires_us:
            raise Refused(
                401, "token", "the token is unknown, revoked or expired",
                ((b"www-authenticate", b'Bearer error="invalid_token"'),),
            )  # fmt: skip
        return holder.principal

    def _look(self) -> None:
        self._look_at = self._monotonic() + LOOK_EVERY_SECONDS
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._load()
        except DoorError as error:
            # A file damaged by hand must not lock every client out; it is never half-written.
            logger.error("%s; the tokens read before still hold", error)  # noqa: TRY400
            self._seen = NEVER_SEEN

    def _load(self) -> None:
        tokens = self._file.all()
        moment = dt.datetime.fromtimestamp(self._now() / 1e6, dt.UTC)
        self._holders = {
            token.digest: _Holder(
                Principal(token.name, frozenset(token.grants)), token.expires.timestamp() * 1e6
            )
            for token in tokens
            if token.usable(moment)
        }
        # Once closed, always closed: to revoke or remove the last token must open nothing.
        self._open = self._open_to_all = self._open_to_all and not tokens

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._file.path.stat()
        except OSError:
            return NEVER_SEEN
        return found.st_ino, found.st_mtime_ns, found.st_size


def refuse_foreign_pages(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse what a web page of another site makes a browser send to a service without tokens.

    A page can send simple requests across sites, or point a name of its own at 127.0.0.1; the
    browser then states the page's origin, or the page's name as the host.

    Raises:
        Refused: 403.
    """
    for name, value in headers:
        foreign = (
            (name == b"host" and not local_name(value))
            or (name == b"origin" and not local_name(value.rpartition(b"//")[2]))
            or (name == b"sec-fetch-site" and value in {b"cross-site", b"same-site"})
        )
        if foreign:
            raise Refused(
                403, "origin",
                "without tokens only programs and pages of this machine are answered; "
                "create a token with `feedback-assets token create`",
            )  # fmt: skip


@functools.lru_cache(maxsize=256)
def local_name(host: bytes) -> bool:
    """Whether a host, with or without its port, cannot be a public name of the internet."""
    name = host.decode("latin-1").lower()
    bare = name[1 : name.find("]")] if name.startswith("[") else name.partition(":")[0]
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare not in {"", "null"} and ("." not in bare or bare.endswith(".localhost"))
