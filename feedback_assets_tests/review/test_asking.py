"""Who is asked what: leases, several people for one question, no row twice for one person."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_assets.review.store import ReviewStore
from feedback_assets_tests.review.questions import LEASE, MINUTE, NOW, answer, task

PEOPLE = ("ann", "bob", "eve")


def test_the_most_pressing_question_comes_first(store: ReviewStore) -> None:
    store.put([task(3), task(1), task(2)])
    asked = []
    while leased := store.next("ann", NOW, LEASE):
        asked.append(leased.task.task_id)
        store.answer(answer(leased.task, "ann"), NOW)
    assert asked == ["t1", "t2", "t3"]


def test_two_people_never_hold_one_question(store: ReviewStore) -> None:
    store.put([task(1), task(2)])
    ann, bob = (store.next(name, NOW, LEASE) for name in ("ann", "bob"))
    assert ann
    assert bob
    assert {ann.task.task_id, bob.task.task_id} == {"t1", "t2"}
    assert store.next("eve", NOW, LEASE) is None


def test_an_interrupted_person_gets_his_question_back_for_longer(store: ReviewStore) -> None:
    store.put([task(1), task(2)])
    first = store.next("ann", NOW, LEASE)
    again = store.next("ann", NOW + 5 * MINUTE, LEASE)
    assert first
    assert again
    assert again.task == first.task
    assert again.resumed
    assert not first.resumed
    assert again.until == NOW + 5 * MINUTE + LEASE


def test_a_lease_that_lapsed_goes_to_somebody_else(store: ReviewStore) -> None:
    store.put([task(1)])
    assert store.next("ann", NOW, LEASE)
    assert store.next("bob", NOW + LEASE - MINUTE, LEASE) is None
    taken = store.next("bob", NOW + LEASE, LEASE)
    assert taken
    assert not taken.resumed
    assert store.next("ann", NOW + LEASE, LEASE) is None


def test_a_lease_that_is_given_back_is_free(store: ReviewStore) -> None:
    store.put([task(1)])
    store.next("ann", NOW, LEASE)
    assert store.release("ann", "t1")
    assert not store.release("ann", "t1")
    assert store.next("bob", NOW, LEASE)


def test_double_annotation_asks_two_different_people(store: ReviewStore) -> None:
    store.put([task(1, answers=2)])
    assert store.next("ann", NOW, LEASE)
    assert store.next("bob", NOW, LEASE)
    assert store.next("eve", NOW, LEASE) is None
    store.answer(answer("t1", "ann"), NOW)
    assert store.next("ann", NOW, LEASE) is None
    assert store.next("eve", NOW, LEASE) is None
    store.answer(answer("t1", "bob", "0"), NOW)
    assert store.progress(NOW).done == 1


def test_a_skip_is_not_undone_once_somebody_else_has_the_question(store: ReviewStore) -> None:
    store.put([task(1)])
    store.next("ann", NOW, LEASE)
    store.answer(answer("t1", "ann", None), NOW)
    store.next("bob", NOW, LEASE)
    assert store.undo("ann", NOW, LEASE) is None
    store.release("bob", "t1")
    assert store.undo("ann", NOW, LEASE)


def test_a_late_answer_undone_leaves_the_question_with_the_other(store: ReviewStore) -> None:
    store.put([task(1)])
    store.next("ann", NOW, MINUTE)
    store.next("bob", NOW + MINUTE, LEASE)
    store.answer(answer("t1", "ann"), NOW + MINUTE)
    undone = store.undo("ann", NOW + MINUTE, LEASE)
    assert undone
    assert undone.until == NOW + MINUTE
    assert store.next("ann", NOW + MINUTE, LEASE) is None


def test_nobody_is_asked_of_a_row_twice_even_in_another_batch(store: ReviewStore) -> None:
    store.put([task(1)])
    store.answer(answer("t1", "ann"), NOW)
    store.put([task(2, prediction_id="p1")])
    assert store.next("ann", NOW, LEASE) is None
    assert store.next("bob", NOW, LEASE)


def test_a_skipped_question_goes_to_others_until_enough_skipped(store: ReviewStore) -> None:
    store.put([task(1)])
    for name in PEOPLE:
        assert store.next(name, NOW, LEASE)
        store.answer(answer("t1", name, None), NOW)
    assert store.next("kim", NOW, LEASE) is None
    assert store.progress(NOW, "ann").mine_skipped == 1


def test_what_is_withdrawn_or_too_late_is_not_asked(store: ReviewStore) -> None:
    store.put([task(1), task(2, until=NOW + MINUTE), task(3)])
    assert store.withdraw(["t1", "t1", "t9"], NOW) == 1
    leased = store.next("ann", NOW + MINUTE, LEASE)
    assert leased
    assert leased.task.task_id == "t3"
    assert store.expire(NOW + MINUTE, dt.timedelta(days=14)) == 1
    assert store.expire(NOW + dt.timedelta(days=2), dt.timedelta(days=2)) == 1
    assert store.next("bob", NOW, LEASE) is None
    seen = store.progress(NOW)
    assert (seen.open, seen.done, seen.withdrawn) == (0, 0, 3)


def test_a_question_on_another_route_is_not_asked_here(store: ReviewStore) -> None:
    store.put([task(1), task(2), task(3)])
    store.next("ann", NOW, LEASE)
    assert [one.task_id for one in store.pending(NOW)] == ["t2", "t3"]
    assert store.reserve("file", ["t1", "t2"], NOW) == ["t2"]
    assert store.reserve("label_studio", ["t2", "t3"], NOW) == ["t3"]
    assert store.next("bob", NOW, LEASE) is None
    store.place("label_studio", {"t3": "77", "t2": "78"}, NOW)
    assert store.placed("label_studio") == {"t3": "77"}
    assert store.placed("file") == {"t2": None}
    store.answer(answer("t3", "eve", route="label_studio"), NOW)
    assert store.closed("label_studio") == ["t3"]
    assert store.closed("file") == []
    assert store.unplace("file", ["t2", "t3"]) == 1
    assert store.next("bob", NOW, LEASE)


def test_progress_counts_each_question_once(store: ReviewStore) -> None:
    store.put([task(number, answers=1 + number % 2) for number in range(6)])
    store.answer(answer("t0", "ann"), NOW - dt.timedelta(days=1))
    store.answer(answer("t1", "ann"), NOW)
    store.next("bob", NOW, LEASE)
    store.withdraw(["t5"], NOW)
    seen = store.progress(NOW, "ann")
    assert (seen.open, seen.done, seen.withdrawn, seen.total) == (4, 1, 1, 6)
    assert (seen.leased, seen.mine, seen.mine_today, seen.left) == (1, 2, 1, 3)
    assert seen.last == "t1-ann-1"
    assert store.progress(NOW).mine == 2


def test_people_are_told_apart(store: ReviewStore) -> None:
    store.put([task(number, known="1" if number < 2 else None) for number in range(4)])
    for number, (value, seconds) in enumerate([("1", 1.0), ("0", 9.0), ("1", 2.0), (None, None)]):
        store.answer(answer(f"t{number}", "ann", value, duration_seconds=seconds), NOW)
    (ann,) = store.people()
    assert (ann.answered, ann.skipped, ann.golden, ann.golden_right) == (3, 1, 2, 1)
    assert ann.median_seconds == 2.0


def test_many_at_once_get_different_questions(store: ReviewStore) -> None:
    store.put([task(number) for number in range(12)])
    begin = threading.Barrier(6)

    def work(name: str) -> list[str]:
        begin.wait()
        mine = []
        while leased := store.next(name, NOW, LEASE):
            mine.append(leased.task.task_id)
            assert store.answer(answer(leased.task, name), NOW) == "stored"
        return mine

    with ThreadPoolExecutor(6) as pool:
        asked = [one for each in pool.map(work, "abcdef") for one in each]
    assert sorted(asked) == sorted(f"t{number}" for number in range(12))
    assert store.last_answer() == 12


STEPS = st.lists(
    st.tuples(st.sampled_from(["next", "label", "skip", "undo", "wait"]), st.sampled_from(PEOPLE)),
    max_size=30,
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, wanted=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_whatever_people_do_the_promises_hold(
    tmp_path_factory: object, steps: list[tuple[str, str]], wanted: list[int]
) -> None:
    store = ReviewStore(tmp_path_factory.mktemp("any") / "review" / "tiny.db")  # type: ignore[attr-defined]
    store.put([task(number, answers=count) for number, count in enumerate(wanted)])
    now = NOW
    holding: dict[tuple[str, str], dt.datetime] = {}
    answered: dict[tuple[str, str], bool] = {}
    for said, (step, name) in enumerate(steps):
        mine = [one for (who, one), until in holding.items() if who == name and until > now]
        if step == "wait":
            now += LEASE / 2
        elif step == "next" and (leased := store.next(name, now, LEASE)):
            found = leased.task
            assert (name, found.task_id) not in answered
            holding[name, found.task_id] = leased.until
        elif step in ("label", "skip") and mine:
            value = None if step == "skip" else "1"
            sent = answer(mine[0], name, value, annotation_id=f"a{said}", answered_at=now)
            assert store.answer(sent, now) == "stored"
            answered[name, mine[0]] = step == "label"
            del holding[name, mine[0]]
        elif step == "undo" and (undone := store.undo(name, now, LEASE)):
            del answered[name, undone.task.task_id]
            holding[name, undone.task.task_id] = undone.until
        for number, count in enumerate(wanted):
            hands = sum(one == f"t{number}" and t > now for (_, one), t in holding.items())
            labels = sum(one == f"t{number}" and yes for (_, one), yes in answered.items())
            assert hands + labels <= count
    assert {(k.answer.annotator, k.answer.task_id) for k in store.answers()} == set(answered)
