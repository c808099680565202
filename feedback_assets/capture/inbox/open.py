"""The inbox that the settings name: SQLite in the home, or PostgreSQL for several replicas."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from feedback_assets.capture.inbox.offline import prune_now
from feedback_assets.capture.inbox.reader import SqliteReader
from feedback_assets.capture.inbox.records import Inbox, InboxReader
from feedback_assets.capture.inbox.schema import DATABASE, Connection, connect, connect_read_only
from feedback_assets.capture.inbox.space import free_bytes
from feedback_assets.capture.inbox.sqlite import SqliteStore
from feedback_assets.capture.inbox.writer import GroupInbox
from feedback_assets.settings import Settings


async def open_inbox(settings: Settings) -> Inbox:
    """Open the inbox to write; `close` it at the end.

    Raises:
        InboxError: Another process writes it, its files or database cannot be used, or psycopg is
            missing for PostgreSQL.
    """
    if settings.inbox_url is not None:
        from feedback_assets.capture.inbox.postgres import open_postgres

        return await asyncio.to_thread(open_postgres, settings)
    return await asyncio.to_thread(open_sqlite, settings)


def open_sqlite(
    settings: Settings,
    connect: Callable[[Path], Connection] = connect,
    connect_reader: Callable[[Path], Connection] = connect_read_only,
    free: Callable[[Path], int] = free_bytes,
) -> Inbox:
    """Open the SQLite inbox; tests put faulty disks and full ones below it."""
    store = SqliteStore(settings, "serving", connect, connect_reader, free)
    return GroupInbox(store, settings.inbox_queue)


def open_reader(settings: Settings) -> InboxReader | None:
    """Open the inbox to read, from any process; None when nothing was ever stored.

    Raises:
        InboxError: It cannot be read.
    """
    if settings.inbox_url is not None:
        from feedback_assets.capture.inbox.pgreader import open_postgres_reader

        return open_postgres_reader(settings)
    path = settings.inbox / DATABASE
    if not path.is_file():
        return None
    reader = SqliteReader(path, lambda: prune_now(settings))
    if not reader.has_tables:
        reader.close()
        return None
    return reader
