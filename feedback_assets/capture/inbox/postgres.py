"""The PostgreSQL inbox, for several replicas: rows are numbered in commit order across them."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from feedback_assets.capture.inbox.jobs import Job, by_job
from feedback_assets.capture.inbox.pginsert import Row, insert
from feedback_assets.capture.inbox.pgschema import (
    LOCK,
    channel_of,
    connect_writer,
    create_tables,
    driver,
)  # fmt: skip
from feedback_assets.capture.inbox.records import Inbox, Outcome, Replay
from feedback_assets.capture.inbox.replays import LIFE_SECONDS
from feedback_assets.capture.inbox.writer import GroupInbox
from feedback_assets.errors import InboxClosedError, InboxError, InboxFullError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    import psycopg

CHORES_SECONDS = 10.0
SWEEP_ROWS = 500
_KEEP = (
    "INSERT INTO inbox_replays VALUES (%s, %s, %s, %s, %s) ON CONFLICT (principal, key) DO UPDATE"
    " SET request = excluded.request, status = excluded.status, content = excluded.content,"
    " kept_at = excluded.kept_at"
    f" WHERE inbox_replays.kept_at <= excluded.kept_at - interval '{LIFE_SECONDS} s'"
)
_COUNT = (
    "INSERT INTO inbox_counters SELECT %s, * FROM unnest(%s::text[], %s::float8[])"
    " ON CONFLICT (replica, name) DO UPDATE SET value = excluded.value"
)


def open_postgres(settings: Settings) -> Inbox:
    """Open the inbox at `settings.inbox_url`.

    Raises:
        InboxError: It cannot be reached or used; the message does not show the address, which may
            hold a password.
    """
    return GroupInbox(PostgresStore(settings.inbox_url or ""), settings.inbox_queue)


class PostgresStore:
    """A Store (store.py).

    A lost connection refuses rows (InboxFullError) until the server is back. Whether the commit
    that was under way took place is unknown then: who sends the same again is told `repeated`.
    Counters are kept for each host's name.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._replica = socket.gethostname()
        self._channels: dict[tuple[str, str], int] = {}
        self._writing: psycopg.Connection | None = None
        self._reading: psycopg.Connection | None = None
        try:
            with self._writer() as connection:
                create_tables(connection)
        except InboxFullError as error:
            raise InboxError(str(error)) from error

    def write(self, jobs: Sequence[Job], counters: Mapping[str, float]) -> list[list[Outcome]]:
        """See `Store`."""
        with self._writer() as connection:
            rows = self._rows(connection, jobs)
            with connection.transaction():
                # The lock ends after the commit is visible: nobody with a larger number is
                # visible earlier, so a reader behind a number never skips a row.
                connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                outcomes = insert(connection, rows, [e for job in jobs for e in job.entries])
                answers, kept = by_job(jobs, outcomes)
                for replay in kept:
                    connection.execute(_KEEP, replay)
                if counters:
                    names, values = list(counters), list(counters.values())
                    connection.execute(_COUNT, (self._replica, names, values))
        return answers

    def room(self) -> str:
        """See `Store`; a connection that was lost is made anew."""
        try:
            with self._writer():
                return ""
        except InboxFullError as error:
            return str(error)

    def chores(self) -> float:
        """See `Store`: forget old replays."""
        sql = (
            "DELETE FROM inbox_replays WHERE ctid IN (SELECT ctid FROM inbox_replays"
            " WHERE kept_at <= statement_timestamp() - make_interval(secs => %s)"
            " ORDER BY kept_at LIMIT %s FOR UPDATE SKIP LOCKED)"
        )
        with contextlib.suppress(InboxFullError), self._writer() as connection:
            connection.execute(sql, (LIFE_SECONDS, SWEEP_ROWS))
        return CHORES_SECONDS

    def counters(self) -> dict[str, float]:
        """See `Store`."""
        sql = "SELECT name, value FROM inbox_counters WHERE replica = %s"
        with self._writer() as connection:
            return dict(connection.execute(sql, (self._replica,)).fetchall())

    def may_know(self, principal: str, key: str) -> bool:  # noqa: ARG002
        """See `Store`; another replica may have kept it a moment ago."""
        return True

    def find(self, stream: str, loop: str, key: str) -> bytes | None:
        """See `Store`."""
        sql = (
            "SELECT body FROM inbox_entries WHERE key = %s AND channel ="
            " (SELECT id FROM inbox_channels WHERE stream = %s AND loop = %s)"
        )
        with self._reader() as connection:
            row = connection.execute(sql, (key, stream, loop)).fetchone()
        return None if row is None else row[0].encode()

    def replayed(self, principal: str, key: str) -> Replay | None:
        """See `Store`."""
        sql = (
            "SELECT principal, key, request, status, content FROM inbox_replays WHERE"
            " principal = %s AND key = %s"
            " AND kept_at > statement_timestamp() - make_interval(secs => %s)"
        )
        with self._reader() as connection:
            row = connection.execute(sql, (principal, key, LIFE_SECONDS)).fetchone()
        return None if row is None else Replay(*row)

    def close(self) -> None:
        """See `Store`."""
        for connection in (self._writing, self._reading):
            if connection is not None:
                connection.close()

    def _rows(self, connection: "psycopg.Connection", jobs: Sequence[Job]) -> list[Row]:
        rows: list[Row] = []
        for job in jobs:
            for entry, body in zip(job.entries, job.bodies, strict=True):
                where = (entry.stream, entry.loop)
                if where not in self._channels:
                    self._channels[where] = channel_of(connection, *where)
                rows.append((self._channels[where], entry.key, entry.time_us, entry.digest, body))
        return rows

    @contextlib.contextmanager
    def _writer(self) -> Iterator["psycopg.Connection"]:
        with _in_words(self._drop_writer):
            if self._writing is None:
                self._writing = connect_writer(self._url)
            yield self._writing

    @contextlib.contextmanager
    def _reader(self) -> Iterator["psycopg.Connection"]:
        with _in_words(self._drop_reader):
            if self._reading is None:
                self._reading = connect_writer(self._url)
            yield self._reading

    def _drop_writer(self) -> None:
        lost, self._writing = self._writing, None
        if lost is not None:
            lost.close()

    def _drop_reader(self) -> None:
        lost, self._reading = self._reading, None
        if lost is not None:
            lost.close()


@contextlib.contextmanager
def _in_words(drop: Callable[[], None]) -> Iterator[None]:
    """Say what an error means; the driver's own words may hold values, so they are not shown."""
    psycopg = driver()
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise InboxError(f"An entry cannot be stored ({type(error).__name__})") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
        drop()
        why = f"The inbox's PostgreSQL does not answer ({type(error).__name__})"
        raise InboxFullError(why) from error
    except psycopg.Error as error:
        why = f"The inbox's PostgreSQL refused ({type(error).__name__} {error.sqlstate})"
        raise InboxClosedError(why) from error
