"""Landed rows made of records: a call's request and response, or events of feedback."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from feedback_assets.capture.importers.answers import Answers
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.records import ODD, Event, Landed, Part, UnexpectedError
from feedback_assets.capture.importers.values import number

SERVED = "served"
_LAST = 253_402_300_800_000_000


class Builder:
    """Collects rows and turns them into an Arrow table of the landed schema."""

    def __init__(self, layout: Layout, counts: Landed) -> None:
        self.layout = layout
        self.counts = counts
        self.answers = Answers(layout) if layout.kind == "predictions" else None
        self.rows: list[tuple[Any, ...]] = []
        self.blank = [None] * len(layout.columns)
        self.no_scores = [None] * len(layout.score_names)

    def prediction(self, request: Part, response: Part, received_us: int, line: "Shown") -> bool:
        """Add the rows of a call; a row that does not fit is added as refused.

        Args:
            request: The half with the inputs.
            response: The half with the outputs; the same for a whole record.
            received_us: When it was logged; also its event time where the request states none.
            line: The record's text, for rows that do not fit.

        Returns:
            Whether at least one row is good.
        """
        rows = request.inputs or []
        if self.answers is None:
            raise TypeError("a layout of feedback builds no predictions")
        event_us = received_us if request.time_us is None else request.time_us
        version = response.version or request.version
        try:
            items = self.answers.items(response.outputs, len(rows))
        except (UnexpectedError, *ODD) as error:
            self.refuse(_words(error), received_us, line.text(), event_us, request.id)
            return False
        good = False
        for i, (row, item) in enumerate(zip(rows, items, strict=True)):
            name = request.id if len(rows) == 1 else f"{request.id}:{i}"
            try:
                cells = self.layout.cells(row)
                answer = self.answers.read(item)
            except (UnexpectedError, *ODD) as error:
                self.refuse(_words(error), received_us, line.text(), event_us, name)
                continue
            scores = answer.class_scores if self.no_scores and answer.class_scores else None
            self.rows.append(
                (
                    name, event_us, received_us, version, SERVED, None, answer.score,
                    *(scores or self.no_scores), answer.prediction, *cells, None, None,
                )
            )  # fmt: skip
            good = True
            self.counts.rows += 1
        return good

    def feedback(
        self, events: Sequence[Event], file_us: int, record_id: str, line: "Shown"
    ) -> bool:
        """Add events; an event without a value is added as refused. Return whether one is good."""
        good = False
        for i, event in enumerate(events):
            received = file_us if event.received_us is None else event.received_us
            happened = received if event.event_us is None else event.event_us
            if event.value is None or event.value == "":
                self.refuse(
                    "the value is missing", received, line.text(), happened, event.prediction_id
                )
                continue
            name = event.event_id or (record_id if len(events) == 1 else f"{record_id}:{i}")
            confidence = number(event.confidence, "confidence")
            self.rows.append(
                (
                    name, event.prediction_id, event.kind, event.value, event.source, happened,
                    received, confidence, None, None, None,
                )
            )  # fmt: skip
            good = True
            self.counts.rows += 1
        return good

    def refuse(
        self,
        reason: str,
        received_us: int,
        text: str,
        event_us: int | None = None,
        name: str | None = None,
    ) -> None:
        """Add a refused row."""
        happened = received_us if event_us is None else event_us
        self.counts.refuse(reason)
        if self.layout.kind == "feedback":
            row: tuple[Any, ...] = (
                None,
                name,
                None,
                None,
                None,
                happened,
                received_us,
                None,
                None,
                reason,
                text,
            )
        else:
            row = (
                name, happened, received_us, None, SERVED, None, None, *self.no_scores, None,
                *self.blank, reason, text,
            )  # fmt: skip
        self.rows.append(row)

    def table(self) -> pa.Table | None:
        """Return the rows so far, and begin anew; None if there are none."""
        if not self.rows:
            return None
        schema = self.layout.schema
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(zip(*self.rows, strict=True), schema, strict=True)
        ]
        self.rows = []
        return pa.Table.from_arrays(arrays, schema=schema)


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, UnexpectedError) else "the record's shape is unknown"


class Shown:
    """A record's text, made only where a row is refused."""

    def __init__(self, line: Any) -> None:
        self.line = line

    def text(self) -> str:
        """Return its first 500 characters, without headers and request metadata."""
        from feedback_assets.capture.importers.json_text import shown

        return self.line if isinstance(self.line, str) else shown(self.line)
