"""BentoML's monitoring logs: one line for each monitored row."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.format import Format, Record
from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.records import (
    WHOLE,
    Event,
    Part,
    UnexpectedError,
    identity,
)
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import text

if TYPE_CHECKING:
    from feedback_assets.capture.importers.layout import Layout

_SCHEMA_BYTES = 1 << 20
_OWN = ("timestamp", "request_id", "trace_id")


def read(record: Record, layout: "Layout") -> Part | None:
    """Return the features and the answer that a line holds; None for a line of the schema log."""
    if _is_schema(record):
        return None
    row = {name: value for name, value in record.items() if name not in _OWN}
    told = layout.roles.get("prediction", "")
    known = told in row and not layout.answers.intersection(row)
    return Part(
        identity(record.get("request_id"), "request_id"),
        WHOLE,
        micros(record.get("timestamp"), "timestamp"),
        inputs=[row],
        outputs=[row[told] if known else layout.answer_in(row)],
    )


def read_feedback(record: Record, layout: "Layout") -> list[Event] | None:
    """Return the target that a line holds; None for a line of the schema log."""
    if _is_schema(record):
        return None
    name = identity(record.get("request_id"), "request_id")
    when = micros(record.get("timestamp"), "timestamp")
    own = layout.config.source.feedback.columns.value
    keys = layout.theirs("value", own, layout.roles.get("target", own))
    value = next((record[key] for key in keys if record.get(key) is not None), None)
    if value is None:
        raise UnexpectedError(f"the monitored target is missing: {' or '.join(keys)}")
    return [Event(name, "label", text(value, keys[0]), event_us=when, received_us=when)]


def roles(files: Sequence[SourceFile]) -> dict[str, str]:
    """Return role to column of the schema logs among some files: the only column of each role."""
    found: dict[str, set[str]] = {}
    for file in files:
        if "schema" not in file.path.name:
            continue
        with suppress(OSError, UnexpectedError), file.path.open("rb") as stream:
            record = decode(stream.readline(_SCHEMA_BYTES), "the schema")
            if isinstance(record, dict) and _is_schema(record):
                for column in record["columns"]:
                    if isinstance(column, dict) and column.get("role") in ("prediction", "target"):
                        found.setdefault(column["role"], set()).add(str(column.get("name")))
    return {role: names.pop() for role, names in found.items() if len(names) == 1}


def _is_schema(record: Record) -> bool:
    return "meta_data" in record and isinstance(record.get("columns"), list)


FORMAT = Format(
    name="bentoml",
    title="BentoML monitoring data logs (JSON lines; the monitored target as feedback)",
    needs="request_id, timestamp and the monitored features and answer by name",
    feedback_needs="request_id, timestamp and the monitored target by name",
    prediction=read,
    feedback=read_feedback,
    sequence="request_id",
    roles=roles,
)
