"""Records on their way to a landed file: known ones left out, halves put together, one commit."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.building import Builder, Shown
from feedback_assets.capture.importers.json_text import shown
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.reading import Place
from feedback_assets.capture.importers.records import (
    HALVES,
    ODD,
    REQUEST,
    RESPONSE,
    WHOLE,
    Event,
    Landed,
    Part,
)
from feedback_assets.capture.importers.store import Store, Waiting
from feedback_assets.capture.importers.writing import file_name, show, write_hidden

RECORDS, BYTES, ROWS = 50_000, 64 << 20, 200_000
"""What one landed file is made of at most, give or take a record."""
WAITING_BYTES = 1 << 20
"""A longer half is refused instead of kept for the other half to come."""


class Item(NamedTuple):
    """A record that was read: what it is, or the reason why it is refused."""

    key: bytes
    content: Part | list[Event] | str
    line: Any
    file_us: int


@dataclass
class Chunk:
    """Records that are landed together."""

    layout: Layout
    store: Store
    folder: Path
    counts: Landed
    now_us: int
    items: list[Item] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    """Of rows in `tables`, new ones only."""
    recent: set[bytes] = field(default_factory=set)
    """The same, to look up."""
    places: dict[SourceFile, tuple[Place, bool]] = field(default_factory=dict)
    late: set[bytes] = field(default_factory=set)
    """Of halves of earlier calls whose pair turned out to be refused."""
    size: int = 0
    rows: int = 0

    def add(self, item: Item, size: int) -> None:
        """Take a record; `size` is its length in bytes."""
        self.items.append(item)
        self.size += size
        content = item.content
        self.rows += len(content.inputs or ()) if isinstance(content, Part) else 1

    def add_table(self, table: pa.Table, keys: list[bytes]) -> None:
        """Take rows that are in the landed schema already, and new."""
        self.tables.append(table)
        self.keys.extend(keys)
        self.recent.update(keys)
        self.size += table.nbytes
        self.rows += len(table)

    @property
    def full(self) -> bool:
        """Whether it is time to commit."""
        return len(self.items) >= RECORDS or self.size >= BYTES or self.rows >= ROWS

    def reached(self, file: SourceFile, place: Place, complete: bool = False) -> None:
        """Say how far a file was read with the records taken so far."""
        self.places[file] = (place, complete)

    def commit(self) -> None:
        """Land what was taken: one file, one transaction."""
        builder = Builder(self.layout, self.counts)
        fresh = self._fresh()
        refused: set[bytes] = set()
        halves: dict[tuple[str, int], Item] = {}
        for item in fresh:
            content = item.content
            if isinstance(content, str):
                builder.refuse(content, item.file_us, shown(item.line))
                self.counts.refused += 1
            elif isinstance(content, list):
                line = Shown(item.line)
                good = builder.feedback(content, item.file_us, item.key.hex(), line)
                self._count(good, refused, item.key)
            elif content.half == WHOLE:
                when = item.file_us if content.time_us is None else content.time_us
                good = builder.prediction(content, content, when, Shown(item.line))
                self._count(good, refused, item.key)
            else:
                halves[content.id, content.half] = item
        waiting, done = self._pair(builder, halves, refused)
        keys = [item.key for item in fresh if item.key not in refused]
        forgotten = [key for key in refused if key in self.late]
        self.late = set()
        self._write(builder, [*keys, *map(self._refused_key, refused)], waiting, done, forgotten)

    def _refused_key(self, key: bytes) -> bytes:
        """Return under what a refused record is remembered: with another layout it may be good."""
        return record_key("refused", self.layout.signature, key)

    def _fresh(self) -> list[Item]:
        keys = [item.key for item in self.items]
        refused = list(map(self._refused_key, keys))
        known = self.store.seen([*keys, *refused]) if keys else set()
        fresh: list[Item] = []
        for item, other in zip(self.items, refused, strict=True):
            if item.key in known or other in known:
                self.counts.repeated += 1
            else:
                known.add(item.key)
                fresh.append(item)
        self.items = []
        return fresh

    def _count(self, good: bool, refused: set[bytes], *keys: bytes) -> None:
        if good:
            self.counts.landed += len(keys)
        else:
            self.counts.refused += len(keys)
            refused.update(keys)

    def _pair(
        self, builder: Builder, halves: dict[tuple[str, int], Item], refused: set[bytes]
    ) -> tuple[list[Waiting], list[tuple[str, int]]]:
        """Build rows of halves that have met; return those that wait, and the waiting that met."""
        alone = [name for name, half in halves if (name, REQUEST + RESPONSE - half) not in halves]
        earlier = self.store.waiting(alone) if alone else {}
        waiting: list[Waiting] = []
        done: list[tuple[str, int]] = []
        for (name, half), item in halves.items():
            other = (name, REQUEST + RESPONSE - half)
            mine = Waiting(item.content, self.now_us, item.file_us, "", item.key)  # type: ignore[arg-type]
            if other in halves:
                if half == REQUEST:
                    partner = halves[other]
                    theirs = Waiting(partner.content, 0, partner.file_us, "", partner.key)  # type: ignore[arg-type]
                    good = _build(builder, mine, theirs, Shown(item.line))
                    self._count(good, refused, item.key, partner.key)
            elif other in earlier:
                theirs = earlier[other]
                pair = (mine, theirs) if half == REQUEST else (theirs, mine)
                line = Shown(item.line if half == REQUEST else theirs.line)
                good = _build(builder, *pair, line)
                self._count(good, refused, item.key)
                if not good:  # so that it may come again too
                    refused.add(theirs.key)
                    self.late.add(theirs.key)
                self.counts.paired_late += 1
                done.append(other)
            elif not _can_wait(mine.part):
                words = f"without its other half, and longer than {WAITING_BYTES:,} bytes"
                builder.refuse(words, item.file_us, shown(item.line), None, name)
                self._count(False, refused, item.key)
            else:
                waiting.append(mine._replace(line=shown(item.line)))
                self.counts.unpaired += 1
        return waiting, done

    def expire(self, before_us: int, days: float) -> None:
        """Land halves that have waited since before a moment, as refused."""
        while expired := self.store.expired(before_us, RECORDS // 10):
            builder = Builder(self.layout, self.counts)
            for name, half, kept in expired:
                other = HALVES[REQUEST + RESPONSE - half]
                when = kept.file_us if kept.part.time_us is None else kept.part.time_us
                words = f"no {other} came for this {HALVES[half]} within {days:g} days"
                builder.refuse(words, when, kept.line, None, name)
            self.counts.expired += len(expired)
            done = [(name, half) for name, half, _ in expired]
            keys = [record_key("expired", f"{half}:{name}") for name, half in done]
            self._write(builder, keys, [], done, [])

    def _write(
        self,
        builder: Builder,
        keys: list[bytes],
        waiting: list[Waiting],
        done: list[tuple[str, int]],
        forgotten: list[bytes],
    ) -> None:
        built = builder.table()
        tables = [*self.tables, *([built] if built is not None else [])]
        keys = [*self.keys, *keys]
        name = ""
        if not (tables or keys or waiting or done or self.places):
            return
        with self.store.transaction():
            if tables:
                name = file_name(self.store.next_number(), keys)
                write_hidden(self.folder, name, pa.concat_tables(tables))
                self.store.keep_pending(name)
            self.store.keep_seen(keys)
            self.store.forget(forgotten)
            self.store.drop_waiting(done)
            self.store.keep_waiting(waiting)
            for file, (place, complete) in self.places.items():
                self.store.keep_place(file, self.layout.signature, place, complete)
        if name:
            show(self.folder, [name])
            self.store.drop_pending([name])
        self.tables, self.keys, self.recent, self.places = [], [], set(), {}
        self.size = self.rows = 0


def _can_wait(part: Part) -> bool:
    try:
        return len(msgspec.json.encode(part)) <= WAITING_BYTES
    except ODD:
        return False


def _build(builder: Builder, request: Waiting, response: Waiting, line: Shown) -> bool:
    times = [t for t in (request.part.time_us, response.part.time_us) if t is not None]
    received = max(times) if times else max(request.file_us, response.file_us)
    return builder.prediction(request.part, response.part, received, line)


def record_key(*words: str | bytes) -> bytes:
    """Return 16 bytes that tell a record from others."""
    digest = hashlib.blake2b(digest_size=16)
    for word in words:
        data = word.encode("utf-8", errors="replace") if isinstance(word, str) else word
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


def moment_us(moment: dt.datetime) -> int:
    """Return an aware moment in microseconds since 1970 UTC."""
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
