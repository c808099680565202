"""What is told of each person, and whose habits changed."""

import numpy as np
import pandas as pd
import pytest

from feedback_assets.labels.annotators import COLUMNS, annotator_report
from feedback_assets.labels.changes import habit_changes
from feedback_assets.labels.habits import change
from feedback_assets_tests.labels.crowds import START, crowd


def rows(*said: tuple[str, str, str | None, float], **columns: object) -> pd.DataFrame:
    """Answers of person, row, value (None: skipped) and seconds."""
    frame = pd.DataFrame(said, columns=["annotator", "prediction_id", "value", "duration_seconds"])
    at = START + pd.to_timedelta(np.arange(len(said)), unit="h")
    return frame.assign(
        **{
            "said": np.where(frame["value"].isna(), "skip", "label"),
            "annotated_at": at,
            "received_at": at,
            "saw_opinion": False,
            "known": None,
            "right": None,
            **columns,
        }
    )


def person(made: pd.DataFrame, name: str) -> pd.Series:
    return made.set_index("annotator").loc[name]


def test_what_each_did() -> None:
    frame = rows(
        ("ann", "r1", "1", 30), ("ann", "r2", "0", 90), ("ann", "r3", None, 5), ("bob", "r1", "1", 60),
        ("bob", "r2", "1", 60), ("cy", "r2", "0", 10), saw_opinion=[True] + [False] * 5,
        right=[True, None, None, False, None, None],
    )  # fmt: skip
    made = annotator_report(frame, "binary")
    assert tuple(made.columns) == COLUMNS
    assert made["annotator"].tolist() == ["ann", "bob", "cy"]
    ann = person(made, "ann")
    assert (ann["answers"], ann["skips"], ann["minutes"]) == (2, 1, 1.0)
    # r1: bob said the same; r2: one of two did.
    assert (ann["shared"], ann["agreement"]) == (2, 0.75)
    assert ann["agreement_low"] < 0.75 < ann["agreement_high"]
    assert (ann["golden"], ann["golden_right"], ann["saw_opinion"]) == (1, 1.0, 0.5)
    assert person(made, "bob")["golden_right"] == 0
    assert (person(made, "cy")["golden"], person(made, "cy")["shared"]) == (0, 1)
    assert np.isnan(person(made, "cy")["golden_right"])
    assert ann["first_at"] == START
    assert ann["last_at"] == START + pd.Timedelta(hours=2)


def test_the_last_answer_to_a_row_counts() -> None:
    frame = rows(("ann", "r", "0", 10), ("bob", "r", "1", 10), ("ann", "r", "1", 10))
    made = annotator_report(frame.sample(frac=1, random_state=0), "binary")
    assert person(made, "ann")[["answers", "agreement"]].tolist() == [1, 1.0]


def test_nobody() -> None:
    empty = rows().astype({"duration_seconds": float})
    assert annotator_report(empty, "binary").empty
    assert habit_changes(empty, "binary").empty


def test_alone_nothing_is_known_of_agreement() -> None:
    made = annotator_report(rows(("ann", "r", "1", 10)), "binary")
    assert made[["agreement", "kappa", "golden_right"]].isna().all(axis=None)


def test_skill_is_near_the_truth() -> None:
    right = {"a": 0.97, "b": 0.9, "c": 0.8, "d": 0.65}
    made = annotator_report(crowd(6_000, 1_500, right, seed=1), "binary")
    for name, share in right.items():
        assert person(made, name)["skill"] == pytest.approx(share, abs=0.04)
    assert made.set_index("annotator")["kappa"].sort_values().index.tolist() == ["d", "c", "b", "a"]
    low, high = made["golden_low"], made["golden_high"]
    assert (low < made["golden_right"]).all()
    assert (made["golden_right"] < high).all()


def test_numbers_agree_when_they_are_near() -> None:
    said = [(p, f"r{i}", str(10.0 * i + off), 5) for i in range(20) for p, off in
            (("ann", 0.0), ("bob", 0.5), ("eve", 90.0))]  # fmt: skip
    made = annotator_report(rows(*said), "regression")
    assert person(made, "ann")["agreement"] == person(made, "bob")["agreement"] == 0.5
    assert person(made, "eve")["agreement"] == 0
    assert made["kappa"].isna().all()


