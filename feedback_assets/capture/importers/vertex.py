"""Vertex's request-response logging, exported from BigQuery."""

from typing import TYPE_CHECKING, Any

from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.payloads import rows_of
from feedback_assets.capture.importers.records import WHOLE, Part, UnexpectedError, identity
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import text

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

_BODIES = {"request_payload": "instances", "response_payload": "predictions"}


def read(record: Record, layout: "Layout") -> Part:
    """Return the request and response that a row of the table holds."""
    request, response = _payload(record, "request_payload"), _payload(record, "response_payload")
    return Part(
        identity(record.get("request_id"), "request_id"),
        WHOLE,
        micros(record.get("logging_time"), "logging_time"),
        inputs=rows_of(request, len(layout.features)),
        outputs=response,
        version=text(record.get("deployed_model_id"), "deployed_model_id"),
    )


def _payload(record: Record, name: str) -> dict[str, Any]:
    """Return a payload as a body: its items are instances (or answers), or whole bodies."""
    given, inner = record.get(name), _BODIES[name]
    items = given if isinstance(given, list) else [given]
    if not items or items[0] is None:
        raise UnexpectedError(f"{name} is missing")
    found = [_item(item, name) for item in items]
    if len(found) == 1:
        only = found[0]
        if isinstance(only, dict) and isinstance(only.get(inner), list):
            return only
        if isinstance(only, list) and only and isinstance(only[0], dict | list):
            return {inner: only}
    return {inner: found}


def _item(item: Any, name: str) -> Any:
    if not isinstance(item, str):
        return item
    try:
        return decode(item, name)
    except UnexpectedError:  # a text feature, or a class, stands there without quotes
        return item


FORMAT = Format(
    name="vertex",
    title="Vertex request-response logging, exported from BigQuery (Parquet, JSON lines)",
    needs="request_id, logging_time, request_payload and response_payload (lists of JSON texts)",
    prediction=read,
    columns=(
        "request_id", "logging_time", "deployed_model_id", "request_payload", "response_payload",
    ),
)  # fmt: skip
