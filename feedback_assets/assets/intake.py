"""Every row that belongs to a table: the files, the imported logs and what the service has taken.

The inbox is read by sequence number up to its head. Its old segments are deleted once the tables
hold them; their rows are then taken over from the table itself, so making a day again changes
nothing. Which segments are held is known from receipts, written after the table's commit.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb

from feedback_assets.assets.receipts import Receipts, streams_of
from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.counts import Staged
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.landing import landed_files
from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import InboxReader, Stream
from feedback_assets.capture.landed import landed_feedback_plan, landed_prediction_plan
from feedback_assets.capture.plan import Kept, OwnRows
from feedback_assets.capture.waiting import InboxRows, first_whole, stored_before
from feedback_assets.config.source import Side
from feedback_assets.errors import InboxError
from feedback_assets.labels.older import EVENT, with_columns

SIDES: dict[str, Side] = {"prediction_log": "predictions", "feedback_events": "feedback"}
QUARANTINE = "_quarantine"
Pruned = dict[Stream, int]
"""Stream to the sequence number up to which its rows were deleted."""


@dataclass
class Intake:
    """What comes to one table in its own columns, for some partitions.

    Attributes:
        own: The rows, to be staged beside the source's files.
        head: Sequence number up to which the inbox was read; 0 without an inbox.
    """

    space: LoopSpace
    table: str
    keys: Sequence[str]
    own: OwnRows
    head: int
    pruned: Pruned
    reader: InboxReader | None

    def taken(self, future: Sequence[str]) -> None:
        """Note that the table holds these partitions' rows, except of those with rows to come."""
        if self.reader is None:
            return
        done = [key for key in self.keys if key not in future]
        receipts = Receipts(self.space)
        receipts.note(self.table, done, self.head)
        receipts.release(self.reader, self.head)

    def stage(
        self,
        con: duckdb.DuckDBPyConnection,
        how: Callable[..., Staged],
        files: Sequence[SourceFile],
        as_of: dt.datetime,
    ) -> Staged:
        """Stage the files and what comes beside them.

        Args:
            con: A connection in UTC.
            how: `stage_predictions` or `stage_feedback`.
            files: The source's files.
            as_of: Rows received later are left out.

        Raises:
            InboxError: A segment was deleted meanwhile; the run can be repeated.
        """
        staged = how(con, self.space.config, files, self.keys, as_of, self.own)
        if not self.unchanged():
            raise InboxError(
                f"{self.space.name}: rows of the inbox were deleted while they were read, because "
                "the table holds them; run it again"
            )
        return staged

    def unchanged(self) -> bool:
        """Whether no further segment was begun to be deleted since the intake was opened."""
        if self.reader is None:
            return True
        now = pruned_through(self.reader, self.space, self.table)
        return all(first_whole(now[name]) == first_whole(seq) for name, seq in self.pruned.items())


@contextlib.contextmanager
def intake(space: LoopSpace, table: str, keys: Sequence[str]) -> Iterator[Intake]:
    """Open what comes to a table beside its source's files."""
    plan = landed_prediction_plan if table == "prediction_log" else landed_feedback_plan
    kind = SIDES[table]
    own = OwnRows(plan(space.config), landed_files(space.settings, space.name, kind))
    reader = open_reader(space.settings)
    if reader is None:
        yield Intake(space, table, keys, own, 0, {}, None)
        return
    try:
        pruned, head = pruned_through(reader, space, table), reader.head()
        waiting = InboxRows(reader, space.config, kind, head, pruned)
        own = replace(own, waiting=waiting, kept=kept_rows(space, table, keys, pruned))
        yield Intake(space, table, keys, own, head, pruned, reader)
    finally:
        reader.close()


def pruned_through(reader: InboxReader, space: LoopSpace, table: str) -> Pruned:
    """Up to where the inbox has deleted rows of a table's streams."""
    return {stream: reader.pruned_through(stream, space.name) for stream in streams_of(table)}


def kept_rows(space: LoopSpace, table: str, keys: Sequence[str], pruned: Pruned) -> Kept:
    """The rows of deleted segments, as the table and its quarantine hold them."""
    return Kept(
        kept_relation(space, table, keys, pruned),
        kept_relation(space, f"{table}{QUARANTINE}", keys, pruned),
    )


def kept_relation(space: LoopSpace, table: str, keys: Sequence[str], pruned: Pruned) -> str | None:
    """Rows of a table that came from deleted segments of the inbox."""
    snapshot = space.table(table).snapshot()
    gone = [stored_before(stream, seq) for stream, seq in pruned.items() if seq]
    if not gone or snapshot.version < 0:
        return None
    wanted = EVENT if table == "feedback_events" else {}
    rows = with_columns(snapshot.relation(keys), snapshot.columns(), wanted)
    return f"(SELECT * FROM {rows} WHERE {' OR '.join(gone)})"
