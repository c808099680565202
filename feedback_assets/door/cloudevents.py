"""CloudEvents 1.0 around feedback: structured, batched, or with its attributes in headers."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from feedback_assets.door.calls import Call
from feedback_assets.door.eventfaults import BAD_WORD, is_word
from feedback_assets.door.problems import Fault, unknown_fields

STRUCTURED = b"application/cloudevents+json"
BATCHED = b"application/cloudevents-batch+json"
PREFIX = b"ce-"
REQUIRED = ("specversion", "id", "source", "type")
OPTIONAL = ("time", "datacontenttype", "subject", "dataschema", "data")
EXTENSION = re.compile(r"[a-z0-9]{1,20}\Z")
MAX_EXTENSIONS = 64
JSON_TYPES = ("application/json", None)


def is_binary(call: Call) -> bool:
    """Whether the request's headers hold the attributes of an event."""
    for name, _value in call.headers:  # noqa: SIM110 - a loop costs half of any(): every request asks
        if name[:3] == PREFIX:
            return True
    return False


def attributes(call: Call) -> dict[str, Any]:
    """The attributes in a request's headers."""
    found: dict[str, Any] = {}
    for name, value in call.headers:
        if name[:3] == PREFIX:
            # Bytes that are no UTF-8 become U+FFFD, which no rule refuses and no key suffers from.
            found[name[3:].decode("latin-1")] = unquote_to_bytes(value).decode(errors="replace")
    return found


def envelope_faults(event: Any, base: str) -> list[Fault]:
    """What is wrong with an event's attributes."""
    if not isinstance(event, Mapping):
        return [Fault(base, "must be a CloudEvent: an object")]
    found = [
        Fault(f"{base}/{name}", BAD_WORD if name in event else "is missing")
        for name in REQUIRED
        if not is_word(event.get(name))
    ]
    if not found and event["specversion"] != "1.0":
        found.append(Fault(f"{base}/specversion", "must be 1.0"))
    found += [
        Fault(f"{base}/{name}", "must be a text")
        for name in ("time", "subject", "dataschema")
        if not isinstance(event.get(name), str | None)
    ]
    kind = event.get("datacontenttype")
    if kind is not None and (not isinstance(kind, str) or kind not in JSON_TYPES):
        found.append(Fault(f"{base}/datacontenttype", "must be application/json"))
    others = [name for name in event if name not in REQUIRED and name not in OPTIONAL]
    if len(others) > MAX_EXTENSIONS:
        found.append(Fault(base, f"must have at most {MAX_EXTENSIONS} extension attributes"))
    for name in others[:MAX_EXTENSIONS]:
        value = event[name]
        if not EXTENSION.match(name):
            found += unknown_fields(base, [name], [*REQUIRED, *OPTIONAL])
        elif isinstance(value, dict | list | float):
            found.append(Fault(f"{base}/{name}", "must be a text, a whole number or a boolean"))
    data = event.get("data")
    if not isinstance(data, dict):
        found.append(Fault(f"{base}/data", "must be an object: the feedback event"))
    elif "event_id" in data:
        found.append(Fault(f"{base}/data/event_id", "is said by the envelope's id"))
    return found


def feedback_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The feedback in an envelope without faults: id, source and time are the event's own."""
    data = dict(event["data"])
    data["event_id"] = event["id"]
    # Two senders may count alike: with their source, equal ids are a conflict and never "repeated".
    data.setdefault("source", event["source"])
    if event.get("time") is not None:
        data.setdefault("event_time", event["time"])
    return data
