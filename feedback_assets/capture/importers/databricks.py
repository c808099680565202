"""Databricks inference tables, with the request bodies of MLflow's model serving."""

from typing import TYPE_CHECKING, Any

from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.payloads import rows_of
from feedback_assets.capture.importers.records import WHOLE, Part, UnexpectedError, identity
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import text

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

_TIMES = ("timestamp_ms", "request_time", "timestamp", "request_date", "date")


def read(record: Record, layout: "Layout") -> Part:
    """Return the request and response that a row of the table holds."""
    own, theirs = record.get("databricks_request_id"), record.get("client_request_id")
    name = identity(theirs or own, "client_request_id or databricks_request_id")
    status = record.get("status_code")
    if status is not None and str(status) != "200":
        raise UnexpectedError("status_code is not 200: the model gave no answer")
    time = next((n for n in _TIMES if record.get(n) is not None), "timestamp_ms")
    request, response = _body(record, "request"), _body(record, "response")
    return Part(
        name,
        WHOLE,
        micros(record.get(time), time),
        inputs=rows_of(request, len(layout.features)),
        outputs=response,
        version=text(record.get("served_entity_id"), "served_entity_id"),
        key=identity(own or theirs, "databricks_request_id"),
    )


def _body(record: Record, name: str) -> Any:
    body = record.get(name)
    if body is None or body == "":
        raise UnexpectedError(f"{name} is missing")
    return decode(body, name) if isinstance(body, str | bytes) else body


FORMAT = Format(
    name="databricks",
    title="Databricks and MLflow inference tables (Parquet, JSON lines)",
    needs="databricks_request_id or client_request_id, timestamp_ms, request and response (JSON)",
    prediction=read,
    columns=(
        "databricks_request_id", "client_request_id", *_TIMES, "status_code", "request",
        "response", "served_entity_id",
    ),
)  # fmt: skip
