"""Deleting the oldest rows of an SQLite inbox, once the tables hold them."""

from collections.abc import Mapping

from feedback_assets.capture.inbox.records import SEGMENT_ROWS
from feedback_assets.capture.inbox.schema import Connection
from feedback_assets.capture.inbox.transaction import transaction

BATCH_ROWS = 512
"""Rows deleted in one transaction: a few milliseconds in which no row is appended."""


def prunable(
    connection: Connection, receipts: Mapping[tuple[str, str], int], before_us: int
) -> int:
    """Rows below this number may go: those of the oldest closed segment, or none (0).

    A segment may go when a receipt covers the last row of each of its streams and its newest row
    was written before `before_us` (SteadyClock).
    """
    rows = connection.execute(
        "SELECT s.segment, c.stream, c.loop, s.last_seq, s.closed_us"
        " FROM segments s JOIN channels c ON c.id = s.channel"
        " WHERE s.segment = (SELECT min(segment) FROM segments)"
    ).fetchall()
    for _, stream, loop, last, closed_us in rows:
        if receipts.get((stream, loop), 0) < last or closed_us > before_us:
            return 0
    if not rows:
        return 0
    first = int(rows[0][0]) * SEGMENT_ROWS
    older = connection.execute("SELECT 1 FROM entries WHERE seq < ? LIMIT 1", (first,)).fetchone()
    # Rows whose segment nobody noted as closed: no receipt was asked for them.
    return 0 if older else first + SEGMENT_ROWS


def prune_batch(connection: Connection, below: int) -> int:
    """Delete some rows below a number and record that they are gone, in one transaction.

    Returns:
        How many rows went; with the last of them the segment is forgotten.
    """
    with transaction(connection):
        last, count = connection.execute(
            "SELECT max(seq), count(*) FROM"
            " (SELECT seq FROM entries WHERE seq < ? ORDER BY seq LIMIT ?)",
            (below, BATCH_ROWS),
        ).fetchone()
        if count < BATCH_ROWS:
            connection.execute("DELETE FROM segments WHERE segment < ?", (below // SEGMENT_ROWS,))
        if count:
            gone = connection.execute(
                "SELECT max(seq), channel FROM entries NOT INDEXED WHERE seq <= ? GROUP BY channel",
                (last,),
            ).fetchall()
            for through in gone:
                connection.execute("UPDATE channels SET pruned_through = ? WHERE id = ?", through)
            connection.execute("DELETE FROM entries WHERE seq <= ?", (last,))
    return int(count)
