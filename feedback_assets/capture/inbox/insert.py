"""Inserting many rows by few statements: each statement is one hand-over between threads."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from feedback_assets.capture.inbox.jobs import Job
from feedback_assets.capture.inbox.records import Entry, Outcome
from feedback_assets.capture.inbox.schema import Connection
from feedback_assets.errors import InboxClosedError

COLUMNS = 6
"""Of a row, in this order: seq, channel, key, time_us, digest, body."""
CHUNK_ROWS = 64


@lru_cache(CHUNK_ROWS)
def _statement(rows: int) -> str:
    # OR IGNORE skips known keys and, unlike ON CONFLICT, needs no journal for the statement.
    values = ", ".join(["(" + ", ".join("?" * COLUMNS) + ")"] * rows)
    return (
        f"INSERT OR IGNORE INTO entries (seq, channel, key, time_us, digest, body) VALUES {values}"
    )


def lay_out(
    jobs: Sequence[Job], channels: Mapping[tuple[str, str], int], after: int
) -> tuple[list[Any], list[tuple[int, int]]]:
    """Number the entries of all jobs, from the number behind `after`.

    Returns:
        Their values for `insert`, and the number and channel of each.
    """
    flat: list[Any] = []
    placed: list[tuple[int, int]] = []
    seq = after
    for job in jobs:
        for entry, body in zip(job.entries, job.bodies, strict=True):
            stream, loop, key, time_us, _, digest = entry
            channel = channels[stream, loop]
            seq += 1
            flat += (seq, channel, key, time_us, digest, body)
            placed.append((seq, channel))
    return flat, placed


def insert(connection: Connection, flat: Sequence[Any]) -> int:
    """Insert rows, given as one value after the other; how many had new keys."""
    step = CHUNK_ROWS * COLUMNS
    stored = 0
    for start in range(0, len(flat), step):
        part = flat[start : start + step]
        stored += connection.execute(_statement(len(part) // COLUMNS), part).rowcount
    return stored


def compare(
    connection: Connection,
    placed: Sequence[tuple[int, int]],
    entries: Sequence[Entry],
    after: int,
) -> list[Outcome]:
    """What became of each entry that `insert` was given, when not all were new.

    Args:
        connection: Still in the transaction of the insert.
        placed: The number and channel of each entry, in the order of the insert.
        entries: The entries alike.
        after: The last number before the insert.

    Raises:
        InboxClosedError: A row was neither stored nor is there one with its key.
    """
    rows = connection.execute("SELECT seq FROM entries WHERE seq > ?", (after,))
    stored = {seq for (seq,) in rows}
    outcomes: list[Outcome] = []
    for (seq, channel), entry in zip(placed, entries, strict=True):
        if seq in stored:
            outcomes.append(Outcome("stored", seq))
            continue
        row = connection.execute(
            "SELECT seq, digest, body FROM entries WHERE channel = ? AND key = ?",
            (channel, entry.key),
        ).fetchone()
        if row is None:
            raise InboxClosedError("Another program has changed the inbox's database")
        outcomes.append(known(entry, row[0], row[1], row[2]))
    return outcomes


def known(entry: Entry, seq: int, digest: bytes, body: str) -> Outcome:
    """What an entry is whose key a row holds already."""
    state: Literal["repeated", "conflict"] = "repeated" if digest == entry.digest else "conflict"
    return Outcome(state, seq, body.encode())
