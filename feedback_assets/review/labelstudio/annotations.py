"""An annotation of Label Studio as somebody's answer."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.errors import ReviewError
from feedback_assets.review.labelstudio.interface import CONTROL, choice_said, label_said
from feedback_assets.review.records import Answer
from feedback_assets.review.values import named

KINDS = ("choices", "number", "textarea")


@dataclass(frozen=True)
class Unread:
    """An annotation that says nothing here."""

    reason: str
    waits: bool = False
    """Whether the next sync may read it: who wrote it is not known yet."""


def read_annotation(
    config: Config,
    task_id: str,
    said: object,
    people: Mapping[int, str],
    now: dt.datetime,
) -> Answer | Unread:
    """What a person said, from an annotation of a task list, of an export or of a webhook.

    Its id is made of the question's and the annotation's number, so that every way it may come by
    names it alike.

    Args:
        config: The loop.
        task_id: The question.
        said: The annotation.
        people: Label Studio's number of a person to the name.
        now: The present; an annotation from the future is from now.
    """
    if not isinstance(said, dict) or not number_of(said.get("id")):
        return Unread("it is no annotation: it has no id")
    who = _who(said.get("completed_by"), people)
    if isinstance(who, Unread):
        return who
    when = moment(said.get("created_at"))
    if when is None:
        return Unread(f"annotation {said['id']} has no readable created_at")
    value = None if said.get("was_cancelled") else _value(config, said.get("result"))
    if isinstance(value, Unread):
        return Unread(f"annotation {said['id']} by {who}: {value.reason}")
    return Answer(
        annotation_id=_id(task_id, said, skipped=value is None),
        task_id=task_id,
        annotator=who,
        said="skip" if value is None else "label",
        value=value,
        answered_at=min(when, now),
        duration_seconds=_seconds(said.get("lead_time")),
        route="label_studio",
        saw_opinion=bool(
            not config.review.hide_opinion
            or said.get("prediction")
            or said.get("parent_prediction")
        ),
        note="ground truth" if said.get("ground_truth") else "",
    )


def moment(text: object) -> dt.datetime | None:
    """A moment as Label Studio writes it; None if it is none."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def number_of(value: object) -> int | None:
    """A number of Label Studio's (positive, whole; older exports write text); None if it is none."""
    text = str(value)
    whole = not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 19
    return int(text) or None if whole else None


def person_name(person: Mapping[str, Any]) -> str | None:
    """What a person is called here: the e-mail address, else the user name, else the number."""
    number = number_of(person.get("id"))
    for name in (person.get("email"), person.get("username"), number and f"user {number}"):
        try:
            return named(str(name or ""))
        except ReviewError:
            continue
    return None


def _id(task_id: str, said: Mapping[str, Any], *, skipped: bool) -> str:
    # Whoever skips and comes back later turns the same annotation into an answer.
    return f"label_studio:{task_id}:{number_of(said['id'])}{':skip' if skipped else ''}"


def _who(completed_by: object, people: Mapping[int, str]) -> str | Unread:
    if isinstance(completed_by, dict):
        number = number_of(completed_by.get("id"))
        own = people.get(number) if number else None
        return own or person_name(completed_by) or Unread("nobody readable is named as its author")
    number = number_of(completed_by)
    if not number:
        return Unread("nobody is named as its author")
    return people.get(number) or Unread(f"user {number} is not known yet", waits=True)


def _value(config: Config, result: object) -> str | Unread:
    """The one label among the results; those of other tags (a comment, a region) say none."""
    listed = [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []
    own = [one for one in listed if one.get("from_name") == CONTROL]
    answers = [one for one in own or listed if one.get("type") in KINDS]
    if len(answers) != 1:
        return Unread(f"{len(answers) or 'no'} answers where one was asked for")
    value = answers[0].get("value")
    content = value.get(_key(answers[0]["type"])) if isinstance(value, dict) else None
    given = content if isinstance(content, list) else [content]
    if len(given) != 1:
        return Unread(f"{len(given)} answers where one was asked for")
    if config.label.kind == "regression":
        found = label_said(config, given[0])
    else:
        found = choice_said(config, str(given[0]))
    return found if found is not None else Unread(f"{str(given[0])[:80]!r} is no label here")


def _key(kind: str) -> str:
    return "text" if kind == "textarea" else kind


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
