"""SageMaker's data capture, and its ground truth records."""

from typing import TYPE_CHECKING, Any

from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.payloads import named, rows_of, text_payload
from feedback_assets.capture.importers.records import (
    WHOLE,
    Event,
    Part,
    UnexpectedError,
    identity,
    needed,
)
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import text

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout


def read(record: Record, layout: "Layout") -> Part:
    """Return the request and response that a capture record holds."""
    meta = needed(record, "eventMetadata")
    event = needed(record, "eventMetadata", "eventId")
    name = meta.get("inferenceId") or event
    inputs = _payload(record, "endpointInput")
    outputs = _payload(record, "endpointOutput")
    rows = rows_of(inputs, len(layout.features))
    if len(rows) > 1 and _is_header(rows[0], layout):
        rows = named(rows[0], rows[1:])
    return Part(
        identity(name, "eventMetadata.inferenceId or eventId"),
        WHOLE,
        micros(meta.get("inferenceTime"), "eventMetadata.inferenceTime"),
        inputs=rows,
        outputs=outputs,
        key=identity(event, "eventMetadata.eventId"),
    )


def _is_header(row: Any, layout: "Layout") -> bool:
    texts = isinstance(row, list) and all(isinstance(value, str) for value in row)
    return texts and layout.knows(row)


def _payload(record: Record, side: str) -> Any:
    body = needed(record, "captureData", side)
    data = needed(record, "captureData", side, "data")
    what = f"captureData.{side}.data"
    kind, content = body.get("encoding"), body.get("observedContentType")
    found = text_payload(
        data,
        kind if isinstance(kind, str) else "JSON",
        content if isinstance(content, str) else "",
        what,
    )
    if side == "endpointOutput" and isinstance(found, list):
        return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in found]
    return found


def read_feedback(record: Record, layout: "Layout") -> list[Event]:
    """Return the labels of a ground truth record; it states no time of its own."""
    name = identity(needed(record, "eventMetadata", "eventId"), "eventMetadata.eventId")
    body = needed(record, "groundTruthData")
    encoding = body.get("encoding") if isinstance(body, dict) else None
    data = needed(record, "groundTruthData", "data")
    what = "groundTruthData.data"
    found = text_payload(data, encoding if isinstance(encoding, str) else "CSV", "csv", what)
    labels = _labels(found, layout)
    if len(labels) == 1:
        return [Event(name, "label", text(labels[0], what))]
    return [Event(f"{name}:{i}", "label", text(v, what)) for i, v in enumerate(labels)]


def _labels(found: Any, layout: "Layout") -> list[Any]:
    if isinstance(found, dict):
        own = layout.config.source.feedback.columns.value
        known = [found[n] for n in layout.theirs("value", own, "label") if n in found]
        if not known:
            raise UnexpectedError(f"groundTruthData.data needs a label, or the name {own}")
        return known[:1]
    if not isinstance(found, list):
        return [found]
    flat = [v for row in found for v in (row if isinstance(row, list) else [row])]
    if not flat:
        raise UnexpectedError("groundTruthData.data is empty")
    return flat


FORMAT = Format(
    name="sagemaker",
    title="SageMaker data capture (predictions) and ground truth (feedback), JSON lines",
    needs="captureData.endpointInput and endpointOutput, each with data and encoding, and "
    "eventMetadata with eventId",
    feedback_needs="groundTruthData with data and encoding, and eventMetadata with eventId",
    prediction=read,
    feedback=read_feedback,
)
