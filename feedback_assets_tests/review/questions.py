"""Tasks and answers for tests of the review store."""

import datetime as dt
from dataclasses import replace
from typing import Any

from feedback_assets.review.records import Answer, Task

NOW = dt.datetime(2024, 5, 1, 9, tzinfo=dt.UTC)
LEASE = dt.timedelta(minutes=20)
MINUTE = dt.timedelta(minutes=1)

_TASK = Task(
    task_id="",
    prediction_id="",
    batch="b1",
    asked_at=NOW,
    until=NOW + dt.timedelta(days=9),
    strategy="entropy",
    reason="the model wavers between yes and no",
    probability=0.25,
    priority=0.5,
    answers=1,
    row={"size": 1.5, "colour": "grün", "note": None},
    opinion={"prediction": "1", "score": 0.52, "model_version": "3"},
    event_time=NOW - dt.timedelta(days=1),
)


def task(number: int, **changes: Any) -> Task:
    """Question `t<number>` about row `p<number>`; smaller numbers are asked earlier."""
    named = replace(
        _TASK, task_id=f"t{number}", prediction_id=f"p{number}", priority=1 / (1 + number)
    )
    return replace(named, **changes)


def answer(to: Task | str, annotator: str, value: str | None = "1", **changes: Any) -> Answer:
    """What somebody says; a skip if the value is None."""
    task_id = to if isinstance(to, str) else to.task_id
    said = Answer(
        annotation_id=f"{task_id}-{annotator}-{value}",
        task_id=task_id,
        annotator=annotator,
        said="skip" if value is None else "label",
        value=value,
        answered_at=NOW,
        duration_seconds=4.5,
        confidence=0.9,
    )
    return replace(said, **changes)
