"""Feedback events on their way in, decoded from the raw bytes."""

import re
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from feedback_assets.config.schema import Config
from feedback_assets.door.columns import PREDICTION_ID
from feedback_assets.door.eventfaults import WORD, EventFaults, claims
from feedback_assets.door.jsontext import strict
from feedback_assets.door.moments import Moments, micros
from feedback_assets.door.names import surely_once
from feedback_assets.door.problems import Problem, invalid, malformed
from feedback_assets.door.rows import NO_TIME_US, UNREADABLE
from feedback_assets.door.values import Scalar, check_of, spelled
from feedback_assets.labels.judges import OWN

BATCH = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"events"[ \t\r\n]*:')
NOT_FIRST = "a batch is an object with the name `events` alone, written without escapes"
Kind = Literal["label", "correction", "rating", "click", "reward", "rejection"]
KINDS: tuple[str, ...] = get_args(Kind)
_Id = Annotated[str, Meta(pattern=PREDICTION_ID.removesuffix("$") + r"\Z")]
_Word = Annotated[str, Meta(pattern=WORD.removesuffix("$") + r"\Z")]
_Time = int | str | UnsetType


class Said(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event as it was sent."""

    prediction_id: _Id
    value: bool | int | float | str | UnsetType | None = UNSET
    kind: Kind | UnsetType | None = UNSET
    event_id: _Word | UnsetType | None = UNSET
    event_time: _Time = UNSET
    source: _Word | UnsetType | None = UNSET
    confidence: Annotated[float, Meta(ge=0, le=1)] | UnsetType | None = UNSET


class Replayed(Said, forbid_unknown_fields=True, gc=False):
    """One event of a replay."""

    received_time: _Time = UNSET
    principal: _Word | UnsetType | None = UNSET


class Event(NamedTuple):
    """A valid event."""

    prediction_id: str
    kind: str | None
    value: str | None
    event_id: str | None
    event_us: int | None
    received_us: int | None
    source: str | None
    confidence: float | None
    principal: str | None = None
    """Who said it, in a replay."""


class EventCodec:
    """Reads the feedback of one loop.

    Args:
        config: The loop.
        replay: Events may state `received_time` and `principal`.
    """

    def __init__(self, config: Config, replay: bool = False) -> None:
        limits = config.serve.limits
        self.moments = Moments(config)
        self.checks = {kind: check_of(kind, config.label) for kind in (None, *KINDS)}
        self.faults = EventFaults(self.checks, self.moments, replay, limits.max_rows)
        self._max_depth = limits.max_depth
        self._replay = replay
        model: Any = Replayed if replay else Said
        self._one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(model)
        events = Annotated[list[model], Meta(min_length=1, max_length=limits.max_rows)]
        batch = msgspec.defstruct("Events", [("events", events)], forbid_unknown_fields=True)
        self._many: msgspec.json.Decoder[Any] = msgspec.json.Decoder(batch)

    def read(self, body: bytes, now: int) -> tuple[list[Event], bool]:
        """The events of a body, and whether it is a batch.

        Args:
            body: One event, or {"events": [event, ...]}.
            now: Microseconds since 1970, UTC.

        Raises:
            Problem: 400 or 422; one bad event refuses them all.
        """
        many = BATCH.match(body) is not None
        try:
            found = self._many.decode(body).events if many else [self._one.decode(body)]
        except UNREADABLE:
            raise self._explained(body, now) from None
        parts = [msgspec.structs.astuple(said) for said in found]
        if not surely_once(body, parts, int(many)):
            strict(body, self._max_depth)
        events = [_event(*part) for part in parts]
        for event, said in zip(events, found, strict=True):
            if not self._fits(event, said.value, now):
                raise self._explained(body, now)
        return events, many

    def of_trees(self, trees: list[Any], now: int, bases: list[str]) -> list[Event]:
        """The events of another surface, from their parsed JSON and their places in it.

        Raises:
            Problem: 422.
        """
        faults = [
            fault
            for tree, base in zip(trees, bases, strict=True)
            for fault in self.faults.of_event(tree, now, base)
        ]
        if faults:
            raise invalid(faults)
        model = self._one.type
        made = (msgspec.convert(tree, model) for tree in trees)
        return [_event(*msgspec.structs.astuple(said)) for said in made]

    def _fits(self, event: Event, value: Scalar | UnsetType | None, now: int) -> bool:
        """Whether what the decoder cannot check holds: source, times, and the value by its kind."""
        if event.source in OWN and claims(event.source, event.principal, self._replay):
            return False
        for us in (event.event_us, event.received_us):
            if us is not None and self.moments.fault(us, now):
                return False
        if value is None or value is UNSET:
            return event.kind == "rejection"
        return self.checks[event.kind](value) is None

    def _explained(self, body: bytes, now: int) -> Problem:
        try:
            faults = self.faults.of_body(strict(body, self._max_depth), now)
        except Problem as problem:
            return problem
        return invalid(faults) if faults else malformed(NOT_FIRST)


def _event(
    prediction_id: str,
    value: Any,
    kind: Any,
    event_id: Any,
    event_time: Any,
    source: Any,
    confidence: Any,
    received_time: Any = UNSET,
    principal: Any = UNSET,
) -> Event:
    return Event(
        prediction_id,
        kind or None,
        None if value is UNSET or value is None else spelled(value),
        event_id or None,
        _us(event_time),
        _us(received_time),
        source or None,
        None if confidence is UNSET else confidence,
        principal or None,
    )


def _us(said: Any) -> int | None:
    if said is UNSET:
        return None
    us = micros(said)
    return NO_TIME_US if us is None else us
