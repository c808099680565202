"""Rows on their way in: models generated from the loop's YAML, decoded from the raw bytes."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from feedback_assets.config.schema import Config
from feedback_assets.door.columns import PREDICTION_ID, Column, columns_of
from feedback_assets.door.jsontext import strict
from feedback_assets.door.moments import Moments, micros
from feedback_assets.door.names import surely_once
from feedback_assets.door.problems import Problem, invalid, malformed, moved
from feedback_assets.door.rowfaults import RowFaults

BATCH = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"rows"[ \t\r\n]*:')
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
NOT_FIRST = "a batch is an object with the name `rows` alone, written without escapes"
Value = float | str | None
Place = Callable[[int, str | None], str]


class Taken(NamedTuple):
    """A valid row."""

    prediction_id: str | None
    event_us: int | None
    received_us: int | None
    values: dict[str, Value]
    """Every feature and carried column, null where the row has none."""


class RowCodec:
    """Reads the rows of one loop.

    Args:
        config: The loop.
        replay: Rows may state `received_time`.

    Raises:
        ConfigError: A rule does not fit its column's kind.
    """

    def __init__(self, config: Config, replay: bool = False) -> None:
        limits = config.serve.limits
        self.columns = columns_of(config)
        self.moments = Moments(config)
        self.faults = RowFaults(self.columns, self.moments, replay, limits.max_rows)
        self._max_depth = limits.max_depth
        self._names = list(self.columns)
        self._meta = 3 if replay else 2
        self._countable = not any(":" in name for name in self._names)
        self._numbers = [
            (name, column.numbers)
            for name, column in self.columns.items()
            if column.numbers is not None
        ]
        model = _model(self.columns.values(), replay)
        self._one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(model)
        rows = Annotated[list[model], Meta(min_length=1, max_length=limits.max_rows)]  # type: ignore[valid-type]
        batch = msgspec.defstruct("Rows", [("rows", rows)], forbid_unknown_fields=True)
        self._many: msgspec.json.Decoder[Any] = msgspec.json.Decoder(batch)

    def read(self, body: bytes, now: int) -> tuple[list[Taken], bool]:
        """The rows of a body, and whether it is a batch.

        Args:
            body: One row, or {"rows": [row, ...]}.
            now: Microseconds since 1970, UTC.

        Raises:
            Problem: 400 or 422; one bad row refuses them all.
        """
        many = BATCH.match(body) is not None
        try:
            found = self._many.decode(body).rows if many else [self._one.decode(body)]
        except UNREADABLE:
            raise self._explained(body, now) from None
        parts = [msgspec.structs.astuple(row) for row in found]
        if not (self._countable and surely_once(body, parts, int(many))):
            tree = strict(body, self._max_depth)
            if b"\\u0000" in body and (faults := self.faults.of_body(tree, now)):
                raise invalid(faults)
        taken = [self._taken(part) for part in parts]
        if not self._fine(taken, now):
            raise self._explained(body, now)
        return taken, many

    def of_trees(
        self, rows: Sequence[dict[str, Any]], now: int, base: str, place: Place | None = None
    ) -> list[Taken]:
        """The rows of another surface, from their parsed JSON.

        Args:
            rows: JSON objects.
            now: Microseconds since 1970, UTC.
            base: JSON pointer of their list in the body.
            place: JSON pointer of a row's field, where the body has rows in another shape.

        Raises:
            Problem: 422.
        """
        faults = self.faults.of_rows(rows, now, base)
        if faults and place is not None:
            raise invalid([moved(fault, base, place) for fault in faults])
        if faults:
            raise invalid(faults)
        return [self._from_tree(row) for row in rows]

    def _taken(self, part: tuple[Any, ...]) -> Taken:
        at = self._meta
        values = part[at:]
        if UNSET in values:
            values = tuple(None if value is UNSET else value for value in values)
        stated = [None if value is UNSET else value for value in part[:at]]
        return Taken(
            stated[0],
            None if stated[1] is None else _micros_or_bad(stated[1]),
            None if at < 3 or stated[2] is None else _micros_or_bad(stated[2]),
            dict(zip(self._names, values, strict=True)),
        )

    def _from_tree(self, row: dict[str, Any]) -> Taken:
        values: dict[str, Value] = {}
        for name, column in self.columns.items():
            value = row.get(name)
            values[name] = float(value) if column.numeric and value is not None else value
        times = [micros(row[n]) if n in row else None for n in ("event_time", "received_time")]
        return Taken(row.get("prediction_id"), times[0], times[1], values)

    def _fine(self, taken: list[Taken], now: int) -> bool:
        """Whether what the decoder cannot check holds: times, and allowed numbers."""
        for row in taken:
            for us in (row.event_us, row.received_us):
                if us is not None and self.moments.fault(us, now):
                    return False
            for name, numbers in self._numbers:
                value = row.values[name]
                if value is not None and value not in numbers:
                    return False
        return True

    def _explained(self, body: bytes, now: int) -> Problem:
        try:
            faults = self.faults.of_body(strict(body, self._max_depth), now)
        except Problem as problem:
            return problem
        return invalid(faults) if faults else malformed(NOT_FIRST)


NO_TIME_US = -(2**62)
"""Stands for a text that is no time: it lies before every partition."""


def _micros_or_bad(said: int | str) -> int:
    us = micros(said)
    return NO_TIME_US if us is None else us


def _model(columns: Any, replay: bool) -> type[msgspec.Struct]:
    """A struct with the row's fields in the order: id, times, columns; UNSET where optional."""
    times = ["event_time", "received_time"] if replay else ["event_time"]
    fields: list[tuple[str, Any, Any]] = [
        ("prediction_id", _optional(Annotated[str, Meta(pattern=_whole(PREDICTION_ID))]), UNSET),
        *((name, _optional(int | str), UNSET) for name in times),
    ]
    names = {name: name for name, _, _ in fields}
    # A column's name need not be an identifier, and may be one of Python's own words.
    for position, column in enumerate(columns):
        field, kind = f"column_{position}", _kind(column)
        names[field] = column.name
        required = (field, kind, msgspec.field())
        fields.append(required if column.required else (field, _optional(kind | None), UNSET))
    return msgspec.defstruct(
        "Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
    )


def _kind(column: Column) -> Any:
    if column.numeric:
        return Annotated[float, Meta(ge=column.low, le=column.high)]
    if column.texts:
        return Literal[tuple(sorted(column.texts))]
    # An empty list of allowed values allows nothing; msgspec has no such type.
    return str if column.texts is None else Annotated[str, Meta(pattern=r"(?!)")]


def _optional(kind: Any) -> Any:
    return kind | UnsetType


def _whole(pattern: str) -> str:
    """The pattern for Python, where a dollar also fits before a line's end."""
    return pattern.removesuffix("$") + r"\Z"
