"""What people said in a project, on its way into the store: every annotation once."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from feedback_assets.config.schema import Config
from feedback_assets.review.labelstudio.annotations import Unread, read_annotation
from feedback_assets.review.labelstudio.client import Client
from feedback_assets.review.labelstudio.listing import Found
from feedback_assets.review.labelstudio.people import learn_people, name_the_rest
from feedback_assets.review.records import Answer
from feedback_assets.review.store import ReviewStore

TOLD = 10
"""Annotations that cannot be read are told one by one up to so many."""


def take_annotations(
    config: Config,
    client: Client,
    store: ReviewStore,
    tasks: Sequence[Found],
    now: dt.datetime,
    tell: Callable[[str], None],
) -> Counter[str]:
    """Keep what was said of tasks, in the order it was said.

    Returns:
        Counts: stored, skipped (of these), repeated, conflict, unknown, unread.
    """
    people = learn_people(client, store)
    people = name_the_rest(store, people, _authors(tasks))
    answers: list[Answer] = []
    unread: list[str] = []
    for found in tasks:
        for annotation in found.annotations:
            said = read_annotation(config, found.task_id, annotation, people, now)
            if isinstance(said, Unread):
                unread.append(f"task {found.number}: {said.reason}")
            else:
                answers.append(said)
    _tell(unread, tell)
    return keep_answers(store, answers, now, tell) + Counter(unread=len(unread))


def keep_answers(
    store: ReviewStore, answers: Iterable[Answer], now: dt.datetime, tell: Callable[[str], None]
) -> Counter[str]:
    """Keep answers with one commit; counts as in `take_annotations`, without unread ones."""
    ordered = sorted(answers, key=lambda one: (one.answered_at, one.annotation_id))
    outcomes = list(zip(ordered, store.take(ordered, now), strict=True))
    counts = Counter[str](outcome for _, outcome in outcomes)
    counts["skipped"] = sum(o == "stored" and answer.said == "skip" for answer, o in outcomes)
    changed = sorted({answer.annotator for answer, outcome in outcomes if outcome == "conflict"})
    if changed:
        tell(
            f"{counts['conflict']} annotations contradict what the same person said before, which "
            f"stands: by {', '.join(changed[:TOLD])}"
        )
    return counts


def _authors(tasks: Iterable[Found]) -> Iterable[object]:
    for found in tasks:
        for annotation in found.annotations:
            if isinstance(annotation, dict):
                yield annotation.get("completed_by")


def _tell(unread: Sequence[str], tell: Callable[[str], None]) -> None:
    for reason in unread[:TOLD]:
        tell(f"not read: {reason}")
    if len(unread) > TOLD:
        tell(f"not read: {len(unread) - TOLD} more annotations")
