"""New rows of the inbox: which days they belong to, and when the tables should take them."""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self

from feedback_assets.assets.receipts import reading_tables, streams_of
from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.capture.inbox.records import InboxReader
from feedback_assets.capture.waiting import partitions_of
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end

NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NEW: Literal["new"] = "new"
OPEN: Literal["open"] = "open"


@dataclass
class InboxLook:
    """How far the inbox was looked at, and the days that are still of interest.

    Attributes:
        seq: Rows up to this sequence number have been looked at.
        days: Table to day to `new` (rows that were not asked for yet) or `open` (asked for while the
            day was not over; it is asked for once more when it is).
        asked: When days that were not over were last asked for.
    """

    seq: int = 0
    days: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: dt.datetime = NEVER

    def text(self) -> str:
        """As cursor text."""
        return json.dumps([self.seq, self.days, self.asked.isoformat()], separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Self:
        """The inverse of `text`; an empty text has looked at nothing."""
        if not text:
            return cls()
        seq, days, asked = json.loads(text)
        return cls(seq, days, dt.datetime.fromisoformat(asked))

    def look(self, space: LoopSpace) -> None:
        """Note the days of the rows that came in since the last look."""
        reader = open_reader(space.settings)
        if reader is None:
            return
        try:
            head = reader.head()
            for table in reading_tables():
                known = self.days.setdefault(table, {})
                known |= dict.fromkeys(self._fresh(reader, space, table, head), NEW)
            self.seq = max(self.seq, head)
        finally:
            reader.close()

    def _fresh(self, reader: InboxReader, space: LoopSpace, table: str, head: int) -> Iterable[str]:
        days: set[str] = set()
        for stream in streams_of(table):
            hours = reader.hours(stream, space.name, self.seq, head)
            days |= set(partitions_of(space.config.partitions.grain, hours))
        return days

    def due(self, space: LoopSpace, clock: Clock) -> dict[str, list[str]]:
        """Table to the days to ask for now; they are noted as asked for.

        A day that is over is asked for at once. Others wait for each other, since a run costs
        seconds however little it brings (`serve.take_minutes`). A day outside the loop's calendar
        (`partitions.end`, a clock that was wrong) stays noted until it lies inside.
        """
        now, grain = clock.now(), space.config.partitions.grain
        wait = dt.timedelta(minutes=space.config.serve.take_minutes)
        patient = now - self.asked < wait
        found: dict[str, list[str]] = {}
        calendar = set(space.partitions.get_partition_keys()) if any(self.days.values()) else set()
        for table, days in self.days.items():
            known = {day for day in days if day in calendar}
            over = {day for day in known if partition_end(grain, day) <= now}
            running = set() if patient else {d for d in known - over if days[d] == NEW}
            found[table] = sorted(over | running)
            self.days[table] = {
                day: OPEN if day in running else state
                for day, state in days.items()
                if day not in over
            }
        if any(day in self.days[table] for table, days in found.items() for day in days):
            self.asked = now
        return found
