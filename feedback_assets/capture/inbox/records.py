"""What goes into the inbox and what comes back."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import pyarrow as pa

Stream = Literal["predictions", "feedback", "shadow", "refused_predictions", "refused_feedback"]
STREAMS: tuple[Stream, ...] = (
    "predictions", "feedback", "shadow", "refused_predictions", "refused_feedback",
)  # fmt: skip
SEGMENT_ROWS = 65_536
"""Rows are pruned by whole segments of the sequence: segment = seq // SEGMENT_ROWS."""
BATCH_SCHEMA = pa.schema(
    [("seq", pa.int64()), ("key", pa.string()), ("time_us", pa.int64()), ("body", pa.string())]
)


class Entry(NamedTuple):
    """One row on its way in."""

    stream: Stream
    loop: str
    key: str
    """Unique in its stream and loop."""
    time_us: int
    """Microseconds since 1970, UTC; decides the partition (predictions and shadow: event time; the
    others: received time)."""
    body: bytes
    """A JSON object, UTF-8."""
    digest: bytes = b""
    """16 bytes over what the sender stated: an entry with a known key and the same digest says the
    same again; with another digest it is a conflict."""


class Outcome(NamedTuple):
    """What became of an entry; it is on disk when its state is `stored` or `repeated`."""

    state: Literal["stored", "repeated", "conflict"]
    seq: int
    """Of the row that holds the key now."""
    body: bytes | None = None
    """The body already stored, when the entry was repeated or in conflict."""


class Replay(NamedTuple):
    """An answer that is given again when the same principal sends the same idempotency key."""

    principal: str
    key: str
    request: bytes
    """32 bytes: sha256 of method, path and body."""
    status: int
    content: bytes
    """The response's body, UTF-8 JSON."""


class Inbox(Protocol):
    """The writing side, used by one asyncio loop; SQLite and PostgreSQL have it alike."""

    async def append(self, entries: Sequence[Entry], replay: Replay | None = None) -> list[Outcome]:
        """Store the entries in one transaction and return when they are on disk.

        The replay is kept in the same transaction, if every entry's state is `stored`.

        Raises:
            InboxFullError: Too many rows wait, or the disk is nearly full; nothing was stored.
            InboxClosedError: The inbox has stopped; nothing was stored.
        """
        ...

    def append_soon(self, entries: Sequence[Entry]) -> bool:
        """Store the entries a little later, from any thread; False when there is no room."""
        ...

    async def remember(self, replay: Replay) -> None:
        """Keep an answer to be given again."""
        ...

    async def replayed(self, principal: str, key: str) -> Replay | None:
        """The answer kept for an idempotency key, for a day."""
        ...

    async def find(self, stream: Stream, loop: str, key: str) -> bytes | None:
        """The body of a stored row; None when there is none, or no longer."""
        ...

    def counters(self) -> dict[str, float]:
        """Counters as they were saved last, by any name."""
        ...

    def save_counters(self, counters: dict[str, float]) -> None:
        """Have counters saved with the next commit, from any thread."""
        ...

    def waiting(self) -> int:
        """Rows that wait to be written."""
        ...

    def stopped(self) -> str:
        """Why the inbox takes nothing more; empty while it does."""
        ...

    async def close(self) -> None:
        """Write what waits and end."""
        ...


class InboxReader(Protocol):
    """The reading side, used by assets and sensors in other processes."""

    def head(self) -> int:
        """The newest sequence number; 0 when nothing was ever stored."""
        ...

    def pruned_through(self, stream: Stream, loop: str) -> int:
        """Every row of the stream up to this sequence number is gone; 0 if none is."""
        ...

    def hours(self, stream: Stream, loop: str, after: int, until: int) -> dict[int, int]:
        """Hour (microseconds of its start) to rows with `after < seq <= until` of that time."""
        ...

    def batches(
        self, stream: Stream, loop: str, start_us: int, end_us: int, until: int
    ) -> Iterator[pa.RecordBatch]:
        """Rows with `start_us <= time_us < end_us` and `seq <= until`, by seq (BATCH_SCHEMA)."""
        ...

    def taken(self, stream: Stream, loop: str, through: int) -> None:
        """Say that the tables hold every row up to `through`: a leave to prune whole segments."""
        ...

    def close(self) -> None:
        """End."""
        ...
