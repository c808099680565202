"""A question as a task of Label Studio."""

import json
import math
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.review.labelstudio.interface import CONTROL, OBJECT, choices, label_said
from feedback_assets.review.records import Task


def wire_task(config: Config, task: Task) -> dict[str, Any]:
    """A question as the import takes it.

    Neither its strategy nor its chance is told: a golden question must look like any other. The
    model's opinion goes along as a prediction (a pre-label) unless `review.hide_opinion` holds it
    back.
    """
    data = {
        "task_id": task.task_id,
        "loop": config.name,
        "prediction_id": task.prediction_id,
        "batch": task.batch,
        "question": config.review.question or config.title,
        "why": task.reason,
        OBJECT: {name: _plain(value) for name, value in task.row.items()},
    }
    prediction = None if config.review.hide_opinion else _prediction(config, task)
    return {"data": data, "predictions": [prediction] if prediction else []}


def _prediction(config: Config, task: Task) -> dict[str, Any] | None:
    """The model's opinion; None where it has none that a person could give."""
    said = label_said(config, task.opinion.get("prediction"))
    if said is None:
        return None
    value, kind = _value(config, said)
    result = {"from_name": CONTROL, "to_name": OBJECT, "type": kind, "value": value}
    own: dict[str, Any] = {
        "model_version": str(task.opinion.get("model_version") or "unknown"),
        "result": [result],
    }
    score = _score(said, task.opinion.get("by_class"))
    return own if score is None else {**own, "score": score}


def _value(config: Config, said: str) -> tuple[dict[str, Any], str]:
    if config.label.kind == "regression":
        return {"number": float(said)}, "number"
    alias = next(one.alias for one in choices(config) if one.said == said)
    return {"choices": [alias]}, "choices"


def _score(said: str, by_class: object) -> float | None:
    """How sure the model is of what it says, 0 to 1; None if unknown."""
    score = by_class.get(said) if isinstance(by_class, dict) else None
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        return None
    return float(score)


def _plain(value: object) -> object:
    """A value that every JSON reader takes and every table shows."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | int | float):
        return _whole(value) if isinstance(value, str) else value
    return _whole(json.dumps(value, ensure_ascii=False, default=str))


def _whole(text: str) -> str:
    # Half a surrogate pair cannot be sent, and databases refuse the character zero.
    sent = text.encode("utf-8", "replace").decode("utf-8")
    return sent.replace("\x00", "\N{REPLACEMENT CHARACTER}")
