"""What people are asked: within the budget, no row twice, and the same however often it is made."""

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets import review_queue as queue_module
from feedback_assets.assets.golden import Golden, golden
from feedback_assets.assets.review_draw import Drawn, asked_before, draw
from feedback_assets.assets.review_rows import Rows, rows_to_ask
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.review import Review
from feedback_assets.errors import ReviewError
from feedback_assets.review.budget import part, questions
from feedback_assets.review.records import Answer, Task
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import World

DAY, NEXT_DAY = "2024-01-15", "2024-01-16"
REVIEW: dict[str, Any] = {
    "per_day": 12,
    "max_share": 0.1,
    "audit_share": 0.2,
    "golden_share": 0.0,
    "double_share": 0.0,
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A champion, and three days of its answers of which the first has labels."""
    made = World(tmp_path_factory.mktemp("asked"), review=REVIEW)
    made.first_model()
    for day in made.days("2024-01-12", 3):
        rows = made.rows(day, n=60, version="1")
        made.predict(rows, f"p-{day}")
        if day == "2024-01-12":
            made.feed(rows, f"f-{day}")
    made.at(f"{DAY}T00:30")
    made.dataflow("2024-01-12", 4)
    return made


@pytest.fixture
def world(grown: World) -> Iterator[World]:
    """The same with nothing asked yet; its clock may go on to the next day."""
    yield grown
    shutil.rmtree(grown.settings.root / "review", ignore_errors=True)
    shutil.rmtree(grown.space.table("review_queue").path, ignore_errors=True)


def with_review(world: World, **changes: Any) -> LoopSpace:
    config = world.config.model_copy(update={"review": Review(**(REVIEW | changes))})
    return replace(world.space, config=config)


def batch_of(space: LoopSpace, day: str = DAY) -> tuple[Drawn, Rows]:
    """A day's batch as the asset draws it, nothing kept."""
    now = dt.datetime.fromisoformat(f"{day}T00:30+00:00")
    store, source = review_store(space), space.table("feedback_table").snapshot()
    with connect(space.settings) as con:
        sure = golden(space, con)
        earlier = asked_before(space, con, store, day, sure, now)
        rows = rows_to_ask(space, con, source, now, earlier, day)
        return draw(space, con, source, store, rows, earlier, sure, day, now), rows


def drawn(space: LoopSpace, world: World, day: str = DAY) -> tuple[list[Task], Rows]:
    """The questions of such a batch."""
    batch, rows = batch_of(space, day)
    return batch.questions, rows


def asked(world: World) -> pd.DataFrame:
    return world.frame("review_queue")


def test_a_day_is_asked_within_its_budget(world: World) -> None:
    world.materialize(["review_queue"])
    table, tasks = asked(world), review_store(world.space).batch(DAY)
    # 177 rows could be asked about: a tenth is 17, the day's budget 12.
    assert len(table) == len(tasks) == 12
    assert {(one.task_id, one.probability) for one in tasks} == set(
        zip(table["task_id"], table["probability"], strict=True)
    )
    assert table["probability"].between(0, 1, inclusive="right").all()
    assert (table["strategy"] == "audit").sum() >= 2
    by_id = {one.prediction_id: one.opinion["score"] for one in tasks}
    p = table["prediction_id"].map(by_id)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    np.testing.assert_allclose(table["uncertainty"], entropy, rtol=1e-6)
    assert table["novelty"].between(0, 1).all()
    assert set(table["segment"]) <= {"region=north", "region=south"}
    assert set(table["model_version"]) == {"1"}
    one = tasks[0]
    assert set(one.row) == {"size", "speed", "colour", "region"}
    assert set(one.opinion) == {"prediction", "score", "model_version", "by_class"}
    assert one.until == one.event_time + dt.timedelta(days=3)


def test_it_tells_people_why_and_how_far(world: World) -> None:
    world.materialize(["review_queue"])
    seen = world.metadata("review_queue")
    assert (seen["asked"], seen["open"], seen["done"], seen["withdrawn"]) == (12, 12, 0, 0)
    assert seen["candidates"] == drawn(world.space, world)[1].eligible
    assert seen["asked_for"].startswith("![questions by strategy](data:image/png")
    assert seen["progress"].startswith("![answered by batch](data:image/png")
    priorities = [float(row["priority"]) for row in seen["preview"]]
    assert priorities == sorted(priorities, reverse=True)


def test_made_again_it_is_the_same_batch(world: World) -> None:
    world.materialize(["review_queue"])
    before, version = asked(world), world.space.table("review_queue").snapshot().version
    late = world.rows("2024-01-14", n=60, seed=9, version="1")
    world.predict(late, "late")
    world.materialize(["prediction_log", "feedback_table"], ["2024-01-14"])
    world.materialize(["review_queue"])
    pd.testing.assert_frame_equal(asked(world), before)
    assert world.space.table("review_queue").snapshot().version == version
    assert len(review_store(world.space).tasks()) == 12


def test_a_run_that_died_after_the_questions_were_put_is_repaired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(queue_module, "write", lambda *_: 1 / 0)
        assert not world.materialize(["review_queue"], raise_on_error=False).success
    put = {task.task_id for task in review_store(world.space).tasks()}
    assert len(put) == 12
    world.materialize(["review_queue"])
    assert set(asked(world)["task_id"]) == put
    assert not asked(world)["uncertainty"].isna().any()


def test_the_same_inputs_give_the_same_questions(world: World) -> None:
    first, second = (drawn(world.space, world)[0] for _ in range(2))
    assert first == second
    other, _ = drawn(world.space, world, NEXT_DAY)
    assert {task.prediction_id for task in other} != {task.prediction_id for task in first}


def test_the_next_day_asks_about_other_rows_and_only_as_many_as_came(world: World) -> None:
    space = with_review(world, max_share=0.05, per_day=100)
    first, _ = drawn(space, world)
    review_store(space).put(first)
    world.materialize(["review_queue"])
    second, rows = drawn(space, world, NEXT_DAY)
    assert second == []
    left = {task.prediction_id for task in first} & set(rows.frame["prediction_id"])
    assert left == {task.prediction_id for task in first if task.strategy != "audit"}


def test_rows_of_the_table_are_not_asked_again_though_the_store_is_lost(world: World) -> None:
    world.materialize(["review_queue"])
    shutil.rmtree(world.settings.root / "review")
    _, rows = drawn(world.space, world, NEXT_DAY)
    assert not set(asked(world)["prediction_id"]) & set(rows.frame["prediction_id"])


def test_rows_put_by_a_run_that_died_are_not_asked_again_the_next_day(world: World) -> None:
    tasks, _ = drawn(world.space, world)
    review_store(world.space).put(tasks)
    again, _ = drawn(with_review(world, per_day=200, max_share=1.0), world, NEXT_DAY)
    assert len(again) > 100
    assert not {task.prediction_id for task in tasks} & {task.prediction_id for task in again}


def test_rows_with_a_label_are_drawn_by_the_audit_alone(world: World) -> None:
    tasks, rows = drawn(with_review(world, per_day=60, max_share=0.5, audit_share=0.5), world)
    labelled = set(rows.frame.loc[rows.candidates.audit_only, "prediction_id"])
    chosen = [task for task in tasks if task.prediction_id in labelled]
    assert len(labelled) > 50
    assert chosen
    assert {task.strategy for task in chosen} == {"audit"}


def test_questions_can_still_be_answered_in_time(world: World) -> None:
    space = with_review(world, lookback_days=1)
    _, rows = drawn(space, world)
    now = pd.Timestamp(f"{DAY}T00:30", tz="UTC")
    oldest = now - pd.Timedelta(days=1) + pd.Timedelta(minutes=20)
    assert rows.frame["event_time"].between(oldest, now, inclusive="right").all()
    assert len(rows.frame)


def test_of_many_rows_an_even_part_is_looked_at_and_the_chance_says_so(world: World) -> None:
    tasks, rows = drawn(with_review(world, candidates=100), world)
    assert len(rows.frame) == 100 < rows.eligible
    assert max(task.probability for task in tasks) <= 100 / rows.eligible
    whole, all_rows = drawn(with_review(world, candidates=1_000), world)
    assert len(all_rows.frame) == all_rows.eligible == rows.eligible
    assert max(task.probability for task in whole) > max(task.probability for task in tasks)


def test_some_questions_are_asked_of_one_more(world: World) -> None:
    tasks, _ = drawn(with_review(world, double_share=0.25, answers=2), world)
    assert sorted(task.answers for task in tasks) == [2] * 9 + [3] * 3


def test_golden_questions_look_like_all_others(world: World, tmp_path: Path) -> None:
    known = world.frame("feedback_table").query("label == 1")["prediction_id"].tail(5)
    path = tmp_path / "golden.csv"
    pd.DataFrame({"prediction_id": [*known, "gone"], "label": "yes"}).to_csv(path, index=False)
    space = with_review(world, golden=str(path), golden_share=0.25)
    tasks, rows = drawn(space, world)
    sure = [task for task in tasks if task.known is not None]
    assert len(tasks) == 12
    assert [(task.strategy, task.known) for task in sure] == [("golden", "1")] * 3
    assert not set(known) & set(rows.frame["prediction_id"])
    audit = next(task for task in tasks if task.strategy == "audit")
    assert {task.reason for task in sure} == {audit.reason}
    assert set(sure[0].row) == set(audit.row)
    assert set(sure[0].opinion) == set(audit.opinion)
    review_store(space).put(tasks)
    again, _ = drawn(
        with_review(world, golden=str(path), golden_share=0.25, per_day=8), world, NEXT_DAY
    )
    fresh = {task.prediction_id for task in again if task.known}
    assert len(fresh - {task.prediction_id for task in sure}) == min(2, len(fresh))


@pytest.mark.parametrize(
    ("content", "words"),
    [("prediction_id,label\na,maybe\n", "prediction_id a: the label 'maybe'"),
     ("prediction_id,label\na,1\na,0\n", "two labels"), ("id,label\na,1\n", "must have the columns")],
)  # fmt: skip
def test_a_golden_file_with_faults_is_refused(
    world: World, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "golden.csv"
    path.write_text(content, "utf-8")
    with connect(world.settings) as con, pytest.raises(ReviewError, match=words):
        golden(with_review(world, golden=str(path)), con)
    with connect(world.settings) as con, pytest.raises(ReviewError, match="is there"):
        golden(with_review(world, golden=str(tmp_path / "none.csv")), con)
    assert golden(with_review(world), con) == Golden({})


def test_what_need_not_be_asked_any_more_is_withdrawn(world: World) -> None:
    store = review_store(world.space)
    tasks, rows = drawn(with_review(world, per_day=60, max_share=0.5, audit_share=0.5), world)
    labelled = rows.frame.loc[rows.candidates.audit_only, "prediction_id"].tolist()
    pending = rows.frame.loc[~rows.candidates.audit_only, "prediction_id"].tolist()
    like = replace(tasks[0], batch="2024-01-10", strategy="entropy", known=None)
    came = rows.frame.set_index("prediction_id")["event_time"]
    put = [
        replace(like, task_id="known", prediction_id=labelled[0]),
        replace(like, task_id="answered", prediction_id=labelled[1], answers=2),
        replace(like, task_id="audit", prediction_id=labelled[2], strategy="audit"),
        replace(like, task_id="unknown", prediction_id=pending[0]),
        replace(like, task_id="old", prediction_id=pending[1], asked_at=like.asked_at - dt.timedelta(days=15)),
    ]  # fmt: skip
    store.put(replace(one, event_time=came[one.prediction_id].to_pydatetime()) for one in put)
    said = Answer("a", "answered", "ann", "label", "1", like.asked_at)
    assert store.answer(said, like.asked_at) == "stored"
    world.materialize(["review_queue"])
    assert world.metadata("review_queue")["withdrawn"] == 2
    assert set(store.batches()[0].__dict__.values()) == {"2024-01-10", 3, 0, 2}


def test_flags_that_give_nothing_away_are_told(world: World) -> None:
    table = world.space.table("flags")
    shutil.rmtree(table.path, ignore_errors=True)
    tasks, _ = drawn(world.space, world)
    first, second = tasks[0], next(task for task in tasks[1:] if task.strategy != "drifted")
    rows = [(first, "error", "the truth is 1"), (first, "novel_input", "far out"),
            (second, "drifted_region", "size: above 3")]  # fmt: skip
    flagged = pd.DataFrame(
        [
            {
                "partition_key": f"{task.event_time:%Y-%m-%d}",
                "prediction_id": task.prediction_id,
                "reason": reason,
                "detail": detail,
                "strength": 0.5,
            }
            for task, reason, detail in rows
        ]
    )
    with connect(world.settings) as con, registered(con, "fa_made", flagged):
        keys = sorted(set(flagged["partition_key"]))
        table.replace(con, "SELECT * FROM fa_made", keys, Cause("run", "flags", {}))
    told = {task.task_id: task.reason for task in drawn(world.space, world)[0]}
    shutil.rmtree(table.path)
    assert told[first.task_id] == f"{first.reason}; far out"
    assert told[second.task_id] == f"{second.reason}; size: above 3"
    assert sum(told[task.task_id] != task.reason for task in tasks) == 2


def test_nobody_is_asked_without_a_budget(world: World) -> None:
    assert drawn(with_review(world, per_day=0), world)[0] == []


def test_an_empty_batch_says_its_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "draw", lambda *_: Drawn([], []))
    world.materialize(["review_queue"])
    version = world.space.table("review_queue").history()[0]
    assert (version.details["day"], version.details["asked"]) == (DAY, "0")
    assert len(asked(world)) == 0


def test_before_the_first_champion_rows_are_drawn_all_the_same(tmp_path: Path) -> None:
    world = World(tmp_path, review=REVIEW | {"mix": {"entropy": 0.5, "diversity": 0.5}})
    world.live("2024-01-01", 2, labels=False)
    world.at("2024-01-03")
    world.dataflow("2024-01-01", 2)
    world.materialize(["review_queue"])
    table = asked(world)
    assert len(table) == 8
    assert set(table["strategy"]) == {"audit", "diversity"}
    with connect(world.settings) as con:
        relation = world.space.table("review_queue").snapshot().relation()
        nulls = f"SELECT COUNT(uncertainty) + COUNT(novelty) + COUNT(model_version) FROM {relation}"
        assert con.execute(nulls).fetchall() == [(0,)]
    assert review_store(world.space).tasks()[0].opinion == {}


def test_numbers_are_asked_by_committee(tmp_path: Path) -> None:
    review = REVIEW | {"mix": {"committee": 1.0}}
    world = World(tmp_path, "regression", review=review)
    world.live("2024-01-01", 4)
    world.at("2024-01-05")
    world.dataflow("2024-01-01", 5)
    tasks, rows = drawn(world.space, world, "2024-01-05")
    assert rows.candidates.disagreement is not None
    assert {task.strategy for task in tasks} == {"audit", "committee"}


@pytest.mark.parametrize(
    ("fresh", "candidates", "size"),
    [(0, 500, 0), (19, 500, 0), (20, 500, 1), (100, 500, 5), (10_000, 500, 12), (500, 60, 3)],
)
def test_the_budget_is_never_passed(fresh: int, candidates: int, size: int) -> None:
    assert questions(Review(per_day=12, max_share=0.05), fresh, candidates) == size


def test_a_share_of_questions_is_exact_on_average() -> None:
    lots = [number / 1000 for number in range(1000)]
    for share, whole in ((0.1, 12), (0.05, 7), (1.0, 3), (0.0, 9)):
        mean = sum(part(share, whole, lot) for lot in lots) / len(lots)
        assert mean == pytest.approx(share * whole, abs=2e-3)
