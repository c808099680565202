"""What is put is kept once; what is said is kept once, and only its author takes it back."""

import datetime as dt
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_assets.errors import ReviewError
from feedback_assets.review.records import Answer
from feedback_assets.review.schema import writing
from feedback_assets.review.store import ReviewStore, store_path
from feedback_assets_tests.review.questions import LEASE, MINUTE, NOW, answer, task


def test_a_task_comes_back_as_it_was_put(store: ReviewStore) -> None:
    put = task(1, known="1", event_time=NOW - dt.timedelta(microseconds=3))
    assert store.put([put]) == 1
    assert store.task("t1") == put
    assert store.task("t2") is None


def test_putting_again_changes_nothing(store: ReviewStore) -> None:
    assert store.put([task(1), task(2)]) == 2
    store.answer(answer("t1", "ann"), NOW)
    assert store.put([replace(task(1), reason="another"), task(3)]) == 1
    assert store.task("t1") == task(1)
    assert store.progress(NOW).done == 1


def test_all_tasks_of_a_batch_are_put_or_none(store: ReviewStore) -> None:
    with pytest.raises(ReviewError, match="JSON"):
        store.put([task(1), task(2, row={"x": float("nan")})])
    assert store.tasks() == []


@pytest.mark.parametrize("wrong", [{"probability": 0.0}, {"probability": 1.1}, {"answers": 0}])
def test_tasks_out_of_range_are_refused(store: ReviewStore, wrong: dict[str, float]) -> None:
    with pytest.raises(ReviewError, match="must"):
        store.put([task(1, **wrong)])


def test_an_answer_is_kept_as_it_was_said(store: ReviewStore) -> None:
    store.put([task(1)])
    said = answer("t1", "ann", note="hm", saw_opinion=True)
    assert store.answer(said, NOW + MINUTE) == "stored"
    (kept,) = store.answers()
    assert (kept.answer, kept.received_at, kept.prediction_id) == (said, NOW + MINUTE, "p1")
    assert list(store.answers(after=kept.seq)) == []
    assert store.last_answer() == kept.seq


def test_an_answer_sent_again_counts_once(store: ReviewStore) -> None:
    store.put([task(1, answers=2)])
    said = answer("t1", "ann")
    late = replace(said, answered_at=NOW + MINUTE, duration_seconds=9.0, note="again")
    other_id = replace(said, annotation_id="other")
    told = store.take([said, said, late, other_id], NOW)
    assert told == ["stored", "repeated", "repeated", "repeated"]
    assert len(list(store.answers())) == 1


def test_a_contradiction_is_told_and_changes_nothing(store: ReviewStore) -> None:
    store.put([task(1), task(2)])
    store.answer(answer("t1", "ann"), NOW)
    assert store.answer(answer("t1", "ann", "0"), NOW) == "conflict"
    assert store.answer(answer("t1", "ann", None), NOW) == "conflict"
    stolen = replace(answer("t2", "bob"), annotation_id="t1-ann-1")
    assert store.answer(stolen, NOW) == "conflict"
    assert [kept.answer.value for kept in store.answers()] == ["1"]


@pytest.mark.parametrize("other", [answer("t1", "ann", "1"), answer("t2", "bob", "1")])
def test_an_id_used_again_for_another_saying_is_a_conflict(
    store: ReviewStore, other: Answer
) -> None:
    store.put([task(1), task(2)])
    store.answer(answer("t1", "ann", None, annotation_id="a1"), NOW)
    assert store.answer(replace(other, annotation_id="a1"), NOW) == "conflict"


def test_who_skipped_may_still_answer(store: ReviewStore) -> None:
    store.put([task(1)])
    told = [store.answer(answer("t1", "ann", value), NOW) for value in (None, None, "1")]
    assert told == ["stored", "repeated", "stored"]
    assert [kept.answer.said for kept in store.answers()] == ["skip", "label"]
    assert store.progress(NOW).done == 1


def test_an_answer_to_an_unknown_question_is_told(store: ReviewStore) -> None:
    assert store.answer(answer("t1", "ann"), NOW) == "unknown"
    assert list(store.answers()) == []


def test_answers_are_kept_after_lease_time_and_withdrawal(store: ReviewStore) -> None:
    store.put([task(1), task(2)])
    assert store.next("ann", NOW, LEASE)
    store.withdraw(["t2"], NOW)
    late = NOW + dt.timedelta(days=30)
    assert store.answer(answer("t1", "bob"), NOW) == "stored"
    assert store.answer(answer("t1", "ann"), late) == "stored"
    assert store.answer(answer("t2", "ann"), late) == "stored"


