"""Questions go out once and answers come in once, and both sides agree in the end."""

import datetime as dt
import fcntl
from pathlib import Path

import pytest

from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.project import ROUTE
from feedback_assets.review.store import ReviewStore
from feedback_assets_tests.review.labelstudio.errands import LATER, Errands
from feedback_assets_tests.review.labelstudio.simulated import LEGACY, Fault
from feedback_assets_tests.review.questions import NOW, answer, task


def test_questions_go_out_in_their_order_and_answers_come_back(errands: Errands) -> None:
    errands.put(10)
    first = errands.sync()
    assert (first.sent, first.left, first.stored) == (10, 10, 0)
    assert errands.studio.asked() == [f"t{n}" for n in range(10)]
    placed = errands.store.placed(ROUTE)
    assert placed == {f"t{n}": str(errands.studio.task_of(f"t{n}")["id"]) for n in range(10)}
    errands.studio.annotate(errands.studio.task_of("t3"), "1")
    errands.studio.annotate(errands.studio.task_of("t4"), "0")
    second = errands.sync()
    assert (second.sent, second.stored, second.left) == (0, 2, 8)
    assert sorted(errands.answers()) == [
        ("t3", "ann@example.com", "label", "1"),
        ("t4", "ann@example.com", "label", "0"),
    ]
    third = errands.sync()
    assert (third.stored, third.repeated, len(errands.answers())) == (0, 2, 2)
    assert errands.told == [f"set up project {first.project} in {errands.studio.url}"]


def test_an_answer_keeps_its_time_its_length_and_its_way(errands: Errands) -> None:
    errands.put(1)
    errands.sync()
    errands.studio.annotate(errands.studio.task_of("t0"), "1", ground_truth=True)
    errands.sync()
    (stored,) = errands.store.answers()
    said = stored.answer
    assert said.answered_at == dt.datetime(2024, 5, 1, 8, 0, 0, 123456, tzinfo=dt.UTC)
    assert (said.duration_seconds, said.route, said.note) == (4.25, "label_studio", "ground truth")
    assert not said.saw_opinion
    assert stored.received_at == LATER


def test_skips_come_back_and_may_become_answers(errands: Errands) -> None:
    errands.put(2)
    errands.sync()
    skip = errands.studio.annotate(errands.studio.task_of("t0"))
    done = errands.sync()
    assert (done.stored, done.skipped) == (1, 1)
    skip |= {"was_cancelled": False}
    skip["result"] = errands.studio.annotate(errands.studio.task_of("t1"), "0")["result"]
    assert errands.sync().stored == 2
    assert ("t0", "ann@example.com", "skip", None) in errands.answers()
    assert ("t0", "ann@example.com", "label", "0") in errands.answers()


def test_several_people_answer_one_question(errands: Errands) -> None:
    errands.studio.users.append({"id": 2, "username": "bob", "email": "bøb@example.com"})
    errands.put(1, answers=2)
    errands.sync(answers=2)
    own = errands.studio.task_of("t0")
    errands.studio.annotate(own, "1", by=1)
    errands.studio.annotate(own, "0", by=2)
    assert errands.sync(answers=2).stored == 2
    assert {person for _, person, _, _ in errands.answers()} == {
        "ann@example.com",
        "bøb@example.com",
    }


def test_a_question_for_more_people_is_put_to_more(errands: Errands) -> None:
    errands.put(3, answers=1)
    errands.store.put([task(9, answers=2)])
    errands.sync()
    assert errands.studio.task_of("t9")["overlap"] == 2
    assert errands.studio.task_of("t0")["overlap"] == 1


def test_who_changes_an_answer_leaves_the_first(errands: Errands) -> None:
    errands.put(1)
    errands.sync()
    said = errands.studio.annotate(errands.studio.task_of("t0"), "1")
    errands.sync()
    said["result"][0]["value"]["choices"] = ["0"]
    assert errands.sync().conflicts == 1
    assert errands.answers() == [("t0", "ann@example.com", "label", "1")]
    assert "contradict what the same person said before" in errands.told[-1]


