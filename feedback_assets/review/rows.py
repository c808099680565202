"""Tasks and answers as rows of the review database, and back."""

import datetime as dt
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from feedback_assets.errors import ReviewError
from feedback_assets.review.records import Answer, Stored, Task

MICROSECOND = dt.timedelta(microseconds=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def micros(moment: dt.datetime) -> int:
    """Microseconds since 1970.

    Raises:
        ReviewError: The moment is naive.
    """
    if moment.tzinfo is None:
        raise ReviewError(f"a moment needs a time zone, got {moment.isoformat()}")
    return (moment - EPOCH) // MICROSECOND


def moment_of(micros: int) -> dt.datetime:
    """The moment so many microseconds after 1970, aware and in UTC."""
    return EPOCH + micros * MICROSECOND


def task_row(task: Task) -> dict[str, Any]:
    """A task as columns of `tasks`.

    Raises:
        ReviewError: It holds what JSON does not, or numbers out of their range.
    """
    if not 0 < task.probability <= 1 or task.answers < 1:
        raise ReviewError(
            f"task {task.task_id}: probability {task.probability} must lie in (0, 1], "
            f"answers {task.answers} must be 1 or more"
        )
    return {
        "task_id": task.task_id,
        "prediction_id": task.prediction_id,
        "batch": task.batch,
        "asked_us": micros(task.asked_at),
        "until_us": micros(task.until),
        "event_us": micros(task.event_time),
        "strategy": task.strategy,
        "reason": task.reason,
        "probability": task.probability,
        "priority": task.priority,
        "answers": task.answers,
        "shown": _json(task, task.row),
        "opinion": _json(task, task.opinion),
        "known": task.known,
    }


def task_of(row: sqlite3.Row) -> Task:
    """A row of `tasks` as a task."""
    return Task(
        task_id=row["task_id"],
        prediction_id=row["prediction_id"],
        batch=row["batch"],
        asked_at=moment_of(row["asked_us"]),
        until=moment_of(row["until_us"]),
        strategy=row["strategy"],
        reason=row["reason"],
        probability=row["probability"],
        priority=row["priority"],
        answers=row["answers"],
        row=json.loads(row["shown"]),
        opinion=json.loads(row["opinion"]),
        event_time=moment_of(row["event_us"]),
        known=row["known"],
    )


def answer_row(answer: Answer, prediction_id: str, received_at: dt.datetime) -> dict[str, Any]:
    """An answer as columns of `answers`.

    Raises:
        ReviewError: A label without a value, a skip with one, or a confidence outside 0 to 1.
    """
    if (answer.value is None) != (answer.said == "skip"):
        raise ReviewError(f"answer {answer.annotation_id}: a label has a value, a skip has none")
    if answer.confidence is not None and not 0 <= answer.confidence <= 1:
        raise ReviewError(
            f"answer {answer.annotation_id}: confidence {answer.confidence} must lie in 0 to 1"
        )
    return {
        "annotation_id": answer.annotation_id,
        "task_id": answer.task_id,
        "prediction_id": prediction_id,
        "annotator": answer.annotator,
        "said": answer.said,
        "value": answer.value,
        "answered_us": micros(answer.answered_at),
        "received_us": micros(received_at),
        "duration_seconds": answer.duration_seconds,
        "confidence": answer.confidence,
        "route": answer.route,
        "saw_opinion": int(answer.saw_opinion),
        "note": answer.note,
    }


def answer_of(row: sqlite3.Row) -> Answer:
    """A row of `answers` as an answer."""
    return Answer(
        annotation_id=row["annotation_id"],
        task_id=row["task_id"],
        annotator=row["annotator"],
        said=row["said"],
        value=row["value"],
        answered_at=moment_of(row["answered_us"]),
        duration_seconds=row["duration_seconds"],
        confidence=row["confidence"],
        route=row["route"],
        saw_opinion=bool(row["saw_opinion"]),
        note=row["note"],
    )


def stored_of(row: sqlite3.Row) -> Stored:
    """A row of `answers` with its place in the order of commits."""
    return Stored(row["seq"], moment_of(row["received_us"]), answer_of(row), row["prediction_id"])


def _json(task: Task, values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(values, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ReviewError(f"task {task.task_id} holds what JSON does not: {error}") from error
