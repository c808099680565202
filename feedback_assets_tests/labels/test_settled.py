"""When people's answers become a label, and which."""

import datetime as dt

import pandas as pd
import pytest

from feedback_assets.labels.settled import MORE, Settled, settle
from feedback_assets_tests.promotion.loops import loop_config

NOW = dt.datetime(2024, 1, 10, tzinfo=dt.UTC)
CONFIG = loop_config("binary")


def answer(row: str, who: str, value: str | None = "1", **more) -> dict:
    said = {
        "prediction_id": row, "task_id": f"t-{row}", "annotator": who,
        "said": "skip" if value is None else "label", "value": value,
        "received_at": NOW - dt.timedelta(hours=more.pop("hours", 1)),
        "strategy": "entropy", "known": None, "answers": 1,
        "closes_at": NOW + dt.timedelta(days=3),
    }  # fmt: skip
    return said | more


def settled(*answers: dict, told: tuple = (), audited: tuple = ()) -> Settled:
    before = pd.DataFrame(told, columns=["prediction_id", "value", "source", "received_time"])
    before["received_time"] = pd.to_datetime(before["received_time"], utc=True)
    return settle(CONFIG, pd.DataFrame(answers), before, audited, NOW)


def labels(*answers: dict, **more) -> pd.DataFrame:
    return settled(*answers, **more).labels


def test_one_answer_is_a_label_where_one_is_asked_for() -> None:
    (found,) = labels(answer("a", "ann")).to_dict("records")
    assert (found["prediction_id"], found["kind"], found["value"]) == ("a", "label", "1")
    assert (found["source"], found["principal"]) == ("review", "person:ann")
    assert found["received_time"] == NOW - dt.timedelta(hours=1)
    assert 0.5 < found["confidence"] <= 1


def test_the_audit_is_a_source_of_its_own() -> None:
    found = labels(answer("a", "ann", strategy="audit"), answer("b", "ann"), audited=("a",))
    assert found["source"].tolist() == ["audit", "review"]


def test_a_row_that_the_audit_draws_later_is_told_again_from_then_on() -> None:
    told = (("a", "1", "review", NOW - dt.timedelta(hours=1)),)
    assert labels(answer("a", "ann"), told=told).empty
    (found,) = labels(answer("a", "ann"), told=told, audited=("a",)).to_dict("records")
    assert (found["source"], found["value"], found["received_time"]) == ("audit", "1", NOW)
    told += (("a", "1", "audit", NOW),)
    assert labels(answer("a", "ann"), told=told, audited=("a",)).empty


def test_golden_rows_and_skips_tell_nothing() -> None:
    golden = answer("g", "ann", strategy="golden", known="1")
    assert labels(golden, answer("a", "ann", None)).empty


def test_two_are_waited_for_where_two_are_asked() -> None:
    one = answer("a", "ann", answers=2)
    assert labels(one).empty
    (found,) = labels(one, answer("a", "bob", answers=2)).to_dict("records")
    assert (found["principal"], found["answers"], found["unanimous"]) == ("people", 2, True)


def test_nobody_is_waited_for_after_the_question_is_closed() -> None:
    late = answer("a", "ann", answers=2, closes_at=NOW - dt.timedelta(minutes=1))
    assert labels(late)["value"].tolist() == ["1"]


def test_where_nothing_decides_somebody_else_is_asked_and_then_the_likeliest_is_told() -> None:
    tie = [answer("a", "ann", "1", answers=2), answer("a", "bob", "0", answers=2)]
    found = settled(*tie)
    assert found.labels.empty
    assert found.undecided == ["t-a"]
    third = answer("a", "cleo", "1", answers=3)
    assert settled(*tie, third).labels["value"].tolist() == ["1"]
    assert settled(*tie, third).undecided == []


def test_nobody_is_asked_without_end() -> None:
    people = [answer("a", f"p{i}", str(i % 2), answers=2 + max(i - 1, 0)) for i in range(2 + MORE)]
    found = settled(*people)
    assert found.undecided == []
    assert len(found.labels) == 1
    assert found.labels["confidence"].iloc[0] < 0.6


def test_no_answered_row_is_ever_left_out() -> None:
    """Hard rows that nobody agrees on would make every figure too good."""
    tie = [answer("a", "ann", "1", answers=2), answer("a", "bob", "0", answers=2)]
    closed = [row | {"closes_at": NOW} for row in tie]
    assert len(labels(*closed)) == 1


def test_when_the_next_question_closes() -> None:
    one = answer("a", "ann", answers=2)
    assert settled(one).due == one["closes_at"]
    assert settled(answer("a", "ann")).due is None


def test_what_was_told_is_not_told_again_and_a_new_answer_turns_it() -> None:
    told = (("a", "1", "review", NOW - dt.timedelta(hours=2)),)
    first = answer("a", "ann", "1", hours=2)
    assert labels(first, told=told).empty
    # The same person said otherwise later: the last word counts.
    found = labels(first, answer("a", "ann", "0", hours=1), told=told)
    assert found[["kind", "value"]].to_numpy().tolist() == [["label", "0"]]


def test_ids_are_the_same_whenever_it_is_made() -> None:
    rows = [answer(name, "ann") for name in "abc"]
    one, other = labels(*rows), labels(*reversed(rows))
    assert one["event_id"].tolist() == other["event_id"].tolist()
    assert one["event_id"].is_unique


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_other_labels(kind: str) -> None:
    values = {"regression": "2.5", "multiclass": "b"}
    frame = pd.DataFrame([answer("a", "ann", values[kind])])
    empty = pd.DataFrame(columns=["prediction_id", "value", "source", "received_time"])
    found = settle(loop_config(kind), frame, empty, (), NOW).labels
    assert found["value"].tolist() == [values[kind]]