def test_a_question_deleted_there_is_asked_no_more(errands: Errands) -> None:
    errands.put(3)
    errands.sync()
    del errands.studio.tasks[errands.studio.task_of("t1")["id"]]
    assert errands.sync().deleted == 1
    again = errands.sync()
    assert (again.deleted, again.sent, again.left) == (0, 0, 2)
    assert errands.store.next("ann", LATER, dt.timedelta(minutes=5)) is None


def test_nothing_is_concluded_from_a_list_that_may_lack_some(errands: Errands) -> None:
    errands.put(3)
    errands.sync()
    errands.studio.faults = [
        Fault("GET /api/tasks/$", "text", '{"total": 3, "tasks": []}', times=99)
    ]
    done = errands.sync()
    assert (done.deleted, done.left) == (0, 3)


def test_a_deleted_project_is_set_up_again(errands: Errands) -> None:
    errands.put(3)
    first = errands.sync()
    errands.studio.annotate(errands.studio.task_of("t0"), "1")
    errands.sync()
    errands.studio.projects.clear()
    errands.studio.tasks.clear()
    second = errands.sync()
    assert second.project != first.project
    assert (second.sent, errands.studio.asked()) == (2, ["t1", "t2"])
    assert "was deleted" in " ".join(errands.told)
    assert len(errands.answers()) == 1


def test_a_named_project_that_is_not_there_is_an_error(errands: Errands) -> None:
    with pytest.raises(LabelStudioError, match=r"review\.label_studio\.project is 77"):
        errands.sync(label_studio={"project": 77})


def test_a_named_project_is_left_as_it_is(errands: Errands) -> None:
    errands.studio.projects[5] = {"id": 5, "label_config": "<View/>", "maximum_annotations": 1}
    errands.put(2)
    assert errands.sync(label_studio={"project": 5}).sent == 2
    assert errands.studio.projects[5]["label_config"] == "<View/>"


def test_moving_to_another_project_asks_there_and_deletes_nothing(errands: Errands) -> None:
    for number in (5, 6):
        errands.studio.projects[number] = {"id": number, "maximum_annotations": 1}
    errands.put(2)
    errands.sync(label_studio={"project": 5})
    moved = errands.sync(label_studio={"project": 6})
    assert (moved.sent, moved.deleted, moved.left) == (2, 0, 2)


def test_two_homes_have_two_projects(errands: Errands, tmp_path: Path) -> None:
    errands.put(2)
    one = errands.sync()
    other = Errands(errands.studio, ReviewStore(tmp_path / "other.db"), tmp_path / "other")
    other.put(2)
    assert other.sync().project != one.project
    other.close()


def test_what_is_done_or_too_old_is_taken_out(errands: Errands) -> None:
    tasks = errands.put(3)
    errands.sync()
    errands.store.answer(answer(tasks[0], "page-person"), NOW)
    errands.store.withdraw(["t1"], NOW)
    done = errands.sync()
    assert (done.removed, errands.studio.asked()) == (2, ["t2"])
    assert errands.sync().removed == 0


def test_what_somebody_has_begun_is_not_taken_out(errands: Errands) -> None:
    errands.put(2)
    errands.sync()
    errands.studio.task_of("t0")["drafts"] = [{"id": 1}]
    errands.studio.annotate(errands.studio.task_of("t1"), "1")
    errands.store.withdraw(["t0", "t1"], NOW)
    assert errands.sync().removed == 0
    assert len(errands.studio.tasks) == 2
    assert len(errands.answers()) == 1


def test_a_second_copy_is_taken_out_and_its_answers_are_kept(errands: Errands) -> None:
    errands.put(2)
    project = errands.sync().project
    for task_id in ("t0", "t1"):
        own = errands.studio.task_of(task_id)
        copy = {**own, "id": errands.studio.number(), "annotations": []}
        errands.studio.tasks[copy["id"]] = copy
        if task_id == "t1":
            errands.studio.annotate(copy, "1")
    done = errands.sync()
    assert project == done.project
    assert (done.removed, done.stored) == (2, 1)
    assert sorted(errands.studio.asked()) == ["t0", "t1"]
    assert errands.answers() == [("t1", "ann@example.com", "label", "1")]


