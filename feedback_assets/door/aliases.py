"""The OpenAPI paths of the Open Inference Protocol."""

from typing import Any

from feedback_assets.door.operations import ASKING, KEY_PARAMETER, SENDING, operation
from feedback_assets.door.schemas import Schema, example_row
from feedback_assets.door.state import OpenLoop
from feedback_assets.door.tensors import FLOATS, META, PREDICTION_TYPES, TEXTS, WHOLE

ANY_OBJECT: Schema = {"type": "object"}
LENGTH: Schema = {"type": "integer", "minimum": 0}


def alias_paths(name: str, loop: OpenLoop) -> dict[str, Any]:
    """The Open Inference Protocol's paths of a loop."""
    row = example_row(list(loop.rows.columns.values()))
    tensors = [
        {
            "name": column.name,
            "shape": [1],
            "datatype": "FP64" if column.numeric else "BYTES",
            "data": [row[column.name]],
        }
        for column in loop.rows.columns.values()
    ]
    described = {
        "type": "array",
        "items": {"type": "object", "required": ["name", "datatype", "shape"]},
    }
    metadata = {
        "type": "object",
        "required": ["name", "versions", "platform", "inputs", "outputs"],
        "properties": {"inputs": described, "outputs": described},
    }
    ready = {"type": "object", "required": ["name", "ready"]}
    not_ready = {"description": "Not ready", "content": {"application/json": {"schema": ready}}}
    asked = operation(f"{name}_oip_ready", "Can it answer?", ready, problems=ASKING, tag=name)
    asked["responses"]["503"] = not_ready
    return {
        f"/v2/models/{name}": {
            "get": operation(
                f"{name}_oip_metadata", "Its tensors", metadata, problems=ASKING, tag=name
            )
        },
        f"/v2/models/{name}/ready": {"get": asked},
        f"/v2/models/{name}/infer": {
            "post": operation(
                f"{name}_oip_infer",
                "Answer rows in tensors (Open Inference Protocol, version 2)",
                _inferred(loop),
                body={
                    "application/json": {
                        "schema": _infer(loop),
                        "examples": {"tensors": {"value": {"inputs": tensors}}},
                    }
                },
                problems=SENDING,
                parameters=(KEY_PARAMETER,),
                tag=name,
            )
        },
    }


def _infer(loop: OpenLoop) -> Schema:
    columns = loop.rows.columns
    numeric = [name for name, column in columns.items() if column.numeric]
    textual = [name for name, column in columns.items() if not column.numeric]
    tensors = [
        _tensor(numeric, sorted(FLOATS | WHOLE), ["number", "null"]),
        _tensor([*textual, *META], sorted(TEXTS), ["string", "null"]),
        _tensor(["event_time"], sorted(META["event_time"]), ["integer", "string"]),
    ]
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": 256},
            "parameters": ANY_OBJECT,
            "inputs": {"type": "array", "minItems": 1, "items": {"anyOf": tensors}},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"enum": _outputs(loop)}},
                },
            },
        },
        "additionalProperties": False,
    }


def _tensor(names: list[str], kinds: list[str], types: list[str]) -> Schema:
    value: Schema = {"type": types}
    nested: Schema = {"type": "array", "minItems": 1, "maxItems": 1, "items": value}
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": names},
            "shape": {"type": "array", "minItems": 1, "maxItems": 2, "items": LENGTH},
            "datatype": {"enum": kinds},
            "data": {"type": "array", "minItems": 1, "items": {"anyOf": [value, nested]}},
            "parameters": ANY_OBJECT,
        },
        "additionalProperties": False,
    }


def _outputs(loop: OpenLoop) -> list[str]:
    names = ["score", "prediction", "prediction_id", "model_version"]
    return names + (["class_scores"] if loop.config.label.kind == "multiclass" else [])


def _inferred(loop: OpenLoop) -> Schema:
    tensor: Schema = {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"enum": _outputs(loop)},
            "datatype": {"enum": ["FP64", "BYTES", *PREDICTION_TYPES.values()]},
            "shape": {"type": "array", "items": LENGTH},
            "data": {"type": "array"},
            "parameters": ANY_OBJECT,
        },
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": tensor},
        },
        "additionalProperties": False,
    }
