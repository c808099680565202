"""The OpenAPI paths that belong to no loop."""

from typing import Any

from feedback_assets.door.operations import KEY_PARAMETER, SENDING, operation
from feedback_assets.door.schemas import Schema, example_row, item_schema
from feedback_assets.door.state import Service

ANY_OBJECT: Schema = {"type": "object"}


def service_paths(service: Service) -> dict[str, Any]:
    """The paths that belong to no loop."""
    found: dict[str, Any] = {"/invocations": {"post": _invocations(service)}}
    for path, name, summary in (
        ("/healthz", "health", "Is the process able to take and keep anything?"),
        ("/readyz", "ready", "Can every loop answer?"),
        ("/ping", "ping", "Can every loop answer? (SageMaker, MLflow)"),
        ("/v2/health/live", "oip_live", "Is the process alive?"),
        ("/v2/health/ready", "oip_service_ready", "Can every loop answer?"),
        ("/v2", "oip_server", "The server's name and version"),
    ):
        asked = operation(name, summary, ANY_OBJECT, public=True)
        if path not in ("/v2", "/v2/health/live"):
            asked["responses"]["503"] = {**asked["responses"]["200"], "description": "No"}
        found[path] = {"get": asked}
    found["/metrics"] = {
        "get": operation(
            "metrics",
            "Counters for Prometheus",
            {"type": "string"},
            problems=(401, 403),
            answer_type="text/plain",
        )
    }
    return found


def _invocations(service: Service) -> dict[str, Any]:
    loops = list(service.loops)
    rows: Schema = {"anyOf": [_ref(f"{name}_row") for name in loops]}
    many: Schema = {"type": "array", "minItems": 1, "items": rows}
    values: Schema = {"type": ["string", "number", "null"]}
    lists: Schema = {"type": "array", "minItems": 1, "items": {"type": "array", "items": values}}
    column: Schema = {"type": "array", "items": values}
    split: Schema = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": lists,
            "index": {},
        },
        "additionalProperties": False,
    }
    shapes: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": many,
        "instances": {"anyOf": [many, lists]},
        "inputs": {
            "anyOf": [many, {"type": "object", "additionalProperties": {"anyOf": [column, values]}}]
        },
    }
    no_parameters: Schema = {"type": ["object", "null"], "maxProperties": 0}
    bodies = [
        {
            "type": "object",
            "required": [name],
            "properties": {name: shape, "params": no_parameters},
            "additionalProperties": False,
        }
        for name, shape in shapes.items()
    ]
    first = next(iter(service.loops.values()), None)
    row = example_row(list(first.rows.columns.values())) if first else {}
    items = [item_schema(loop.config, conflicts=True) for loop in service.loops.values()]
    named: Schema = {"name": "X-Loop", "in": "header", "schema": {"enum": loops}}
    asked = operation(
        "invocations",
        "Answer rows as MLflow's scoring server and SageMaker's endpoints take them",
        {
            "type": "object",
            "required": ["predictions"],
            "properties": {"predictions": {"type": "array", "items": {"anyOf": items}}},
            "additionalProperties": False,
        },
        body={
            "application/json": {
                "schema": {"anyOf": bodies},
                "examples": {"records": {"value": {"dataframe_records": [row]}}},
            }
        },
        problems=SENDING,
        parameters=(KEY_PARAMETER, named | {"required": len(loops) > 1}),
    )
    asked["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    asked["responses"]["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    return asked


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
