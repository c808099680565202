"""The audit stays an even draw from all rows, whatever was said of them or asked about them."""

import datetime as dt
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets import review_queue as queue_module
from feedback_assets.assets.audited import audited_ids
from feedback_assets.assets.golden import Golden, golden_rows
from feedback_assets.assets.review_draw import Drawn, asked_before, draw
from feedback_assets.assets.review_queue import tidy
from feedback_assets.assets.review_rows import Rows, rows_to_ask
from feedback_assets.assets.review_store import review_store
from feedback_assets.config.review import Review
from feedback_assets.querying.candidates import Candidates
from feedback_assets.querying.mix import choose
from feedback_assets.querying.reasons import AUDIT
from feedback_assets.review.records import Answer, Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot
from feedback_assets_tests.review.questions import task
from feedback_assets_tests.worlds import World

DAY, BEFORE = "2024-01-15", "2024-01-14"
REVIEW: dict[str, Any] = {
    "per_day": 12,
    "max_share": 0.1,
    "audit_share": 0.2,
    "golden_share": 0.0,
    "double_share": 0.0,
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A champion, and three days of its answers; what it got wrong was rejected."""
    made = World(tmp_path_factory.mktemp("audited"), review=REVIEW)
    made.first_model()
    for day in made.days("2024-01-12", 3):
        rows = made.rows(day, n=60, version="1")
        made.predict(rows, f"p-{day}")
        wrong = rows[rows["prediction"] != rows["truth"]]
        later = wrong["event_time"].to_numpy() + pd.Timedelta(hours=1)
        made.feed(wrong, f"r-{day}", "rejection", value="", received_time=later)
    made.at(f"{DAY}T00:30")
    made.dataflow("2024-01-12", 4)
    return made


@pytest.fixture
def world(grown: World) -> Iterator[World]:
    """The same with nothing asked yet."""
    yield grown
    shutil.rmtree(grown.settings.root / "review", ignore_errors=True)
    shutil.rmtree(grown.space.table("review_queue").path, ignore_errors=True)


def batch_of(world: World, **changes: Any) -> tuple[Drawn, Rows]:
    """The day's batch as the asset draws it, nothing kept."""
    config = world.config.model_copy(update={"review": Review(**(REVIEW | changes))})
    space, now, store = replace(world.space, config=config), world.clock.now(), stored(world)
    source, sure = feedback(world), Golden({})
    with connect(space.settings) as con:
        earlier = asked_before(space, con, store, DAY, sure, now)
        rows = rows_to_ask(space, con, source, now, earlier, DAY)
        return draw(space, con, source, store, rows, earlier, sure, DAY, now), rows


def stored(world: World) -> ReviewStore:
    return review_store(world.space)


def feedback(world: World) -> Snapshot:
    return world.space.table("feedback_table").snapshot()


def asked_by_strategies(world: World) -> list[Task]:
    """Every row was asked about the day before, each for a strategy."""
    batch, _ = batch_of(world, per_day=1000, max_share=1.0)
    put = [
        replace(one, task_id=f"old-{at}", batch=BEFORE, strategy="entropy", reason="not sure")
        for at, one in enumerate(batch.questions)
    ]
    stored(world).put(put)
    return put


def test_rows_that_somebody_rejected_are_drawn_like_all_others(world: World) -> None:
    table = world.frame("feedback_table").query("event_time > '2024-01-12T01:00Z'")
    rejected = set(table.loc[table["label_status"] == "rejected", "prediction_id"])
    batch, rows = batch_of(world, per_day=1000, max_share=1.0, audit_share=1.0)
    assert len(rejected) > 20
    assert rejected <= set(rows.frame["prediction_id"])
    assert rejected <= {one.prediction_id for one in batch.questions}


def test_the_audit_asks_nothing_twice_but_takes_the_question_over(world: World) -> None:
    put = asked_by_strategies(world)
    store, now = stored(world), world.clock.now()
    answered, lapsed, late, *others = put
    assert store.answer(Answer("a", answered.task_id, "ann", "label", "1", now), now) == "stored"
    assert store.answer(Answer("b", late.task_id, "ann", "label", "1", now), now) == "stored"
    store.withdraw([lapsed.task_id, late.task_id], now)
    batch, rows = batch_of(world, per_day=1000, max_share=1.0)
    assert rows.candidates.audit_only is not None
    assert rows.candidates.audit_only.all()
    assert {one.task_id for one in batch.audited} == {
        one.task_id for one in (answered, late, *others)
    }
    # A question that lapsed without an answer is asked anew.
    assert [one.prediction_id for one in batch.questions] == [lapsed.prediction_id]
    assert batch.questions[0].task_id != lapsed.task_id
    assert {(one.strategy, one.reason, one.batch, one.asked_at) for one in batch.audited} == {
        ("audit", AUDIT, DAY, now)
    }
    store.put(batch.questions, batch.audited)
    assert store.audited(DAY) == sorted(batch.audited, key=lambda one: one.task_id)
    assert len(store.tasks()) == len(put) + 1
    # Who was audited is so once and for all; made again, the day has the same rows before it.
    with connect(world.settings) as con:
        tomorrow = asked_before(world.space, con, store, "2024-01-16", Golden({}), now)
        again = asked_before(world.space, con, store, DAY, Golden({}), now)
    assert tomorrow.over == {one.prediction_id for one in put}
    assert not tomorrow.asked
    assert again.asked.keys() == tomorrow.over


def test_the_chance_of_a_row_asked_before_is_the_audits(world: World) -> None:
    asked_by_strategies(world)
    batch, rows = batch_of(world)
    assert (len(batch.questions), len(batch.audited)) == (0, 12)
    chances = [one.probability for one in batch.audited]
    assert chances == pytest.approx([12 / len(rows.frame)] * 12)


def test_questions_taken_over_stand_in_the_table_and_are_drawn_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = {one.task_id for one in asked_by_strategies(world)}
    with monkeypatch.context() as broken:
        broken.setattr(queue_module, "write", lambda *_: 1 / 0)
        assert not world.materialize(["review_queue"], raise_on_error=False).success
    with monkeypatch.context() as broken:
        broken.setattr(queue_module, "draw", lambda *_: 1 / 0)
        world.materialize(["review_queue"])
    table = world.frame("review_queue")
    assert set(table["task_id"]) == {one.task_id for one in stored(world).audited(DAY)} <= put
    assert len(table) == 12
    assert set(table["strategy"]) == {"audit"}
    assert set(table["partition_key"]) == set(table["batch"]) == {DAY}
    assert not table["uncertainty"].isna().any()
    with connect(world.settings) as con:
        assert audited_ids(world.space, con) == set(table["prediction_id"])
    seen = world.metadata("review_queue")
    assert (seen["asked"], seen["asked_before"]) == (0, 12)
    assert world.space.table("review_queue").history()[0].details["asked"] == "0"


def test_questions_that_the_audit_took_over_are_not_withdrawn_for_a_label(world: World) -> None:
    one, other, *_ = put = asked_by_strategies(world)
    store = stored(world)
    assert {each.task_id for each in store.needless()} == {each.task_id for each in put}
    store.put([], [replace(one, strategy="audit", batch=DAY)])
    assert one.task_id not in {each.task_id for each in store.needless()}
    assert other.task_id in {each.task_id for each in store.needless()}


def test_two_runs_of_a_day_draw_one_after_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def looked(name: str) -> Any:
        real = getattr(queue_module, name)

        def look(*arguments: Any) -> Any:
            path = world.settings.root / "locks" / f"{world.space.name}.review_queue"
            path.parent.mkdir(exist_ok=True)
            with path.open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    free.append(True)
                except BlockingIOError:
                    free.append(False)
            return real(*arguments)

        return look

    for name in ("asked_before", "draw", "write"):
        monkeypatch.setattr(queue_module, name, looked(name))
    world.materialize(["review_queue"])
    assert free == [False, False, False]


class Read:
    """A snapshot that notes which partitions are read."""

    def __init__(self, source: Snapshot) -> None:
        self.source, self.keys = source, list[Any]()

    def relation(self, keys: Any, columns: Any = None) -> str:
        self.keys.append(keys)
        return self.source.relation(keys, columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def test_old_days_are_not_read_to_withdraw_questions(world: World) -> None:
    batch, _ = batch_of(world)
    one = replace(batch.questions[0], strategy="entropy")
    stored(world).put([one])
    read: Any = Read(feedback(world))
    assert len(read.partitions()) > 3
    with connect(world.settings) as con:
        tidy(world.space, con, read, stored(world), world.clock.now())
    assert read.keys == [[f"{one.event_time:%Y-%m-%d}"]]


def test_where_golden_rows_lie_is_looked_for_once(world: World) -> None:
    table = world.frame("feedback_table").query("partition_key == '2024-01-12'")
    names = table["prediction_id"].tolist()[:3]
    read: Any = Read(feedback(world))
    with connect(world.settings) as con:
        for day, known in ((BEFORE, names[:2]), (DAY, names[:2]), (DAY, names[2:])):
            sure = Golden(dict.fromkeys(known, "1"))
            found = golden_rows(world.space, con, read, stored(world), sure, day, 3, "salt")
            assert set(found["prediction_id"]) == set(known)
    part = ["2024-01-12"]
    assert read.keys == [None, part, part, None, part]
    assert set(json.loads(stored(world).recall("golden_places") or "")) == {names[2]}


def test_over_many_days_the_audit_is_an_even_sample(tmp_path: Path) -> None:
    """Strategies take a third of the hard rows, which are a quarter of all."""
    rng, days, window, arriving, size = np.random.default_rng(5), 16, 6, 100, 40
    n = days * arriving
    hard = rng.random(n) < 0.25
    p = np.where(hard, 0.5, 0.99)
    day = np.repeat(np.arange(days), arriving)
    review = Review(per_day=size, mix={"entropy": 1.0}, audit_share=0.5)
    first = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    counts = []
    for seed in range(6):
        store, audits = ReviewStore(tmp_path / f"{seed}.db"), list[int]()
        for today in range(days):
            now = first + dt.timedelta(days=today)
            earlier = store.earlier("", now - dt.timedelta(days=window))
            young = np.flatnonzero((day <= today) & (day > today - window))
            at = young[[str(row) not in earlier.over for row in young]]
            ids = np.array([f"{row}" for row in at], dtype=object)
            chances = np.column_stack([1 - p[at], p[at]])
            only = np.array([name in earlier.asked for name in ids], dtype=bool)
            space = np.column_stack([at, p[at]]).astype(np.float32)
            pool = Candidates(ids, space, probabilities=chances, audit_only=only)
            found = choose(review, pool, size, 1000 * seed + today)
            drawn = list(zip(at[found.positions].tolist(), found.strategy, strict=True))
            audits += [row for row, strategy in drawn if strategy == "audit"]
            old = {row: earlier.asked.get(str(row)) for row, _ in drawn}
            like = replace(task(1), batch=f"{now:%F}", asked_at=now)
            made = [
                replace(
                    like,
                    task_id=old[row] or f"{now:%F}-{row}",
                    prediction_id=str(row),
                    strategy=str(strategy),
                    event_time=first + dt.timedelta(days=int(day[row])),
                )
                for row, strategy in drawn
            ]
            store.put(
                [one for one in made if one.task_id != old[int(one.prediction_id)]],
                [one for one in made if one.task_id == old[int(one.prediction_id)]],
            )
        assert len(set(audits)) == len(audits)
        counts += audits
    share, error = hard[counts].mean(), np.sqrt(hard.mean() * (1 - hard.mean()) / len(counts))
    assert abs(share - hard.mean()) < 3.5 * error
