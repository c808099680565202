"""Files whose records are read one by one: every format but the generic one."""

import datetime as dt

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.chunks import Chunk, Item, moment_us, record_key
from feedback_assets.capture.importers.format import Format
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.reading import Found, Place, is_parquet, records
from feedback_assets.capture.importers.records import ODD, REQUEST, Event, Part, UnexpectedError


def take(chunk: Chunk, file: SourceFile, form: Format, start: Place, now: dt.datetime) -> None:
    """Read a file from where it was left, committing whenever the chunk is full."""
    file_us = moment_us(file.modified)
    numbering = Numbering(form.sequence, start)
    place, whole = start, not is_parquet(file)
    complete = True
    for block in records(file, form.columns, start, now):
        if block.place.offset < place.offset:  # the file was replaced: read from its beginning
            numbering = Numbering(form.sequence, Place())
        share = block.size // max(1, len(block.found))
        for found in block.found:
            item = _item(found, form, chunk.layout, file_us, numbering)
            if item is not None:
                chunk.counts.records += 1
                chunk.add(item, share)
        place = Place(block.place.offset, block.place.digest, numbering.carry)
        if block.again:
            chunk.counts.unfinished += 1
            complete = False
        chunk.reached(file, place if whole else Place())
        if chunk.full:
            chunk.commit()
    chunk.reached(file, place if whole else Place(), complete=complete)


class Numbering:
    """Numbers rows of one request that are written one after another."""

    def __init__(self, field: str | None, start: Place) -> None:
        self.field = field
        last, _, number = start.carry.rpartition(" ")
        self.last = last
        self.number = int(number) if number.isdigit() else 0

    @property
    def carry(self) -> str:
        """What must be known to go on numbering later."""
        return f"{self.last} {self.number}" if self.last else ""

    def number_of(self, found: Found) -> int:
        """Return the number of a row among those of its request."""
        value = found.record.get(self.field) if self.field and found.record else None
        if not isinstance(value, str) or not value:
            self.last = ""
            return 0
        self.number = self.number + 1 if value == self.last else 0
        self.last = value
        return self.number


def _item(
    found: Found, form: Format, layout: Layout, file_us: int, numbering: Numbering
) -> Item | None:
    number = numbering.number_of(found) if form.sequence else 0
    if found.record is None:
        line = found.line if isinstance(found.line, bytes) else str(found.line)
        key = record_key("refused", found.problem or "", line)
        return Item(key, _expected(form, layout, found.problem or ""), found.line, file_us)
    try:
        if layout.kind == "predictions" and form.prediction:
            part = form.prediction(found.record, layout)
            if part is not None and part.half == REQUEST:
                layout.check(part.inputs)  # before it waits for a response
            return _part_item(form, part, number, found, file_us)
        events = form.feedback(found.record, layout) if form.feedback else None
        return _event_item(events, number, found, file_us)
    except (UnexpectedError, *ODD) as error:
        line = found.line if isinstance(found.line, bytes) else repr(found.line)
        told = str(error) if isinstance(error, UnexpectedError) else "the record's shape is unknown"
        reason = _expected(form, layout, told)
        return Item(record_key("refused", line), reason, found.line, file_us)


def _part_item(
    form: Format, part: Part | None, number: int, found: Found, file_us: int
) -> Item | None:
    if part is None:
        return None
    if number:
        part.id = f"{part.id}:{number}"
    # Told by what the record says of itself, not by its bytes: those differ when it is sent again.
    key = record_key(form.name, str(part.half), part.key or part.id)
    return Item(key, part, found.line, file_us)


def _event_item(events: list[Event] | None, number: int, found: Found, file_us: int) -> Item | None:
    if events is None:
        return None
    if number:
        events = [
            event._replace(prediction_id=f"{event.prediction_id}:{number}") for event in events
        ]
    # Later feedback about the same prediction is another record, so all that was said counts.
    key = record_key("feedback", *(repr(event) for event in events))
    return Item(key, events, found.line, file_us)


def _expected(form: Format, layout: Layout, reason: str) -> str:
    needs = (layout.kind == "feedback" and form.feedback_needs) or form.needs
    return f"{reason}; expected: {needs}"
