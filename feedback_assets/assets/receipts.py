"""Which rows of the inbox the tables hold: what may be deleted there.

Losing a receipt only delays the deletion: a segment goes when every partition that it has rows of
was committed after the segment was full.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.inbox.records import SEGMENT_ROWS, InboxReader, Stream
from feedback_assets.capture.waiting import partitions_of

READERS: dict[Stream, tuple[str, ...]] = {
    "predictions": ("prediction_log", "serving_log"),
    "refused_predictions": ("prediction_log",),
    "feedback": ("feedback_events",),
    "refused_feedback": ("feedback_events",),
    "shadow": ("serving_log",),
}
"""The tables that must hold a stream's rows before they are deleted."""


def reading_tables() -> list[str]:
    """The tables that read the inbox."""
    return list(dict.fromkeys(table for tables in READERS.values() for table in tables))


def streams_of(table: str) -> list[Stream]:
    """The streams that a table reads."""
    return [stream for stream, tables in READERS.items() if table in tables]


class Receipts:
    """The receipts of one loop: for each table, partition to sequence number."""

    def __init__(self, space: LoopSpace) -> None:
        self.space = space
        self.path = space.settings.inbox / "receipts" / f"{space.name}.json"

    def note(self, table: str, partitions: Sequence[str], head: int) -> None:
        """Note that a table holds all rows of some partitions up to a sequence number."""
        with self._locked():
            known = self.read()
            mine = known.setdefault(table, {})
            for key in partitions:
                mine[key] = max(mine.get(key, 0), head)
            self._write(known)

    def forget(self) -> None:
        """Forget all receipts: only for replays, which begin anew."""
        self.path.unlink(missing_ok=True)

    def read(self) -> dict[str, dict[str, int]]:
        """Table to partition to sequence number."""
        if not self.path.exists():
            return {}
        found: dict[str, dict[str, int]] = json.loads(self.path.read_text("utf-8"))
        return found

    def release(self, reader: InboxReader, head: int) -> None:
        """Tell the inbox of each stream up to which full segment the tables hold it."""
        known = self.read()
        # Whole segments go, oldest first: what one stream has lost, none of them holds any more.
        done = max(reader.pruned_through(stream, self.space.name) for stream in READERS)
        for stream, tables in READERS.items():
            through = self._through(reader, stream, tables, known, done, head)
            if through > done:
                reader.taken(stream, self.space.name, through)

    def _through(
        self,
        reader: InboxReader,
        stream: Stream,
        tables: Sequence[str],
        known: dict[str, dict[str, int]],
        done: int,
        head: int,
    ) -> int:
        end = (done // SEGMENT_ROWS + bool(done)) * SEGMENT_ROWS + SEGMENT_ROWS - 1
        while end < head:
            hours = reader.hours(stream, self.space.name, done, end)
            days = partitions_of(self.space.config.partitions.grain, hours)
            if any(known.get(table, {}).get(day, 0) < end for table in tables for day in days):
                break
            done, end = end, end + SEGMENT_ROWS
        return done

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, known: dict[str, dict[str, int]]) -> None:
        hidden = self.path.with_suffix(f".{os.getpid()}.tmp")
        hidden.write_text(json.dumps(known, sort_keys=True), encoding="utf-8")
        hidden.replace(self.path)
