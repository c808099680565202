"""Annotations in the shapes that Label Studio's releases write, and in shapes that nobody should."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.review.labelstudio.annotations import (
    Unread,
    moment,
    number_of,
    person_name,
    read_annotation,
)
from feedback_assets.review.records import Answer
from feedback_assets_tests.review.labelstudio.errands import loop
from feedback_assets_tests.review.labelstudio.simulated import CREATED
from feedback_assets_tests.review.questions import NOW

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
PEOPLE = {1: "ann@example.com", 7: "bob@example.com"}
RESULT = {"from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": ["1"]}}
PLAIN = {"id": 3, "result": [RESULT], "created_at": CREATED, "completed_by": 1}


def read(said: Any, label: Any = None, people: Any = None) -> Answer | Unread:
    return read_annotation(loop(label=label), "t1", said, PEOPLE if people is None else people, NOW)


@pytest.mark.parametrize("name", sorted(RECORDED["annotations"]))
def test_recorded_shapes(name: str) -> None:
    shape = RECORDED["annotations"][name]
    answer = read(shape["annotation"], shape.get("label"))
    expected = shape["answer"]
    if "unread" in expected:
        assert isinstance(answer, Unread)
        assert expected["unread"] in answer.reason
        return
    assert isinstance(answer, Answer)
    assert {key: getattr(answer, key) for key in expected} == expected


@pytest.mark.parametrize(
    "change",
    [
        {"id": None}, {"id": True}, {"id": -1}, {"id": "x"}, {"id": 0}, {"id": "9" * 40},
        {"completed_by": None}, {"completed_by": {}}, {"completed_by": []},
        {"created_at": None}, {"created_at": "yesterday"},
        {"result": None}, {"result": "[]"}, {"result": []}, {"result": [None]},
        {"result": [RESULT, RESULT]}, {"result": [{**RESULT, "value": None}]},
        {"result": [{**RESULT, "value": {"choices": ["1", "0"]}}]},
        {"result": [{**RESULT, "value": {"choices": []}}]},
        {"result": [{**RESULT, "value": {"choices": ["Unsure"]}}]},
        {"result": [{**RESULT, "value": {"choices": [{"a": 1}]}}]},
        {"result": [{**RESULT, "type": "rectanglelabels"}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_says_nothing_is_told_and_not_guessed(change: dict[str, Any]) -> None:
    assert isinstance(read({**PLAIN, **change}), Unread)


def test_somebody_unknown_waits_for_the_next_errand() -> None:
    said = read({**PLAIN, "completed_by": 99})
    assert isinstance(said, Unread)
    assert said.waits


def test_an_answer_from_the_future_is_from_now() -> None:
    said = read({**PLAIN, "created_at": "2031-01-01T00:00:00Z"})
    assert isinstance(said, Answer)
    assert said.answered_at == NOW


@pytest.mark.parametrize(
    ("lead", "kept"), [(3, 3.0), (-1, None), ("3", None), (1e400, None), (True, None)]
)
def test_only_a_length_is_a_length(lead: Any, kept: float | None) -> None:
    said = read({**PLAIN, "lead_time": lead})
    assert isinstance(said, Answer)
    assert said.duration_seconds == kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "value", "choices", "type", "from_name", "label", "number"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([*PLAIN, "lead_time", "was_cancelled", "prediction"]), JSON)
def test_no_shape_breaks_the_reader(field: str, value: Any) -> None:
    said = read({**PLAIN, field: value})
    assert isinstance(said, Answer | Unread)
    if isinstance(said, Answer):
        assert said.value in ("1", "0", None)


@given(JSON)
def test_no_annotation_breaks_the_reader(said: Any) -> None:
    assert isinstance(read(said), Answer | Unread)


def test_names() -> None:
    assert person_name({"id": 4, "email": "ann@example.com", "username": "a"}) == "ann@example.com"
    assert person_name({"id": 4, "email": "", "username": "a"}) == "a"
    assert person_name({"id": 4, "email": "person:evil\x00"}) == "user 4"
    assert person_name({}) is None


def test_moments_are_read_in_their_zone() -> None:
    at = dt.datetime(2024, 5, 1, 8, tzinfo=dt.UTC)
    assert moment("2024-05-01T08:00:00Z") == at
    assert moment("2024-05-01T10:00:00+02:00") == at
    assert moment("2024-05-01T08:00:00") == at
    assert moment(5) is None


def test_numbers() -> None:
    assert number_of("12") == number_of(12) == 12
    assert number_of("²") is None
