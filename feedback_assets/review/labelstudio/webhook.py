"""What Label Studio tells by itself the moment somebody answers.

A notice may be lost, doubled or late: the next sync reads the same again, so a notice only makes an
answer known sooner.
"""

import datetime as dt
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.address import settings_of
from feedback_assets.review.labelstudio.annotations import Unread, number_of, read_annotation
from feedback_assets.review.labelstudio.people import known_people
from feedback_assets.review.labelstudio.project import ROUTE
from feedback_assets.review.labelstudio.pulling import keep_answers
from feedback_assets.review.records import Answer
from feedback_assets.review.store import ReviewStore

HEADER = "X-Feedback-Assets-Secret"
"""The header that Label Studio is told to send the secret in."""
SAYING = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")


@dataclass(frozen=True)
class Told:
    """One annotation of a notice."""

    annotation: dict[str, Any]
    task: dict[str, Any]
    """The task as far as the notice holds it; older releases send its number only."""


@dataclass(frozen=True)
class Notice:
    """What a notice says."""

    action: str
    told: tuple[Told, ...]
    """Annotations made or changed; none for other actions."""


@dataclass(frozen=True)
class Heard:
    """What became of a notice."""

    stored: int
    repeated: int
    conflicts: int
    """By people who said something else of the row before; the first stands."""
    unread: int
    """Annotations that say nothing here."""
    left: int
    """Annotations that only the next sync can read."""


def parse_webhook(config: Config, headers: Mapping[str, str], body: bytes) -> Notice:
    """Read a request of Label Studio's webhook; nothing is kept yet.

    Args:
        config: The loop.
        headers: Of the request, in whatever case.
        body: Of the request.

    Raises:
        PermissionError: It lacks the secret, or none is set here.
        LabelStudioError: It is no notice.
    """
    _admit(config, headers)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise LabelStudioError("the notice is not JSON") from None
    action = said.get("action") if isinstance(said, dict) else None
    if not isinstance(action, str):
        raise LabelStudioError("the notice has no `action`")
    if action not in SAYING:
        return Notice(action, ())
    annotations, tasks = _listed(said.get("annotation")), _listed(said.get("task"))
    if not annotations:
        # The webhook is set to send no payload: that something was said is all it tells.
        return Notice(action, ())
    by_number = {number_of(task.get("id")): task for task in tasks}
    return Notice(action, tuple(Told(one, _task(one, tasks, by_number)) for one in annotations))


def take_notice(config: Config, store: ReviewStore, notice: Notice, now: dt.datetime) -> Heard:
    """Keep the answers of a notice.

    Args:
        config: The loop.
        store: Its questions.
        notice: What `parse_webhook` made of the request.
        now: When it came.
    """
    people, placed = known_people(store), _placed(store)
    answers: list[Answer] = []
    unread = left = 0
    for told in notice.told:
        task_id = _task_id(config, told.task, placed)
        if task_id is None:
            left += 1
            continue
        said = read_annotation(config, task_id, told.annotation, people, now)
        if isinstance(said, Answer):
            answers.append(said)
        elif isinstance(said, Unread):
            left, unread = left + said.waits, unread + (not said.waits)
    counts = keep_answers(store, answers, now, lambda _: None)
    return Heard(
        counts["stored"],
        counts["repeated"],
        counts["conflict"],
        unread + counts["unknown"],
        left,
    )


def _admit(config: Config, headers: Mapping[str, str]) -> None:
    variable = settings_of(config).webhook
    own = os.environ.get(variable, "").strip()
    sent = [value for name, value in headers.items() if name.lower() == HEADER.lower()]
    given = sent[0].strip() if len(sent) == 1 else ""
    # Compared first, so that an unset secret takes no other time than a wrong one.
    equal = hmac.compare_digest(given.encode("utf-8", "replace"), own.encode("utf-8", "replace"))
    if not own:
        raise PermissionError(f"webhooks are not taken: {variable} is not set in the service")
    if not equal:
        raise PermissionError(f"the header {HEADER} does not hold what {variable} does")


def _listed(value: object) -> list[dict[str, Any]]:
    """One object or several."""
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, dict)]


def _task(
    annotation: dict[str, Any],
    tasks: list[dict[str, Any]],
    by_number: Mapping[int | None, dict[str, Any]],
) -> dict[str, Any]:
    number = number_of(annotation.get("task"))
    if number is None and len(tasks) == 1:
        return tasks[0]
    return by_number.get(number, {"id": number})


def _placed(store: ReviewStore) -> dict[str, str]:
    """Label Studio's number of a task to the question's id."""
    return {number: one for one, number in store.placed(ROUTE).items() if number is not None}


def _task_id(config: Config, task: Mapping[str, Any], placed: Mapping[str, str]) -> str | None:
    data = task.get("data")
    if not isinstance(data, dict):
        return placed.get(str(task.get("id")))
    task_id = data.get("task_id")
    return task_id if data.get("loop") == config.name and isinstance(task_id, str) else None
