"""JSON Schemas of CloudEvents around feedback."""

from feedback_assets.door.schemas import Schema

FILLED: Schema = {"type": "string", "pattern": "^[^\\u0000-\\u001f\\u007f]{1,256}$"}


def cloud_schemas(name: str, event: Schema, most: int) -> dict[str, Schema]:
    """One CloudEvent, and a batch of them.

    Args:
        name: The loop.
        event: Schema of the feedback without its id.
        most: Events in one body.
    """
    text: Schema = {"type": ["string", "null"]}
    one: Schema = {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": FILLED,
            "source": FILLED,
            "type": FILLED,
            "time": text,
            "subject": text,
            "dataschema": text,
            "datacontenttype": {"enum": ["application/json", None]},
            "data": event,
        },
        "patternProperties": {
            "^[a-z0-9]{1,20}$": {},
        },
        "additionalProperties": False,
    }
    ref = {"$ref": f"#/components/schemas/{name}_cloudevent"}
    batch: Schema = {"type": "array", "minItems": 1, "maxItems": most, "items": ref}
    return {f"{name}_cloudevent": one, f"{name}_cloudevents": batch}