@pytest.mark.parametrize(
    "wrong", [{"value": None}, {"said": "skip"}, {"confidence": 1.5}]
)  # fmt: skip
def test_answers_that_say_nothing_sound_are_refused(
    store: ReviewStore, wrong: dict[str, object]
) -> None:
    store.put([task(1)])
    with pytest.raises(ReviewError):
        store.answer(replace(answer("t1", "ann"), **wrong), NOW)
    assert store.progress(NOW).done == 0


def test_undo_gives_the_question_back_to_its_hands(store: ReviewStore) -> None:
    store.put([task(1), task(2)])
    store.next("ann", NOW, LEASE)
    store.answer(answer("t1", "ann"), NOW)
    store.next("ann", NOW, LEASE)
    undone = store.undo("ann", NOW + MINUTE, LEASE)
    assert undone
    assert (undone.answer, undone.task) == (answer("t1", "ann"), task(1))
    taken = store.next("bob", NOW + MINUTE, LEASE)
    assert taken is None
    again = store.next("ann", NOW + MINUTE, LEASE)
    assert again
    assert again.task == task(1)
    assert again.resumed
    assert store.answer(answer("t1", "ann", "0"), NOW) == "stored"
    assert [kept.answer.value for kept in store.answers()] == ["0"]


def test_undo_asked_again_undoes_no_second_answer(store: ReviewStore) -> None:
    store.put([task(1), task(2)])
    store.take([answer("t1", "ann"), answer("t2", "ann")], NOW)
    first = store.undo("ann", NOW, LEASE, "t2-ann-1")
    assert first
    assert store.undo("ann", NOW + MINUTE, LEASE, "t2-ann-1") == first
    assert store.undo("ann", NOW, LEASE, "t9-ann-1") is None
    assert [kept.answer.task_id for kept in store.answers()] == ["t1"]


def test_what_was_read_cannot_be_undone(store: ReviewStore) -> None:
    store.put([task(1)])
    store.answer(answer("t1", "ann"), NOW)
    assert list(store.answers())
    assert store.undo("ann", NOW, LEASE) is None


def test_only_the_own_last_young_answer_of_the_page_is_undone(store: ReviewStore) -> None:
    store.put([task(1), task(2), task(3)])
    store.answer(answer("t1", "ann"), NOW)
    store.answer(answer("t2", "eve", route="file"), NOW)
    assert store.undo("bob", NOW, LEASE) is None
    assert store.undo("eve", NOW, LEASE) is None
    assert store.undo("ann", NOW + LEASE + MINUTE, LEASE) is None
    assert store.undo("ann", NOW + LEASE, LEASE)


def test_an_undone_answer_that_comes_again_stays_undone(store: ReviewStore) -> None:
    store.put([task(1)])
    store.answer(answer("t1", "ann"), NOW)
    store.undo("ann", NOW, LEASE)
    assert store.answer(answer("t1", "ann"), NOW) == "repeated"
    assert list(store.answers()) == []


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    path = store_path(tmp_path, "tiny")
    path.parent.mkdir()
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE mine (x)")
    with pytest.raises(ReviewError, match="something else"):
        ReviewStore(path).put([task(1)])


def test_another_release_is_told(store: ReviewStore) -> None:
    store.put([task(1)])
    with sqlite3.connect(store.path) as con:
        con.execute("PRAGMA user_version = 2")
    with pytest.raises(ReviewError, match="version 2"):
        store.tasks()


def test_nobody_else_reads_the_questions(store: ReviewStore) -> None:
    store.put([task(1)])
    assert store.path.stat().st_mode & 0o077 == 0


def test_facts_are_kept(store: ReviewStore) -> None:
    assert store.recall("project") is None
    store.remember("project", "7")
    store.remember("project", "8")
    assert store.recall("project") == "8"
    assert ReviewStore(store.path).last_answer() == 0


def test_every_commit_is_synced_to_the_disk(store: ReviewStore) -> None:
    with writing(store.path) as con:
        assert con.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert con.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_an_error_undoes_the_whole_errand(store: ReviewStore) -> None:
    store.put([task(1)])
    with pytest.raises(ReviewError):
        store.take([answer("t1", "ann"), answer("t1", "bob", confidence=2.0)], NOW)
    assert store.last_answer() == 0
