"""Feedback in, an acknowledgement out once it is on disk."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from feedback_assets.capture.inbox.records import Entry, Outcome
from feedback_assets.door.auth import ANYONE
from feedback_assets.door.calls import Call, Reply
from feedback_assets.door.events import Event
from feedback_assets.door.idempotency import Seed
from feedback_assets.door.predicting import new_id
from feedback_assets.door.problems import Fault, Problem
from feedback_assets.door.recorders import SamplesOutcome
from feedback_assets.door.state import OpenLoop, Service
from feedback_assets.labels.judges import OWN

ANOTHER = "this event_id is known with other content"
COUNTED: dict[str, SamplesOutcome] = {
    "stored": "accepted", "repeated": "repeated", "conflict": "conflict",
}  # fmt: skip


class Stored(msgspec.Struct, gc=False):
    """What a client gets for one event."""

    event_id: str
    state: str
    """`stored`, `repeated`, or, in a batch, `conflict`: the id is known with other content."""


class Kept(msgspec.Struct, gc=False, omit_defaults=True):
    """An event as the inbox keeps it."""

    event_id: str | None
    prediction_id: str
    kind: str | None
    value: str | None
    event_us: int | None
    received_us: int
    source: str | None
    confidence: float | None
    principal: str | None
    """Whose token it came with; none in a replay."""
    said_by: str | None = None
    """Who said it as a replayed history has it."""


_encode = msgspec.json.Encoder().encode


class Feedback:
    """Takes the events of one loop.

    Args:
        service: Its inbox.
        loop: The loop.
    """

    def __init__(self, service: Service, loop: OpenLoop) -> None:
        self._service = service
        self._loop = loop
        self._name = loop.config.name

    async def take(
        self, call: Call, events: Sequence[Event], many: bool, seed: Seed | None
    ) -> Reply:
        """Store valid events.

        Raises:
            Problem: 409, every event's id is known with other content.
            InboxError: Nothing was stored.
        """
        entries = [self._entry(call, event) for event in events]
        items = [Stored(entry.key, "stored") for entry in entries]
        content = _rendered(items, many)
        inbox = self._service.inbox
        outcomes = await inbox.append(entries, seed.keeping(content) if seed else None)
        meter = self._loop.meter
        meter.wrote(call.seconds())
        for event, outcome in zip(events, outcomes, strict=True):
            meter.feedback(event.kind, COUNTED[outcome.state])
        if any(outcome.state != "stored" for outcome in outcomes):
            content = _rendered(_told(items, outcomes, many), many)
            if seed:
                await inbox.remember(seed.keeping(content))
        return Reply(202, content)

    def _entry(self, call: Call, event: Event) -> Entry:
        received = call.received_us if event.received_us is None else event.received_us
        digest = b""
        if event.event_id is not None:
            # As before there was a principal: what is sent again after an update is still repeated.
            said = event if event.principal else event[: Event._fields.index("principal")]
            digest = blake2b(_encode(said), digest_size=16).digest()
        key = event.event_id or new_id(call.received_us)
        # In a replay only what the history itself says is kept, as in a file of it.
        replay = self._service.options.replay
        source = event.source if replay else event.source or _name_of(call)
        kept = Kept(
            event.event_id if replay else key, event.prediction_id, event.kind, event.value,
            event.event_us, received, source, event.confidence,
            None if replay else call.principal.name, event.principal,
        )  # fmt: skip
        return Entry("feedback", self._name, key, received, _encode(kept), digest)


def _name_of(call: Call) -> str | None:
    name = call.principal.name
    return None if call.principal is ANYONE or name in OWN else name


def _told(items: Sequence[Stored], outcomes: Sequence[Outcome], many: bool) -> list[Stored]:
    if all(outcome.state == "conflict" for outcome in outcomes):
        places = [f"/events/{i}/event_id" if many else "/event_id" for i in range(len(items))]
        raise Problem(409, "conflict", ANOTHER, [Fault(place, ANOTHER) for place in places])
    return [
        Stored(item.event_id, outcome.state) for item, outcome in zip(items, outcomes, strict=True)
    ]


def _rendered(items: Sequence[Stored], many: bool) -> bytes:
    return _encode({"events": items}) if many else _encode(items[0])
