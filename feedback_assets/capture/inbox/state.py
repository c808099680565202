"""What the writer of an SQLite inbox keeps in memory, as loaded from the tables."""

from pathlib import Path

from feedback_assets.capture.inbox.records import SEGMENT_ROWS
from feedback_assets.capture.inbox.schema import Connection, create_tables, version_of
from feedback_assets.capture.inbox.segments import Open
from feedback_assets.capture.inbox.steady import SteadyClock
from feedback_assets.capture.inbox.transaction import transaction
from feedback_assets.errors import InboxError

MERGE_ATTEMPTS = 12
"""Each waits five seconds for programs that read: an asset may be in the middle of a long one."""


def prepare(connection: Connection, path: Path) -> None:
    """Merge the WAL into the database and create missing tables.

    After a failed fsync a WAL may hold pages that only the memory has; nothing may follow them
    there, or it would be lost with them. So the WAL starts anew.

    Raises:
        InboxError: Another program reads and does not end, or the tables are of another version.
    """
    for _ in range(MERGE_ATTEMPTS):
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            break
    else:
        raise InboxError(f"{path}: another program holds it open in a transaction; end that first")
    if version_of(connection, path) == 0:
        with transaction(connection):
            create_tables(connection)


def newest(connection: Connection) -> int:
    """The newest number ever given to a row; 0 for none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
    return int(row[0]) if row else 0


def load_open(connection: Connection) -> Open:
    """The segment of the newest row, which grows or is closed by the next one; read once.

    Not the segment of the newest number: repeats use numbers up, also over a segment's end.
    """
    row = connection.execute("SELECT max(seq) FROM entries").fetchone()
    segment = (row[0] or newest(connection)) // SEGMENT_ROWS
    rows = connection.execute(
        "SELECT channel, max(seq) FROM entries NOT INDEXED WHERE seq >= ? GROUP BY channel",
        (segment * SEGMENT_ROWS,),
    )
    return Open(segment, dict(rows))


class Channels(dict[tuple[str, str], int]):
    """(stream, loop) to the number that rows hold for it; given when first asked for."""

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute("SELECT stream, loop, id FROM channels")
        super().__init__({(stream, loop): channel for stream, loop, channel in rows})
        self._connection = connection

    def __missing__(self, where: tuple[str, str]) -> int:
        with transaction(self._connection):
            sql = "INSERT INTO channels (stream, loop) VALUES (?, ?) RETURNING id"
            channel = int(self._connection.execute(sql, where).fetchone()[0])
        self[where] = channel
        return channel


def load_counters(connection: Connection) -> dict[str, float]:
    """Counters as they were saved last."""
    return dict(connection.execute("SELECT name, value FROM counters"))


def load_clock(connection: Connection) -> SteadyClock:
    """The clock of ages, going on from where it was saved."""
    return SteadyClock(connection.execute("SELECT steady_us, wall_us FROM clock").fetchone())


def save_clock(connection: Connection, clock: SteadyClock) -> None:
    """Save the clock of ages."""
    with transaction(connection):
        sql = "INSERT OR REPLACE INTO clock VALUES (1, ?, ?)"
        connection.execute(sql, clock.now_and_wall())
