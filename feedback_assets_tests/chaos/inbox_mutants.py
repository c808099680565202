"""Writers broken on purpose: a proof that they pass proves nothing."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from feedback_assets.capture.inbox import lock, schema, sqlite, transaction
from feedback_assets.errors import InboxFullError

LATE_SECONDS = 0.02
EARLY = "acknowledged before the commit"
GOES_ON = "goes on after an error of the disk"
NO_LOCK = "no lock"
NO_KEY = "no unique key"
NORMAL = "synchronous = NORMAL"
OFF = "synchronous = OFF"
OLD_NUMBERS = "numbers below those already read"
CLOCK_NUMBERS = "numbers that follow the clock"
_NEWEST = "SELECT seq FROM sqlite_sequence WHERE name = 'entries'"
REWRITES: dict[str, dict[str, str]] = {
    NO_KEY: {"CREATE UNIQUE INDEX entries_key": "CREATE INDEX entries_key"},
    NORMAL: {"synchronous = FULL": NORMAL},
    OFF: {"synchronous = FULL": OFF},
    OLD_NUMBERS: {_NEWEST: "SELECT coalesce(min(seq) - 1000000, 0) FROM entries"},
    CLOCK_NUMBERS: {_NEWEST: "SELECT strftime('%s', 'now') * 1000000"},
}


class Broken:
    """A connection that runs other statements, or commits later than it says.

    Args:
        connection: The one that does the work.
        mutant: How it is broken.
    """

    def __init__(self, connection: Any, mutant: str) -> None:
        self._connection = connection
        self._rewrites = REWRITES.get(mutant, {})
        self._early = mutant == EARLY
        self._owed_since = 0.0

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        for found, other in self._rewrites.items():
            sql = sql.replace(found, other)
        if self._early and sql == "COMMIT":
            self._owed_since = self._owed_since or time.monotonic()
            return self._connection.execute("SELECT 1")
        if self._owed_since:
            if sql == "BEGIN IMMEDIATE" and time.monotonic() - self._owed_since < LATE_SECONDS:
                return self._connection.execute("SELECT 1")
            if sql == "BEGIN IMMEDIATE" or sql.startswith("PRAGMA"):
                self._settle()
        return self._connection.execute(sql, parameters)

    def close(self) -> None:
        self._settle()
        self._connection.close()

    def _settle(self) -> None:
        if self._owed_since:
            self._owed_since = 0.0
            self._connection.execute("COMMIT")


@contextmanager
def applied(mutant: str, connect: Callable[..., Any] = sqlite3.connect) -> Iterator[None]:
    """Let the inbox open its database through `connect`, and break the writer so, if at all."""

    def connected(path: Any, **options: Any) -> Any:
        made = connect(path, **options)
        return Broken(made, mutant) if mutant else made

    with ExitStack() as broken:
        broken.enter_context(patch.object(schema, "sqlite3", SimpleNamespace(connect=connected)))
        if mutant == GOES_ON:
            for module in (sqlite, transaction):
                broken.enter_context(patch.object(module, "InboxClosedError", InboxFullError))
        if mutant == NO_LOCK:
            free = SimpleNamespace(flock=lambda *_: None, LOCK_EX=0, LOCK_NB=0)
            broken.enter_context(patch.object(lock, "fcntl", free))
        yield
