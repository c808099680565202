"""A question on the wire: what is told, what is held back, and pre-labels that can be read again."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.review.labelstudio.annotations import read_annotation
from feedback_assets.review.labelstudio.tasks import wire_task
from feedback_assets.review.records import Answer
from feedback_assets_tests.review.labelstudio.errands import loop
from feedback_assets_tests.review.labelstudio.simulated import CREATED
from feedback_assets_tests.review.questions import NOW, task

BINARY = {"prediction": "0", "score": 0.1, "model_version": "3", "by_class": {"0": 0.9, "1": 0.1}}
CLASSES = {"kind": "multiclass", "classes": ["a", " b ", "c\x00"]}


def test_the_opinion_is_held_back_unless_it_is_to_be_shown() -> None:
    asked = task(1, opinion=BINARY)
    assert wire_task(loop(), asked)["predictions"] == []
    assert wire_task(loop(hide_opinion=False), asked)["predictions"] == [
        {
            "model_version": "3",
            "score": 0.9,
            "result": [
                {
                    "from_name": "label",
                    "to_name": "row",
                    "type": "choices",
                    "value": {"choices": ["0"]},
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"kind": "binary", "positive": "late"}, "1"),
        (CLASSES, "a"),
        (CLASSES, "c\x00"),
        ({"kind": "regression"}, "2.5"),
    ],
)
def test_who_accepts_a_pre_label_says_what_the_model_said(label: dict[str, str], said: str) -> None:
    config = loop(label=label, hide_opinion=False)
    (prediction,) = wire_task(config, task(1, opinion={"prediction": said}))["predictions"]
    accepted = {"id": 3, "result": prediction["result"], "created_at": CREATED, "completed_by": 1}
    answer = read_annotation(config, "t1", accepted, {1: "ann"}, NOW)
    assert isinstance(answer, Answer)
    assert (answer.value, answer.saw_opinion) == (said, True)


@pytest.mark.parametrize("opinion", [{}, {"prediction": None}, {"prediction": "strange"}])
def test_no_pre_label_where_the_model_says_nothing(opinion: dict[str, str]) -> None:
    config = loop(label={"kind": "multiclass", "classes": ["a", "b"]}, hide_opinion=False)
    assert wire_task(config, task(1, opinion=opinion))["predictions"] == []


def test_a_golden_question_looks_like_any_other() -> None:
    plain = wire_task(loop(), task(1))
    golden = wire_task(loop(), task(1, strategy="golden", known="1", probability=1.0, priority=9.0))
    assert golden == plain


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_any_row_can_be_sent(row: dict[str, object]) -> None:
    wire = wire_task(loop(), task(1, row=row))
    sent = json.dumps(wire, allow_nan=False, ensure_ascii=False).encode()
    assert json.loads(sent) == wire
    assert all(isinstance(v, str | int | float) for v in wire["data"]["row"].values())