@pytest.mark.parametrize("rows_", [60, 200, 1_000])
def test_no_change_is_rarely_called_one(rows_: int) -> None:
    draws = [
        lambda rng: rng.normal(size=rows_),
        lambda rng: (rng.random(rows_) < 0.1).astype(float),
        lambda rng: rng.exponential(size=rows_),
    ]
    for draw in draws:
        chances = np.array([change(draw(np.random.default_rng(s))).chance for s in range(500)])
        assert (chances <= 0.05).mean() <= 0.075
        assert (chances <= 0.005).mean() <= 0.014


def test_a_change_is_found_where_it_was() -> None:
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        series = np.r_[rng.random(150) < 0.1, rng.random(100) < 0.45].astype(float)
        told = change(series)
        if told.chance < 0.001:
            found.append(told.at)
            assert told.after > told.before
    assert len(found) > 90
    assert abs(np.median(found) - 150) < 10


def test_a_large_change_does_not_hide_behind_its_own_spread() -> None:
    rng = np.random.default_rng(7)
    assert change(rng.normal(size=60) + 3 * (np.arange(60) >= 30)).chance < 1e-15


def test_constant_or_short_series_say_nothing() -> None:
    assert change(np.ones(500)).chance == 1
    assert change(np.r_[np.zeros(20), np.ones(20)]).chance == 1
    assert change(np.zeros(0)).chance == 1
    assert change(np.r_[np.zeros(40), np.ones(40)]).chance < 1e-6


def test_who_turned_is_found_and_nobody_else() -> None:
    frame = crowd(4_000, 1_200, turned={"bob": 0.5}, seed=2)
    made = habit_changes(frame, "binary")
    assert set(made["annotator"]) == {"bob"}
    (row,) = made[made["habit"] == "agreement"].to_dict("records")
    assert row["before"] > row["after"] + 0.15
    half = frame["annotated_at"].iloc[2_000]
    assert abs(row["since"] - half) < pd.Timedelta(days=2)


def test_a_steady_crowd_is_left_in_peace() -> None:
    """Thirty-six series are looked at: each alone would be called changed in one crowd of a hundred."""
    many = {f"p{i}": 0.8 + 0.01 * i for i in range(12)}
    found = [len(habit_changes(crowd(3_000, 900, many, seed=s), "binary")) for s in range(40)]
    assert sum(map(bool, found)) <= 2


def test_who_hurries_and_who_says_yes_to_all() -> None:
    frame = crowd(4_000, 4_000, seed=3)
    late = (np.arange(4_000) >= 2_000) & (frame["annotator"] == "ann")
    frame.loc[late, "duration_seconds"] /= 6
    late = (np.arange(4_000) >= 2_000) & (frame["annotator"] == "cy") & (frame["said"] == "label")
    frame.loc[late, "value"] = "1"
    made = habit_changes(frame, "binary").set_index(["annotator", "habit"])
    assert ("ann", "minutes") in made.index
    assert made.loc[("ann", "minutes"), "after"] < made.loc[("ann", "minutes"), "before"] / 4
    assert made.loc[("cy", "answers"), "about"] == "1"
    assert made.loc[("cy", "answers"), "after"] > 0.95
    assert {name for name, _ in made.index} == {"ann", "cy"}


def test_other_questions_are_no_other_habit() -> None:
    """In the second half rows are asked that are mostly 1: everybody says 1 more often, rightly."""
    rng = np.random.default_rng(4)
    chance = np.where(np.arange(3_000) < 1_500, 0.1, 0.6)
    said = [(f"p{i % 3}", f"r{i}", str(int(rng.random() < chance[i])), 20.0) for i in range(3_000)]
    frame = rows(*said)
    expected = pd.DataFrame({"1": chance, "0": 1 - chance}, index=frame["prediction_id"])
    assert not habit_changes(frame, "binary").empty
    assert habit_changes(frame, "binary", expected=expected).empty


def test_numbers_turn_too() -> None:
    rng = np.random.default_rng(5)
    said = [
        (f"p{i % 2}", f"r{i}", repr(rng.normal() + 3 * (i > 600 and i % 2)), 9.0)
        for i in range(1_200)
    ]
    made = habit_changes(rows(*said), "regression")
    assert made[["annotator", "habit"]].to_numpy().tolist() == [["p1", "answers"]]
    assert made["after"][0] - made["before"][0] == pytest.approx(3, abs=0.4)
