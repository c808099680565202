"""The OpenAPI paths of a loop's review: the next question, answers, skips, undoing, progress."""

from typing import Any

from feedback_assets.config.schema import Label
from feedback_assets.door.operations import ASKING, SENDING, operation
from feedback_assets.door.reviewbodies import MOST_NOTE, MOST_SECONDS
from feedback_assets.door.schemas import ID, NO_NUL, WORD, Schema, label_value, object_schema
from feedback_assets.door.state import OpenLoop

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
REQUIRED_WORD: Schema = {**WORD, "type": "string"}
SECONDS: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": MOST_SECONDS}
TASK: Schema = {"name": "id", "in": "path", "required": True, "schema": TEXT}
ANY_OBJECT: Schema = {"type": "object"}
KEPT = ("stored", "repeated")
EXAMPLE_ID = "annotation-1"


def review_paths(name: str, loop: OpenLoop) -> dict[str, Any]:
    """The paths of one loop."""
    base = f"/v1/{name}/review"
    label = loop.config.label
    value = {"binary": 1, "regression": 1.5}.get(label.kind, next(iter(label.classes), None))
    said = {"annotation_id": EXAMPLE_ID}
    found = {
        f"{base}/next": {
            "get": operation(
                f"{name}_review_next",
                "The question that waits for the token's holder, leased to them for a while",
                object_schema({"task": _maybe(_task()), "progress": _progress()}),
                problems=ASKING, tag=name,
            )
        },
        f"{base}/progress": {
            "get": operation(
                f"{name}_review_progress", "Who answers, and how far things are", _progress(),
                problems=ASKING, tag=name,
            )
        },
        f"{base}/{{id}}/opinion": {
            "get": operation(
                f"{name}_review_opinion", "The model's answer; that it was seen is kept",
                object_schema({"task_id": TEXT, "opinion": ANY_OBJECT}),
                problems=ASKING, parameters=(TASK,), tag=name,
            )
        },
        f"{base}/{{id}}/answer": {
            "post": operation(
                f"{name}_review_answer", "Say what is right; the same annotation_id counts once",
                _stored(KEPT), body=_body(_answer(label), said | {"value": value}),
                problems=SENDING, parameters=(TASK,), tag=name,
            )
        },
        f"{base}/{{id}}/skip": {
            "post": operation(
                f"{name}_review_skip", "Say nothing of this row", _stored(KEPT),
                body=_body(_skip(), said), problems=SENDING, parameters=(TASK,), tag=name,
            )
        },
        f"{base}/undo": {
            "post": operation(
                f"{name}_review_undo", "Take back one's last answer; its question comes again",
                _stored(("undone",), task=_task(), progress=_progress()),
                body=_body(object_schema({"annotation_id": REQUIRED_WORD}), said),
                problems=SENDING, tag=name,
            )
        },
    }  # fmt: skip
    return found if loop.config.review.label_studio is None else found | _webhook(name, base)


def _webhook(name: str, base: str) -> dict[str, Any]:
    counted = {"stored": COUNT, "repeated": COUNT, "conflicts": COUNT}
    asked = operation(
        f"{name}_review_label_studio",
        "What Label Studio tells of an annotation; its header X-Feedback-Assets-Secret lets it in",
        object_schema(counted),
        body={"application/json": {"schema": ANY_OBJECT}},
        problems=SENDING,
        public=True,
        tag=name,
    )
    return {f"{base}/label-studio": {"post": asked}}


def _task() -> Schema:
    time: Schema = {"type": "string", "format": "date-time"}
    return object_schema(
        {
            "task_id": TEXT,
            "prediction_id": ID,
            "asked_at": time,
            "reason": TEXT,
            "row": ANY_OBJECT,
            "opinion": {"type": ["object", "null"]},
            "lease_until": time,
            "resumed": {"type": "boolean"},
        }
    )


def _progress() -> Schema:
    counts = ("open", "done", "mine", "mine_skipped", "mine_today", "left")
    last: Schema = {"type": ["string", "null"]}
    return object_schema({"annotator": TEXT, **dict.fromkeys(counts, COUNT), "last": last})


def _skip(**more: Schema) -> Schema:
    properties: Schema = {
        "annotation_id": REQUIRED_WORD,
        **more,
        "duration_seconds": SECONDS,
        "waited_seconds": SECONDS,
        "saw_opinion": {"type": ["boolean", "null"]},
        "note": {"type": ["string", "null"], "maxLength": MOST_NOTE, "pattern": NO_NUL},
    }
    needed = ["annotation_id", *(["value"] if "value" in more else [])]
    return object_schema(properties, needed)


def _answer(label: Label) -> Schema:
    value = {"enum": [0, 1, True, False]} if label.kind == "binary" else label_value(label)
    confidence: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    return _skip(value=value, confidence=confidence)


def _stored(states: tuple[str, ...], **more: Schema) -> Schema:
    return object_schema({"annotation_id": TEXT, "state": {"enum": list(states)}, **more})


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _body(schema: Schema, example: dict[str, Any]) -> dict[str, Schema]:
    return {"application/json": {"schema": schema, "examples": {"said": {"value": example}}}}
