"""KServe's inference logger: CloudEvents, a request and a response with one id."""

from typing import TYPE_CHECKING, Any

from feedback_assets.capture.importers.envelopes import opened
from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.payloads import rows_of
from feedback_assets.capture.importers.records import (
    REQUEST,
    RESPONSE,
    Part,
    UnexpectedError,
    identity,
)
from feedback_assets.capture.importers.times import micros

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

_REQUEST = "org.kubeflow.serving.inference.request"
_RESPONSE = "org.kubeflow.serving.inference.response"


def read(record: Record, layout: "Layout") -> Part:
    """Return the half that an event is."""
    event = opened(record)
    fields = event.attributes
    name = identity(fields.get("id"), "id")
    when = micros(fields.get("time"), "time")
    if fields.get("type") == _REQUEST:
        return Part(name, REQUEST, when, inputs=rows_of(event.data, len(layout.features)))
    if fields.get("type") == _RESPONSE:
        return Part(name, RESPONSE, when, outputs=event.data, version=version_of(event.data))
    raise UnexpectedError(f"type must be {_REQUEST} or {_RESPONSE}")


def version_of(payload: Any) -> str | None:
    """Return the model's version where a v2 response states one."""
    found = payload.get("model_version") if isinstance(payload, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= 200 else None


FORMAT = Format(
    name="kserve",
    title="KServe inference logger (CloudEvents, JSON lines, v1 and v2 payloads)",
    needs=f"CloudEvents of type {_REQUEST} and {_RESPONSE} with one id",
    prediction=read,
    columns=("id", "reqType", "bytes", "type", "time", "data", "data_base64"),
    pairs=True,
)
