"""Inserting many rows into PostgreSQL by one statement, and comparing those already there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from feedback_assets.capture.inbox.insert import known
from feedback_assets.capture.inbox.records import Entry, Outcome
from feedback_assets.errors import InboxFullError

if TYPE_CHECKING:
    import psycopg

Row = tuple[int, str, int, bytes, str]
"""channel, key, time_us, digest, body"""
_INSERT = (
    "INSERT INTO inbox_entries (channel, key, time_us, digest, body)"
    " SELECT channel, key, time_us, digest, body FROM"
    " unnest(%s::int[], %s::text[], %s::bigint[], %s::bytea[], %s::text[]) WITH ORDINALITY"
    " AS new (channel, key, time_us, digest, body, place) ORDER BY place"
    " ON CONFLICT (channel, key) DO NOTHING RETURNING channel, key, seq"
)
_KNOWN = (
    "SELECT channel, key, seq, digest, body FROM inbox_entries JOIN"
    " unnest(%s::int[], %s::text[]) AS asked (channel, key) USING (channel, key)"
)


def insert(
    connection: "psycopg.Connection",
    rows: Sequence[Row],
    entries: Sequence[Entry],
) -> list[Outcome]:
    """Insert rows, one for each entry, in the transaction that holds the lock of those who append.

    Raises:
        InboxFullError: A row with a key of theirs was pruned meanwhile.
    """
    if not rows:
        return []
    columns = [list(column) for column in zip(*rows, strict=True)]
    new = {(c, key): seq for c, key, seq in connection.execute(_INSERT, columns).fetchall()}
    if len(new) == len(rows):
        return [Outcome("stored", new[row[0], row[1]]) for row in rows]
    found = connection.execute(_KNOWN, columns[:2]).fetchall()
    there = {(channel, key): rest for channel, key, *rest in found}
    outcomes: list[Outcome] = []
    for row, entry in zip(rows, entries, strict=True):
        seq = new.pop((row[0], row[1]), None)  # of two alike in one group the first is new
        if seq is not None:
            outcomes.append(Outcome("stored", seq))
        elif (row[0], row[1]) in there:
            outcomes.append(known(entry, *there[row[0], row[1]]))
        else:
            raise InboxFullError("A row was pruned while its like came in; send it again")
    return outcomes
