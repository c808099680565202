"""Azure Machine Learning's model data collector: inputs and outputs with one correlationid."""

from typing import TYPE_CHECKING

from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.payloads import rows_of
from feedback_assets.capture.importers.records import (
    REQUEST,
    RESPONSE,
    WHOLE,
    Part,
    UnexpectedError,
    identity,
)
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import text

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

_TYPE = "azureml.inference."
_INPUTS = (f"{_TYPE}inputs", f"{_TYPE}model_inputs")
_OUTPUTS = (f"{_TYPE}outputs", f"{_TYPE}model_outputs")
_BOTH = (f"{_TYPE}inputs_outputs", f"{_TYPE}model_inputs_outputs")


def read(record: Record, layout: "Layout") -> Part:
    """Return the inputs, the outputs, or the joined rows that an event holds."""
    kind, data = record.get("type"), record.get("data")
    name = identity(record.get("correlationid"), "correlationid")
    when = micros(record.get("time"), "time")
    version = text(record.get("modelversion"), "modelversion")
    if data is None:
        raise UnexpectedError(
            "data is missing (a payload above the collector's limit is kept in a file of its own)"
        )
    data = decode(data, "data") if isinstance(data, str) else data
    if kind in _INPUTS:
        rows = rows_of(data, len(layout.features))
        return Part(name, REQUEST, when, inputs=rows, version=version)
    if kind in _OUTPUTS:
        return Part(name, RESPONSE, when, outputs=data, version=version)
    if kind in _BOTH:
        rows = rows_of(data, len(layout.features))
        answers = [layout.answer_in(row) for row in rows]
        return Part(name, WHOLE, when, inputs=rows, outputs=answers, version=version)
    raise UnexpectedError(f"type must be {_TYPE}inputs or {_TYPE}outputs")


FORMAT = Format(
    name="azureml",
    title="Azure Machine Learning model data collector (JSON lines)",
    needs=f"type {_TYPE}inputs or {_TYPE}outputs, correlationid, time, and data (a list of rows)",
    prediction=read,
    columns=("type", "correlationid", "time", "modelversion", "data"),
    pairs=True,
)
