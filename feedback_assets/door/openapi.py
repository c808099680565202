"""The OpenAPI document of a service, generated from its loops' files."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from feedback_assets.door.aliases import alias_paths
from feedback_assets.door.cloudschemas import cloud_schemas
from feedback_assets.door.operations import (
    ASKING,
    KEY_PARAMETER,
    SENDING,
    base_document,
    operation,
)
from feedback_assets.door.reviewpaths import review_paths
from feedback_assets.door.schemas import (
    ID,
    Schema,
    event_schema,
    example_event,
    example_row,
    item_schema,
    listed,
    row_schema,
    stored_schema,
)
from feedback_assets.door.servicepaths import service_paths
from feedback_assets.door.state import OpenLoop, Service

NULLABLE_OBJECT: Schema = {"type": ["object", "null"]}


def openapi(service: Service) -> bytes:
    """The document as JSON, true for this service and its loops."""
    document = base_document("feedback-assets", package_version())
    paths: dict[str, Any] = document["paths"]
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name, loop in service.loops.items():
        schemas |= _schemas(name, loop, service.options.replay)
        paths |= _paths(name, loop)
        paths |= alias_paths(name, loop)
        paths |= review_paths(name, loop)
    paths |= service_paths(service)
    return msgspec.json.encode(document)


def package_version() -> str:
    """The installed version; 0 from a bare checkout."""
    try:
        return version("feedback-assets")
    except PackageNotFoundError:
        return "0"


def _schemas(name: str, loop: OpenLoop, replay: bool) -> dict[str, Schema]:
    config = loop.config
    columns = list(loop.rows.columns.values())
    most = config.serve.limits.max_rows
    row, event = _ref(f"{name}_row"), _ref(f"{name}_event")
    return {
        f"{name}_row": row_schema(config, columns, replay),
        f"{name}_rows": listed("rows", row, most),
        f"{name}_item": item_schema(config, conflicts=False),
        f"{name}_event": event_schema(config, replay),
        f"{name}_events": listed("events", event, most),
        **cloud_schemas(name, event_schema(config, replay, without_id=True), most),
    }


def _paths(name: str, loop: OpenLoop) -> dict[str, Any]:
    config = loop.config
    most = config.serve.limits.max_rows
    row = example_row(list(loop.rows.columns.values()))
    event = example_event(config.label)
    item = _ref(f"{name}_item")
    answers = listed("predictions", item_schema(config, conflicts=True), most)
    stored = [stored_schema(False), listed("events", stored_schema(True), most)]
    return {
        f"/v1/{name}/predict": {
            "post": operation(
                f"{name}_predict",
                "Answer one row or many; each is stored before its answer is sent",
                {"anyOf": [item, answers]},
                body={
                    "application/json": {
                        "schema": {"anyOf": [_ref(f"{name}_row"), _ref(f"{name}_rows")]},
                        "examples": {"row": {"value": row}, "rows": {"value": {"rows": [row]}}},
                    }
                },
                problems=SENDING,
                parameters=(KEY_PARAMETER,),
                tag=name,
            )
        },
        f"/v1/{name}/feedback": {
            "post": operation(
                f"{name}_feedback",
                "Store labels, corrections, ratings, clicks, rewards and rejections",
                {"anyOf": stored},
                status=202,
                body={
                    "application/json": {
                        "schema": {"anyOf": [_ref(f"{name}_event"), _ref(f"{name}_events")]},
                        "examples": {
                            "event": {"value": event},
                            "events": {"value": {"events": [event]}},
                        },
                    },
                    "application/cloudevents+json": {"schema": _ref(f"{name}_cloudevent")},
                    "application/cloudevents-batch+json": {"schema": _ref(f"{name}_cloudevents")},
                },
                problems=SENDING,
                parameters=(KEY_PARAMETER,),
                tag=name,
            )
        },
        f"/v1/{name}/predictions/{{id}}": {
            "get": operation(
                f"{name}_prediction",
                "A prediction that is still in the inbox",
                _logged(loop),
                problems=ASKING,
                parameters=({"name": "id", "in": "path", "required": True, "schema": ID},),
                tag=name,
            )
        },
        f"/v1/{name}/model": {
            "get": operation(
                f"{name}_model", "Which models answer", _model(), problems=ASKING, tag=name
            )
        },
    }


def _logged(loop: OpenLoop) -> Schema:
    texts: Schema = {"type": "string"}
    maybe: Schema = {"type": ["string", "null"]}
    properties: Schema = {
        "prediction_id": ID,
        "event_time": texts,
        "received_time": texts,
        "features": {
            "type": "object",
            "required": list(loop.rows.columns),
            "additionalProperties": {"type": ["string", "number", "null"]},
        },
        "score": {"type": ["number", "null"]},
        "class_scores": NULLABLE_OBJECT,
        "prediction": {"type": ["string", "number", "null"]},
        "model_version": texts,
        "model_digest": maybe,
        "arm": texts,
        "answered_by": texts,
        "propensity": {"type": "number"},
        "warning": maybe,
        "latency_us": {"type": "integer"},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _model() -> Schema:
    held: Schema = {
        "type": ["object", "null"],
        "required": ["version", "digest"],
        "properties": {
            "version": {"type": "integer"},
            "digest": {"type": "string"},
            "stage": {"enum": ["shadow", "canary"]},
        },
        "additionalProperties": False,
    }
    properties: Schema = {
        "loop": {"type": "string"},
        "generation": {"type": "integer"},
        "champion": held,
        "previous": held,
        "challenger": held,
        "ready": {"type": "boolean"},
        "problem": {"type": "string"},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
