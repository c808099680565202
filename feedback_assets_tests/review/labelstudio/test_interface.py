"""The labeling interface: nothing that somebody writes becomes markup, and every answer has one meaning."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.review.labelstudio.interface import choice_said, choices, interface, label_said
from feedback_assets.review.labelstudio.tasks import wire_task
from feedback_assets_tests.review.labelstudio.errands import loop
from feedback_assets_tests.review.questions import task

HOSTILE = [
    '"/><Header value="$x"/><Choice value="',
    "</Choices></View><!-- ",
    "<script>alert(1)</script>",
    "$row",
    "a\nb",
    " a ",
    "&amp;",
    "]]>",
    "\u202eright\u202c",
    "\x00\x07",
    "Ünïcödé 🚲",
]
TAGS = {"View", "Header", "Choices", "Choice", "Table", "Number"}
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def multiclass(classes: list[str], **review: object) -> object:
    return loop(label={"kind": "multiclass", "classes": classes}, **review)


def shape(xml: str) -> list[str]:
    return [element.tag for element in ET.fromstring(xml).iter()]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_class_writes_markup(text: str) -> None:
    config = multiclass([text, "other"])
    assert shape(interface(config)) == [
        "View", "Header", "Choices", "Choice", "Choice", "Header", "Table",
    ]  # fmt: skip
    (own, _) = ET.fromstring(interface(config)).iter("Choice")
    assert choice_said(config, own.get("alias")) == text
    assert choice_said(config, own.get("value")) == text


@settings(max_examples=40)
@given(st.lists(texts, min_size=2, max_size=6, unique=True))
def test_every_choice_means_its_class(classes: list[str]) -> None:
    config = multiclass(classes)
    drawn = list(ET.fromstring(interface(config)).iter("Choice"))
    assert [choice_said(config, one.get("alias")) for one in drawn] == classes
    assert len({one.get("value") for one in drawn}) == len(classes)
    assert set(shape(interface(config))) <= TAGS


@settings(max_examples=40)
@given(texts, texts)
def test_words_of_the_loop_are_text_and_mean_their_label(yes: str, no: str) -> None:
    config = loop(words={"1": yes, "0": no})
    drawn = {
        one.get("alias"): one.get("value")
        for one in ET.fromstring(interface(config)).iter("Choice")
    }
    assert set(drawn) == {"1", "0"}
    assert choice_said(config, "1") == "1"
    assert choice_said(config, "0") == "0"


def test_what_people_read_without_words() -> None:
    assert [c.shown for c in choices(loop())] == ["late", "not late"]
    plain = loop(label={"kind": "binary"})
    assert [(c.shown, c.said) for c in choices(plain)] == [("Yes", "1"), ("No", "0")]


@pytest.mark.parametrize("text", ["Unsure", "maybe", "", "2", "late or not"])
def test_a_third_choice_is_no_label(text: str) -> None:
    assert choice_said(loop(), text) is None


@pytest.mark.parametrize(("text", "said"), [("LATE", "1"), ("true", "1"), ("no", "0"), ("0", "0")])
def test_a_project_by_hand_may_use_the_labels_own_words(text: str, said: str) -> None:
    assert choice_said(loop(), text) == said


def test_numbers_are_typed() -> None:
    config = loop(label={"kind": "regression"})
    assert shape(interface(config)) == ["View", "Header", "Number", "Header", "Table"]
    assert label_said(config, 3) == "3.0"
    assert label_said(config, "nan") is None


@pytest.mark.parametrize("text", HOSTILE)
def test_columns_and_values_travel_as_data(text: str) -> None:
    config = loop(question=text)
    wire = wire_task(config, task(1, row={text: text, "n": float("nan"), "b": True}, reason=text))
    assert interface(config) == interface(loop())
    assert wire["data"]["why"] == wire["data"]["question"] == text
    assert wire["data"]["row"]["n"] == "nan"
    assert wire["data"]["row"]["b"] == "true"
    assert next(iter(wire["data"]["row"])) == text
