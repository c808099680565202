"""The sensor that asks people: a batch a day, answers as they come, nothing forgotten by a crash."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.assets.annotations import TOLD
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import DATAFLOW, EVIDENCE_TAG
from feedback_assets.review.records import Answer
from feedback_assets_tests.worlds import START, World

NOON = "2024-01-02T12:00"
REVIEW = {"per_day": 6, "max_share": 1.0, "mix": {"random": 1}, "golden_share": 0}
LEASE = dt.timedelta(minutes=20)


def a_world(folder: Path, **review: Any) -> World:
    """A first day of predictions, no model and no label yet."""
    world = World(folder, review=REVIEW | review)
    world.live(START, 1, labels=False)
    world.at(NOON)
    world.materialize(("feedback_events", *DATAFLOW), world.days(START, 2))
    return world


def asked(world: World) -> list[tuple[str, list[str], dict[str, Any]]]:
    """Run key, assets and evidence of what a tick asks for."""
    return [
        (
            str(request.run_key),
            [key.path[-1] for key in request.asset_selection or ()],
            json.loads(request.tags[EVIDENCE_TAG]),
        )
        for request in world.tick("review").run_requests or ()
    ]


def draw(world: World) -> None:
    world.materialize(["review_queue", "annotations"])


def answer(world: World, name: str = "ann", count: int = 99) -> int:
    """Somebody answers so many of the questions he is given; how many there were."""
    store, now = review_store(world.space), world.clock.now()
    for given in range(count):
        leased = store.next(name, now, LEASE)
        if leased is None:
            return given
        task = leased.task.task_id
        store.answer(Answer(f"{task}-{name}", task, name, "label", "1", now), now)
    return count


def test_nobody_is_asked_where_the_file_says_so(tmp_path: Path) -> None:
    world = a_world(tmp_path, per_day=0)
    tick = world.tick("review")
    assert not tick.run_requests
    assert "per_day is 0" in str(tick.skip_message)


def test_new_predictions_are_asked_about_once_a_day(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    ((key, assets, evidence),) = asked(world)
    assert key == "tiny:review:ask:2024-01-02"
    assert assets == ["review_queue", "annotations", "label_quality"]
    assert evidence["day"] == "2024-01-02"
    draw(world)
    assert asked(world) == []
    world.at("2024-01-03T12:00")
    assert asked(world) == []  # a new day, and nothing new to ask about
    world.live("2024-01-02", 1, labels=False)
    world.materialize(DATAFLOW, ["2024-01-02"])
    assert [key for key, *_ in asked(world)] == ["tiny:review:ask:2024-01-03"]


def test_answers_are_taken_after_some_minutes(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    draw(world)
    assert answer(world) == 6
    assert asked(world) == []  # the last answers were taken just now
    world.at("2024-01-02T12:10")
    ((key, assets, _),) = asked(world)
    assert (key, assets) == ("tiny:review:take:6", ["annotations"])
    world.materialize(["annotations"])
    assert asked(world) == []
    assert len(world.frame("review_labels")) == 6


def test_labels_that_a_crash_left_untold_are_told(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    draw(world)
    answer(world)
    world.materialize(["annotations"])
    review_store(world.space).remember(TOLD, json.dumps({"version": 0, "due": None}))
    ((key, assets, _),) = asked(world)
    assert (key, assets) == ("tiny:review:tell:1", ["annotations"])


@pytest.mark.parametrize("hours", [47, 73])
def test_a_question_that_closes_with_fewer_answers_is_told_then(tmp_path: Path, hours: int) -> None:
    world = a_world(tmp_path, answers=2, keep_days=2)
    draw(world)
    assert answer(world) == 6
    world.materialize(["annotations"])
    assert world.versions()["review_labels"] == -1
    world.clock.advance(world.clock.now() + dt.timedelta(hours=hours))
    found = asked(world)
    # Some are too old to be joined sooner than they would be withdrawn.
    assert [key.startswith("tiny:review:close:") for key, *_ in found] == [True]
    world.materialize(["annotations"])
    assert len(world.frame("review_labels")) > 0
