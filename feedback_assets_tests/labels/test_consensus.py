"""One label out of what several people said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.labels.consensus import COLUMNS, consensus
from feedback_assets.labels.votes import Votes
from feedback_assets_tests.labels.crowds import crowd


def said(*rows: tuple[str, str, str | None], **columns: list[object]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["prediction_id", "annotator", "value"], dtype=object)
    return frame.assign(**columns)


def of(made: pd.DataFrame, name: str) -> pd.Series:
    return made.set_index("prediction_id").loc[name]


def test_one_person_says_it() -> None:
    made = consensus(said(("r1", "ann", "1"), ("r2", "ann", None)), "binary")
    assert list(made.columns) == list(COLUMNS)
    (row,) = made.to_dict("records")
    assert (row["value"], row["answers"], row["annotator"]) == ("1", 1, "ann")
    assert row["unanimous"]
    assert row["settled"]
    assert 0.6 < row["confidence"] < 1


def test_nobody_said_anything() -> None:
    assert consensus(said(("r1", "ann", None)), "binary").empty
    assert consensus(said(), "regression").empty


def test_the_last_word_of_a_person_counts() -> None:
    made = consensus(said(("r", "ann", "1"), ("r", "bob", "0"), ("r", "ann", "0")), "binary")
    assert of(made, "r")[["value", "answers", "unanimous"]].tolist() == ["0", 2, True]
    assert pd.isna(of(made, "r")["annotator"])


def test_a_tie_is_not_settled_until_a_third_speaks() -> None:
    two = said(("r", "ann", "1"), ("r", "bob", "0"))
    assert not of(consensus(two, "binary"), "r")["settled"]
    three = pd.concat([two, said(("r", "cy", "0"))])
    assert of(consensus(three, "binary"), "r")[["value", "settled"]].tolist() == ["0", True]


def test_rare_classes_are_not_talked_away() -> None:
    """What everybody said stands, though the class is rare and few have spoken."""
    rows = [(f"r{i}", "ann", "1" if i == 7 else "0") for i in range(60)]
    made = consensus(said(*rows), "binary")
    assert of(made, "r7")["value"] == "1"
    assert of(made, "r7")["settled"]


def test_who_lies_is_not_settled() -> None:
    """Golden rows told that `eve` answers the wrong way round; alone she settles nothing."""
    golden = [(f"g{i}", "eve", str(i % 2)) for i in range(30)]
    frame = said(*golden, ("r", "eve", "1"))
    frame["known"] = [str(1 - i % 2) for i in range(30)] + [None]
    row = of(consensus(frame, "binary"), "r")
    assert not row["settled"]
    assert row["confidence"] < 0.4
    assert of(consensus(frame, "binary"), "g3")["value"] == "0"


def test_better_than_the_majority_and_confidence_is_true() -> None:
    right = {"knows": 0.98, "a": 0.55, "b": 0.55, "c": 0.7, "d": 0.9}
    frame = crowd(9_000, 2_000, right, seed=8, names=("x", "y", "z"))
    labels = frame[frame["said"] == "label"].drop(columns="known")
    made = consensus(labels, "multiclass", ["x", "y", "z"])
    truth = made["prediction_id"].map(frame.groupby("prediction_id")["truth"].first())
    hit = (made["value"] == truth).to_numpy()
    votes = labels.groupby("prediction_id")["value"].agg(lambda said: said.mode().iloc[0])
    majority = (made["prediction_id"].map(votes) == truth).mean()
    assert hit.mean() > majority + 0.02
    assert abs(hit.mean() - made["confidence"].mean()) < 0.03


def test_numbers_are_medians() -> None:
    frame = said(("r", "a", "1.0"), ("r", "b", "2.5"), ("r", "c", "90.0"), ("s", "a", "-0.0"))
    made = consensus(frame, "regression")
    assert of(made, "r")[["value", "answers"]].tolist() == ["2.5", 3]
    assert of(made, "r")["spread"] == pytest.approx(1.5 * 1.4826)
    assert of(made, "s")["value"] == "0.0"
    assert np.isnan(of(made, "s")["spread"])
    assert made["confidence"].isna().all()
    golden = consensus(frame.assign(known=[None, "4.0", None, None]), "regression")
    assert of(golden, "r")["value"] == "4.0"


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(ValueError, match=r"'maybe', not one of 0, 1"):
        consensus(said(("r", "ann", "maybe")), "binary")
    with pytest.raises(ValueError, match="annotator is null"):
        Votes.of(["r"], [None], ["1"])


answers = st.lists(
    st.tuples(st.sampled_from("rstuv"), st.sampled_from(["a", "b", "c"]), st.sampled_from("xyz")),
    min_size=1,
    max_size=40,
)


@given(answers)
def test_every_row_once_and_a_value_that_somebody_gave(rows: list[tuple[str, str, str]]) -> None:
    made = consensus(said(*rows), "multiclass", ["x", "y", "z"])
    assert made["prediction_id"].tolist() == list(dict.fromkeys(row[0] for row in rows))
    assert made["confidence"].between(0, 1).all()
    last = {(item, who): value for item, who, value in rows}
    for row in made.itertuples():
        given_ = [value for (item, _), value in last.items() if item == row.prediction_id]
        assert row.answers == len(given_)
        if row.unanimous:
            assert given_[0] == row.value
