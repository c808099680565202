"""What makes a replay fast; nothing here changes what is replayed."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Engine

from feedback_assets.settings import Settings


@contextmanager
def light_records(settings: Settings) -> Iterator[None]:
    """Spare Dagster's databases the forced write to disk after each of a replay's events.

    SQLite's write-ahead log keeps a database whole without it; what a power loss takes is the end
    of a replay, which can be made again. The log is also written back whenever the last connection
    closes, so one is held open.
    """
    databases = [*settings.dagster.glob("*/*.db"), *settings.dagster.glob("history/runs/index.db")]
    with ExitStack() as stack:
        for path in databases:
            held = stack.enter_context(closing(sqlite3.connect(path)))
            held.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        event.listen(Engine, "connect", _relax)
        try:
            yield
        finally:
            event.remove(Engine, "connect", _relax)


def _relax(connection: sqlite3.Connection, _record: object) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA synchronous = NORMAL")
