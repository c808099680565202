"""Pruning an SQLite inbox while no service writes it."""

import contextlib
import sqlite3
import time

from feedback_assets.capture.inbox.pruning import prunable
from feedback_assets.capture.inbox.receipts import read_receipts
from feedback_assets.capture.inbox.schema import DATABASE, connect_read_only
from feedback_assets.capture.inbox.sqlite import DAY_US, SqliteStore
from feedback_assets.capture.inbox.state import load_clock
from feedback_assets.errors import InboxError, InboxFullError
from feedback_assets.settings import Settings

PRUNE_SECONDS = 2.0
"""How long the writer's lock is held at most; the next call goes on."""


def prune_now(settings: Settings) -> int:
    """Delete rows that the tables hold and that are old enough; how many went.

    None while a service runs: it prunes by itself.

    Raises:
        InboxClosedError: The disk failed.
    """
    if not _anything(settings):
        return 0
    try:
        store = SqliteStore(settings, "pruning")
    except InboxError:
        return 0
    gone = 0
    with contextlib.closing(store), contextlib.suppress(InboxFullError):
        until = time.monotonic() + PRUNE_SECONDS
        while time.monotonic() < until and (batch := store.prune()):
            gone += batch
    return gone


def _anything(settings: Settings) -> bool:
    """Whether a segment may go; told without the lock."""
    path = settings.inbox / DATABASE
    if not path.is_file():
        return False
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            before = load_clock(connection).now() - int(settings.inbox_keep_days * DAY_US)
            return prunable(connection, read_receipts(settings.inbox), before) > 0
    except sqlite3.Error:
        return False
