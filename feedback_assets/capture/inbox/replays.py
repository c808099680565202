"""Answers kept for idempotency keys in an SQLite inbox."""

from feedback_assets.capture.inbox.records import Replay
from feedback_assets.capture.inbox.schema import Connection
from feedback_assets.capture.inbox.transaction import transaction

LIFE_SECONDS = 86_400
LIFE_US = LIFE_SECONDS * 1_000_000
SWEEP_ROWS = 500


def keep(connection: Connection, replay: Replay, now_us: int) -> None:
    """Keep an answer, unless one younger than the life is kept for its key."""
    connection.execute(
        "INSERT INTO replays VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (principal, key) DO UPDATE SET"
        " request = excluded.request, status = excluded.status, content = excluded.content,"
        " kept_us = excluded.kept_us WHERE replays.kept_us <= excluded.kept_us - ?",
        (*replay, now_us, LIFE_US),
    )


def recall(connection: Connection, principal: str, key: str, now_us: int) -> Replay | None:
    """The answer kept for a key, while it lives."""
    row = connection.execute(
        "SELECT principal, key, request, status, content FROM replays"
        " WHERE principal = ? AND key = ? AND kept_us > ?",
        (principal, key, now_us - LIFE_US),
    ).fetchone()
    return None if row is None else Replay(*row)


def sweep(connection: Connection, now_us: int) -> bool:
    """Delete some that have outlived their life; True when there may be more."""
    old = connection.execute(
        "SELECT rowid FROM replays WHERE kept_us <= ? ORDER BY kept_us LIMIT ?",
        (now_us - LIFE_US, SWEEP_ROWS),
    ).fetchall()
    if old:
        with transaction(connection):
            for row in old:
                connection.execute("DELETE FROM replays WHERE rowid = ?", row)
    return len(old) == SWEEP_ROWS
