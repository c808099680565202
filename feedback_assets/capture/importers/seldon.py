"""Seldon Core's payload logger: CloudEvents, a request and a response with one requestid."""

from typing import TYPE_CHECKING, Any

from feedback_assets.capture.importers.envelopes import opened
from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.kserve import version_of
from feedback_assets.capture.importers.payloads import rows_of, seldon_rows
from feedback_assets.capture.importers.records import (
    REQUEST,
    RESPONSE,
    Event,
    Part,
    UnexpectedError,
    identity,
)
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import text

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

_TYPE = "io.seldon.serving."
_REQUEST, _RESPONSE = f"{_TYPE}inference.request", f"{_TYPE}inference.response"
_FEEDBACK = f"{_TYPE}feedback"


def read(record: Record, layout: "Layout") -> Part | None:
    """Return the half that an event is; None for an event of feedback."""
    event = opened(record)
    fields = event.attributes
    if fields.get("type") == _FEEDBACK:
        return None
    name = identity(fields.get("requestid") or fields.get("id"), "requestid")
    when = micros(fields.get("time"), "time")
    if fields.get("type") == _REQUEST:
        return Part(name, REQUEST, when, inputs=rows_of(event.data, len(layout.features)))
    if fields.get("type") == _RESPONSE:
        return Part(name, RESPONSE, when, outputs=event.data, version=version_of(event.data))
    raise UnexpectedError(f"type must be {_REQUEST} or {_RESPONSE}")


def read_feedback(record: Record, _layout: "Layout") -> list[Event] | None:
    """Return the truth and the reward of a feedback event; None for requests and responses."""
    event = opened(record)
    fields, data = event.attributes, event.data
    if fields.get("type") in (_REQUEST, _RESPONSE):
        return None
    if fields.get("type") != _FEEDBACK or not isinstance(data, dict):
        raise UnexpectedError(f"type must be {_FEEDBACK}, with truth or reward in its data")
    name = identity(_puid(data) or fields.get("requestid") or fields.get("id"), "requestid")
    when = micros(fields.get("time"), "time")
    found = [
        Event(_numbered(name, i, len(truths)), "label", truth, event_us=when, received_us=when)
        for truths in [_truths(data.get("truth"))]
        for i, truth in enumerate(truths)
    ]
    reward = data.get("reward")
    # The field has no "not given" of its own: with a truth, 0 is nearly always only its default.
    if reward is not None and not (found and reward == 0):
        value = text(reward, "reward")
        found.append(Event(name, "reward", value, event_us=when, received_us=when))
    if not found:
        raise UnexpectedError("the feedback has neither truth nor reward")
    return found


def _puid(data: dict[str, Any]) -> Any:
    for side in ("response", "request"):
        inner = data.get(side)
        meta = inner.get("meta") if isinstance(inner, dict) else None
        if isinstance(meta, dict) and meta.get("puid"):
            return meta["puid"]
    return None


def _truths(truth: Any) -> list[str | None]:
    if not isinstance(truth, dict):
        return []
    data = truth.get("data", truth)
    if not isinstance(data, dict):
        raise UnexpectedError("truth needs data with ndarray or tensor")
    rows = [row if isinstance(row, list) else list(row.values()) for row in seldon_rows(data)]
    if any(len(row) != 1 for row in rows):
        raise UnexpectedError("truth needs one value for each row")
    return [text(row[0], "truth") for row in rows]


def _numbered(name: str, i: int, count: int) -> str:
    return name if count == 1 else f"{name}:{i}"


FORMAT = Format(
    name="seldon",
    title="Seldon Core payload logger (CloudEvents, JSON lines; feedback events too)",
    needs=f"CloudEvents of type {_REQUEST} and {_RESPONSE} with one requestid",
    feedback_needs=f"CloudEvents of type {_FEEDBACK} with truth or reward",
    prediction=read,
    feedback=read_feedback,
    columns=("id", "requestid", "type", "time", "data"),
    pairs=True,
)