def test_other_peoples_tasks_are_left_alone(errands: Errands) -> None:
    errands.put(1)
    project = errands.sync().project
    strange = {"id": 900, "project": project, "data": {"text": "mine"}, "annotations": []}
    other = {"id": 901, "project": project, "data": {"loop": "energy", "task_id": "t0"}}
    unknown = {"id": 902, "project": project, "data": {"loop": "tiny", "task_id": "t77"}}
    errands.studio.tasks |= {900: strange, 901: other | {"annotations": []}, 902: unknown}
    unknown["annotations"] = []
    errands.studio.annotate(unknown, "1")
    done = errands.sync()
    assert (done.unread, done.removed, done.stored) == (1, 0, 0)
    assert {900, 901, 902} <= set(errands.studio.tasks)


def test_pages_of_any_size_are_read_to_the_end(errands: Errands) -> None:
    errands.put(11)
    errands.studio.page_limit = 3
    assert errands.sync().sent == 11
    assert errands.sync().left == 11


def test_imports_in_the_background_are_waited_for(errands: Errands) -> None:
    errands.studio.background = True
    errands.put(5)
    assert errands.sync().sent == 5
    assert sum("/imports/" in line for line in errands.studio.seen) == 2


def test_a_question_that_is_refused_holds_up_no_other(errands: Errands) -> None:
    errands.put(6)
    errands.store.put([task(9, reason="poison", priority=0.9)])
    done = errands.sync()
    assert (done.sent, done.refused) == (6, 1)
    assert "private words" not in " ".join(errands.told)
    leased = errands.store.next("ann", LATER, dt.timedelta(minutes=5))
    assert leased is not None
    assert leased.task.task_id == "t9"


def test_a_legacy_token_is_sent_as_it_is(errands: Errands) -> None:
    errands.put(1)
    assert errands.sync(token=LEGACY).sent == 1
    assert set(errands.studio.tokens) == {f"Token {LEGACY}"}


def test_two_errands_at_once_are_one(errands: Errands) -> None:
    errands.put(1)
    path = errands.home / "review" / "tiny.label_studio.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LabelStudioError, match="another process"):
            errands.sync()
    assert errands.sync().sent == 1


def test_changed_classes_are_shown_there(errands: Errands) -> None:
    errands.put(1)
    project = errands.sync().project
    errands.sync(words={"1": "too late"})
    assert "too late" in errands.studio.projects[project]["label_config"]
    changes = [line for line in errands.studio.seen if line.startswith("PATCH /api/projects")]
    errands.sync(words={"1": "too late"})
    assert len(changes) == 1


def test_the_words_of_an_errand(errands: Errands) -> None:
    errands.put(2)
    words = errands.sync().words()
    assert words.endswith("0 answers in, 2 questions out, 2 open there")


def test_what_may_have_arrived_is_not_sent_while_the_list_is_doubtful(errands: Errands) -> None:
    errands.put(3)
    errands.sync()
    # As after a kill between the import and the note of it.
    errands.store.unplace(ROUTE, ["t0", "t1", "t2"])
    errands.store.reserve(ROUTE, ["t0", "t1", "t2"], LATER)
    doubtful = '{"total": 3, "tasks": []}'
    errands.studio.faults = [Fault("GET /api/tasks/$", "text", doubtful, times=99)]
    assert errands.sync().sent == 0
    assert len(errands.studio.tasks) == 3
    errands.studio.faults.clear()
    assert errands.sync().sent == 3
    assert len(errands.studio.tasks) == 3


def test_what_was_never_sent_and_is_withdrawn_is_not_sent(errands: Errands) -> None:
    errands.put(1)
    errands.sync()
    errands.put(3)
    errands.store.reserve(ROUTE, ["t1"], LATER)
    errands.store.withdraw(["t1"], LATER)
    assert errands.sync().sent == 1
    assert errands.studio.asked() == ["t0", "t2"]
