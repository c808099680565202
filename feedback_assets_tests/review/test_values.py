"""One spelling of what people say, equal to the one that the feedback's intake makes."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.capture.convert import answer
from feedback_assets.config.schema import Label
from feedback_assets.errors import ReviewError
from feedback_assets.review.values import named, recorded, spelled

BINARY = Label(kind="binary")
SPAM = Label(kind="binary", positive="spam")
CODE = Label(kind="binary", positive="2")
CLASSES = Label(kind="multiclass", classes=["1", "2", "cat"])
NUMBER = Label(kind="regression")


@pytest.mark.parametrize(
    ("label", "said", "value"),
    [
        (BINARY, True, "1"), (BINARY, "No", "0"), (BINARY, 1.0, "1"), (BINARY, " 0 ", "0"),
        (SPAM, "Spam", "1"), (SPAM, "not spam", "0"), (SPAM, "1", "1"), (CODE, "1", "1"), (CODE, 2, "1"),
        (CLASSES, "cat", "cat"), (CLASSES, 2.0, "2"),
        (NUMBER, "1e1", "10.0"), (NUMBER, 3, "3.0"), (NUMBER, "-0", "0.0"),
    ],
)  # fmt: skip
def test_labels_have_one_spelling(label: Label, said: object, value: str) -> None:
    assert spelled(label, said) == value


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (BINARY, "maybe"), (BINARY, ""), (BINARY, None), (SPAM, " "), (SPAM, "unsure"), (CODE, "3"), (CLASSES, "dog"),
        (CLASSES, "Cat"), (NUMBER, "nan"), (NUMBER, "inf"), (NUMBER, "1,5"), (NUMBER, float("nan")),
    ],
)  # fmt: skip
def test_what_is_no_label_is_refused(label: Label, said: object) -> None:
    with pytest.raises(ReviewError, match="label"):
        spelled(label, said)


def test_what_people_read_is_taken_for_what_it_means() -> None:
    words = {"1": "late", "0": "In time"}
    assert [spelled(BINARY, said, words) for said in ("Late", "in time", "1")] == ["1", "0", "1"]
    assert spelled(CLASSES, "feline", {"cat": "Feline"}) == "cat"
    with pytest.raises(ReviewError, match="'lat'"):
        spelled(SPAM, "lat", words)


@given(
    label=st.sampled_from([BINARY, SPAM, CODE, CLASSES, NUMBER]),
    said=st.sampled_from(
        ["1", "0", "1.0", "0.0", "true", "False", "YES", "n", "spam", "ham", "2", "2.00", "cat",
         "-3.25", "1e-7", "123456789.125", "x", "t"]
    ),
)  # fmt: skip
def test_the_feedback_intake_spells_alike(label: Label, said: str) -> None:
    made = answer("said", label, "the label")
    found = duckdb.execute(f"SELECT {made.value} FROM (SELECT ? AS said)", [said]).fetchall()[0][0]
    try:
        mine = recorded(label, said)
    except ReviewError:
        mine = None
    assert mine == found


@pytest.mark.parametrize("name", ["", "  ", "person:ann", "a\nb", "x" * 101])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(ReviewError, match="annotator"):
        named(name)


def test_blanks_around_a_name_are_nothing() -> None:
    assert named(" ann@example.com ") == "ann@example.com"
