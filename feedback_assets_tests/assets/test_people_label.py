"""From a prediction to a person and back: what people say trains and judges like any other label."""

import datetime as dt

import pandas as pd
import pytest

from feedback_assets.assets.review_store import review_store
from feedback_assets.review.records import Answer
from feedback_assets_tests.worlds import START, World

DAY = "2024-01-13"
LEASE = dt.timedelta(minutes=20)


def answer_all(world: World, names=("ann",), wrong: frozenset[str] = frozenset()) -> list[Answer]:
    """Everybody answers all that is asked of him, rightly unless the row is in `wrong`."""
    store, now, given = review_store(world.space), world.clock.now(), []
    truth = world.truth
    for name in names:
        while leased := store.next(name, now, LEASE):
            task = leased.task
            right = str(truth[task.prediction_id])
            value = str(1 - int(right)) if task.prediction_id in wrong else right
            answer = Answer(f"{task.task_id}-{name}", task.task_id, name, "label", value, now, 4.0)
            assert store.answer(answer, now) == "stored"
            given.append(answer)
    return given


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world whose people answered one batch, and whose loop has taken it."""
    world = World(
        tmp_path_factory.mktemp("people"),
        review={"per_day": 30, "max_share": 0.25, "audit_share": 0.4, "double_share": 0.0},
        label={"max_delay_days": 6},
        contract={"min_label_share": 0},
        trigger={"when": {"new_labels": 100_000}},
    )
    world.first_model()
    past = [world.rows(day) for day in world.days(START, 8)]
    rows = pd.concat([*past, world.live(DAY, 1, n=200, labels=False, version="1")])
    world.truth = dict(zip(rows["prediction_id"], rows["truth"], strict=True))
    world.at("2024-01-14T06:00")
    assert all(run.success for run in world.ticker.settle())
    world.given = answer_all(world)
    world.at("2024-01-14T12:00")
    world.runs = list(world.ticker.settle())
    return world


def test_the_sensors_do_it_all(world: World) -> None:
    assert all(run.success for run in world.runs), [run.problem for run in world.runs]
    asked = {asset for run in world.runs for asset in run.assets}
    assert {"annotations", "feedback_events", "feedback_table"} <= asked


def test_every_question_was_answered_and_is_kept(world: World) -> None:
    queue, said = world.frame("review_queue"), world.frame("annotations")
    assert 0 < len(queue) <= 30
    assert sorted(said["task_id"]) == sorted(queue["task_id"])
    joined = said.merge(queue, on="task_id", suffixes=("", "_asked"))
    assert (joined["probability"] == joined["probability_asked"]).all()


def test_answers_are_labels_like_any_other(world: World) -> None:
    table = world.frame("feedback_table").set_index("prediction_id")
    labelled = table.loc[[a.task_id and _row(world, a) for a in world.given]]
    assert (labelled["label_status"] == "accepted").all()
    assert {n: int(v) for n, v in labelled["label"].items()} == {
        name: world.truth[name] for name in labelled.index
    }
    assert set(labelled["label_principal"]) == {"person:ann"}
    assert set(labelled["label_source"]) == {"audit", "review"}
    assert (labelled["label_received_time"] == pd.Timestamp("2024-01-14T06:00Z")).all()


def test_nothing_is_asked_or_taken_twice(world: World) -> None:
    before = world.versions()
    assert list(world.ticker.settle()) == []
    world.materialize(["review_queue", "annotations"])
    after = world.versions()
    assert after["annotations"] == before["annotations"]
    assert after["review_labels"] == before["review_labels"]
    assert not answer_all(world)


def test_they_are_in_the_next_pool_with_their_weight(world: World) -> None:
    world.at("2024-01-21")
    list(world.ticker.settle())
    world.materialize(["labeled_pool"])
    pool = world.frame("labeled_pool").set_index("prediction_id")
    audited = [row for row in _rows(world) if row in pool.index]
    assert audited
    assert set(pool.loc[audited, "label_source"]) <= {"audit", "review"}
    held = pool[pool["split"] == "holdout"]
    assert set(held["label_source"].dropna()) <= {"audit"}


def _row(world: World, answer: Answer) -> str:
    return str(review_store(world.space).task(answer.task_id).prediction_id)


def _rows(world: World) -> list[str]:
    return [_row(world, answer) for answer in world.given]
