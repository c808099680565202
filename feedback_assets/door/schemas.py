"""JSON Schemas of what a loop takes and gives, made from its YAML."""

from collections.abc import Sequence
from typing import Any

from feedback_assets.capture.convert import FALSE, TRUE
from feedback_assets.config.schema import Config, Label
from feedback_assets.door.columns import PREDICTION_ID, Column
from feedback_assets.door.moments import Moments
from feedback_assets.door.values import spelled

Schema = dict[str, Any]
ID: Schema = {"type": "string", "pattern": PREDICTION_ID}
NO_NUL = "^[^\\u0000]*$"
WORD: Schema = {"type": ["string", "null"], "pattern": "^[^\\u0000-\\u001f\\u007f]{1,256}$"}
SCALARS = ["string", "number", "boolean"]
ISO_PATTERN = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
    "([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$"
)


def row_schema(config: Config, columns: Sequence[Column], replay: bool) -> Schema:
    """One row of a prediction request."""
    properties: Schema = {"prediction_id": ID, **times(config, replay)}
    properties |= {column.name: column_schema(column) for column in columns}
    return object_schema(properties, [column.name for column in columns if column.required])


def column_schema(column: Column) -> Schema:
    """One feature or carried column."""
    null: list[str] = [] if column.required else ["null"]
    if column.numeric:
        numbers: Schema = {"type": ["number", *null]}
        if column.numbers is not None:
            return {"enum": [*sorted(column.numbers), *([] if column.required else [None])]}
        return numbers | {"minimum": column.low, "maximum": column.high}
    if column.texts is not None:
        return {"enum": [*sorted(column.texts), *([] if column.required else [None])]}
    return {"type": ["string", *null], "pattern": NO_NUL}


def times(config: Config, replay: bool) -> Schema:
    """The times that items may state."""
    moments = Moments(config)
    one = {
        "description": (
            f"ISO 8601 (UTC without a zone) or microseconds since 1970; not before "
            f"{config.partitions.start}, at most {moments.ahead / 1e6:g} seconds ahead of the clock."
        ),
        "anyOf": [
            {"type": "string", "pattern": ISO_PATTERN},
            {"type": "integer", "minimum": moments.earliest},
        ],
    }
    return {"event_time": one, **({"received_time": one} if replay else {})}


def event_schema(config: Config, replay: bool, without_id: bool = False) -> Schema:
    """One feedback event; CloudEvents say its id in the envelope."""

    def event(kind: Schema, value: Schema, required: bool = True) -> Schema:
        properties = {
            "prediction_id": ID,
            "kind": kind,
            "value": value,
            **({} if without_id else {"event_id": WORD}),
            **times(config, replay),
            "source": WORD,
            **({"principal": WORD} if replay else {}),
            "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        }
        needed = ["prediction_id"]
        needed += ["value"] if required else []
        needed += ["kind"] if None not in kind["enum"] else []
        return object_schema(properties, needed)

    text: Schema = {"type": [*SCALARS, "null"], "pattern": NO_NUL}
    return {
        "anyOf": [
            event({"enum": ["label", "correction", None]}, label_value(config.label)),
            event({"enum": ["rating", "reward"]}, {"type": "number"}),
            event({"enum": ["click"]}, {"enum": [0, 1, True, False]}),
            event({"enum": ["rejection"]}, text, required=False),
        ]
    }


def label_value(label: Label) -> Schema:
    """What a label or correction may say."""
    if label.kind == "regression":
        return {"type": "number"}
    if label.kind == "multiclass":
        known: list[Any] = [*label.classes]
        known += [n for n in (_number(name) for name in label.classes) if n is not None]
        known += [b for b in (True, False) if spelled(b) in label.classes]
        return {"enum": known}
    if label.positive.strip().lower() not in TRUE:
        return {"type": SCALARS, "pattern": "^[^\\u0000]*[^ \\u0000][^\\u0000]*$"}
    words = "|".join(_any_case(word) for word in (*TRUE, *FALSE))
    return {
        "anyOf": [
            {"enum": [0, 1, True, False]},
            {"type": "string", "pattern": f"^ *({words}) *$"},
        ]
    }


def item_schema(config: Config, conflicts: bool) -> Schema:
    """The answer to one row."""
    label = config.label
    predictions: dict[str, Schema] = {
        "binary": {"enum": [0, 1, None]},
        "multiclass": {"enum": [*label.classes, None]},
        "regression": {"type": ["number", "null"]},
    }
    properties: Schema = {
        "prediction_id": ID,
        "score": {"type": ["number", "null"]},
        "prediction": predictions[label.kind],
        "model_version": {"type": "string"},
        "arm": {"enum": ["champion", "shadow", "canary", "explore"]},
        "answered_by": {"enum": ["champion", "challenger", "previous", "cache", "default"]},
        "warning": {"type": "string"},
    }
    if label.kind == "multiclass":
        scores = {name: {"type": "number"} for name in label.classes}
        properties["class_scores"] = object_schema(scores, [])
    needed = ["prediction_id", "score", "prediction", "model_version", "arm", "answered_by"]
    answered = object_schema(properties, needed)
    if not conflicts:
        return answered
    known = {"prediction_id": ID, "state": {"const": "conflict"}}
    return {"anyOf": [answered, object_schema(known, list(known))]}


def stored_schema(conflicts: bool) -> Schema:
    """The acknowledgement of one event."""
    states = ["stored", "repeated", *(["conflict"] if conflicts else [])]
    properties = {"event_id": {"type": "string"}, "state": {"enum": states}}
    return object_schema(properties, list(properties))


PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "errors": {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def listed(name: str, item: Schema, most: int) -> Schema:
    """{name: [item, ...]} and nothing else."""
    items = {"type": "array", "minItems": 1, "maxItems": most, "items": item}
    return object_schema({name: items}, [name])


def example_row(columns: Sequence[Column]) -> dict[str, Any]:
    """A row that the schema takes, to start from."""
    found: dict[str, Any] = {}
    for column in columns:
        if column.numeric:
            allowed = sorted(column.numbers) if column.numbers is not None else []
            middle = min(max(1.0, column.low), column.high)
            found[column.name] = allowed[0] if allowed else middle
        elif column.texts:
            found[column.name] = min(column.texts)
        else:
            found[column.name] = "text" if column.texts is None else None
    return found


def example_event(label: Label) -> dict[str, Any]:
    """An event that the schema takes, to start from."""
    value: Any = {"binary": 1, "regression": 1.5}.get(label.kind)
    return {"prediction_id": "p-1", "value": label.classes[0] if value is None else value}


def object_schema(properties: Schema, required: list[str] | None = None) -> Schema:
    """An object of these properties and no others; all are required unless it is said which."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def _number(text: str) -> float | None:
    """The number that is spelled like a class, if any."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if spelled(number) == text else None


def _any_case(word: str) -> str:
    both = (f"[{ch}{ch.upper()}]" if ch.isalpha() else ch for ch in word)
    return "".join(both).replace(".", "[.]")
