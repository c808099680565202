"""Notices: only with the secret, each answer once, and what cannot be read waits for the errand."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.people import PEOPLE
from feedback_assets.review.labelstudio.project import ROUTE
from feedback_assets.review.labelstudio.webhook import (
    HEADER,
    Heard,
    Notice,
    parse_webhook,
    take_notice,
)
from feedback_assets.review.store import ReviewStore
from feedback_assets_tests.review.labelstudio.errands import LATER, Errands, loop
from feedback_assets_tests.review.questions import NOW, task

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())["webhooks"]
SECRET = "geheim-ü"


@pytest.fixture
def asked(store: ReviewStore, monkeypatch: pytest.MonkeyPatch) -> ReviewStore:
    monkeypatch.setenv("LABEL_STUDIO_WEBHOOK", SECRET)
    store.put([task(1), task(2)])
    store.place(ROUTE, {"t1": "9", "t2": "10"}, NOW)
    store.remember(PEOPLE, '{"1": "ann@example.com"}')
    return store


def heard(store: ReviewStore, body: Any, **headers: str) -> Heard:
    sent = headers or {HEADER.lower(): SECRET}
    notice = parse_webhook(loop(), sent, json.dumps(body).encode())
    return take_notice(loop(), store, notice, LATER)


def values(store: ReviewStore) -> list[tuple[str, str | None]]:
    return [(stored.answer.task_id, stored.answer.value) for stored in store.answers()]


@pytest.mark.parametrize("name", ["made", "made, older release"])
def test_an_answer_is_kept_once(asked: ReviewStore, name: str) -> None:
    assert heard(asked, RECORDED[name]) == Heard(1, 0, 0, 0, 0)
    assert heard(asked, RECORDED[name]) == Heard(0, 1, 0, 0, 0)
    assert values(asked) == [("t1", "1")]


def test_several_at_once(asked: ReviewStore) -> None:
    assert heard(asked, RECORDED["several made"]).stored == 2
    assert sorted(values(asked)) == [("t1", "1"), ("t2", None)]


def test_a_changed_answer_leaves_the_first(asked: ReviewStore) -> None:
    heard(asked, RECORDED["made"])
    assert heard(asked, RECORDED["changed"]) == Heard(0, 0, 1, 0, 0)
    assert values(asked) == [("t1", "1")]


@pytest.mark.parametrize("name", ["deleted", "tasks deleted", "without a payload"])
def test_other_notices_say_nothing(asked: ReviewStore, name: str) -> None:
    assert heard(asked, RECORDED[name]) == Heard(0, 0, 0, 0, 0)


def test_who_is_not_known_yet_waits_for_the_errand(errands: Errands, asked: ReviewStore) -> None:
    notice = json.loads(json.dumps(RECORDED["made"]))
    notice["annotation"]["completed_by"] = 8
    assert heard(asked, notice) == Heard(0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    "data", [{"task_id": "t1", "loop": "energy"}, {"task_id": 5, "loop": "tiny"}]
)
def test_another_loops_answer_is_left(asked: ReviewStore, data: Any) -> None:
    notice = json.loads(json.dumps(RECORDED["made"]))
    notice["task"]["data"] = data
    assert heard(asked, notice).left == 1
    assert values(asked) == []


def test_an_unknown_question_is_not_read(asked: ReviewStore) -> None:
    notice = json.loads(json.dumps(RECORDED["made"]))
    notice["task"]["data"]["task_id"] = "t99"
    assert heard(asked, notice) == Heard(0, 0, 0, 1, 0)


def test_a_notice_and_an_errand_bring_an_answer_once(
    errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_WEBHOOK", SECRET)
    errands.put(1)
    errands.sync()
    own = errands.studio.task_of("t0")
    annotation = errands.studio.annotate(own, "1")
    notice = {"action": "ANNOTATION_CREATED", "annotation": annotation, "task": own}
    assert heard(errands.store, notice).stored == 1
    done = errands.sync()
    assert (done.stored, done.repeated) == (0, 1)
    assert len(errands.answers()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {HEADER: ""},
        {HEADER: "geheim"},
        {HEADER: SECRET + "x"},
        {"Authorization": SECRET},
        {HEADER: SECRET, HEADER.lower(): SECRET},
    ],
    ids=str,
)
def test_nothing_is_taken_without_the_secret(asked: ReviewStore, headers: dict[str, str]) -> None:
    with pytest.raises(PermissionError) as caught:
        parse_webhook(loop(), headers, json.dumps(RECORDED["made"]).encode())
    assert SECRET not in str(caught.value)


def test_without_a_secret_here_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_WEBHOOK", raising=False)
    for sent in ("", "anything"):
        with pytest.raises(PermissionError, match="LABEL_STUDIO_WEBHOOK is not set"):
            parse_webhook(loop(), {HEADER: sent}, b"{}")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"a"', b"{}", b'{"action": 5}', b"\xff\xfe", b"[" * 100_000, b"null"],
)
def test_what_is_no_notice(asked: ReviewStore, body: bytes) -> None:
    with pytest.raises(LabelStudioError):
        parse_webhook(loop(), {HEADER: SECRET}, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "data", "task_id", "loop", "task", "result"]), inner
        )
    ),
    max_leaves=10,
)


@given(JSON, JSON)
def test_no_payload_breaks_the_reader(annotation: Any, own: Any) -> None:
    body = {"action": "ANNOTATION_CREATED", "annotation": annotation, "task": own}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LABEL_STUDIO_WEBHOOK", SECRET)
        assert isinstance(
            parse_webhook(loop(), {HEADER: SECRET}, json.dumps(body).encode()), Notice
        )
