import datetime as dt
import hashlib
import os

import pytest

from feedback_assets.capture.contract import feedback_schema
from feedback_assets.capture.counts import Counts
from feedback_assets_tests.capture.conftest import DAY

KNOWN = "2013-02-01T12:00:00Z"
ALL = {
    "source": {
        "predictions": {"path": "{home}/predictions"},
        "feedback": {
            "path": "{home}/feedback",
            "columns": {
                "received_time": "known", "event_time": "happened", "event_id": "id",
                "kind": "kind", "source": "by", "confidence": "sure",
                "principal": "who",
            },
        },
    }
}  # fmt: skip
NO_TIME = {
    "source": {
        "predictions": {"path": "{home}/predictions"},
        "feedback": {"path": "{home}/feedback"},
    }
}


def event(identity, label, **changes):
    return {"prediction_id": identity, "label": label, "known": KNOWN, **changes}


def test_a_label_becomes_the_tables_row(loop):
    loop.configure(**ALL)
    loop.jsonl(loop.feedback / "a.jsonl", [
        event("p1", True, id="e1", happened="2013-01-30", kind="Correction", by="desk", sure=0.5, who=" ann ")
    ])  # fmt: skip

    staged = loop.answer()

    assert loop.rows(f"SELECT * FROM {staged.good}") == [(
        "e1", "p1", "correction", "1", dt.datetime(2013, 1, 30, tzinfo=dt.UTC),
        dt.datetime(2013, 2, 1, 12, tzinfo=dt.UTC), "desk", 0.5, "ann", "a.jsonl", DAY,
    )]  # fmt: skip
    columns = [name for name, *_ in loop.rows("DESCRIBE staged_good")]
    assert columns == list(feedback_schema(loop.config).columns)


@pytest.mark.parametrize(
    ("label", "given", "stored"),
    [
        ({"kind": "binary"}, [1, "no", 1.0, False], ["1", "0", "1", "0"]),
        ({"kind": "binary", "positive": "spam"}, ["spam", "ham"], ["1", "0"]),
        ({"kind": "regression"}, [2, "1e3", 0.1], ["2.0", "1000.0", "0.1"]),
        ({"kind": "multiclass", "classes": ["a", "2"]}, ["a", 2, 2.0], ["a", "2", "2"]),
    ],
)
def test_label_values_have_one_spelling(loop, label, given, stored):
    loop.configure(label=label)
    rows = [event(f"p{i}", value) for i, value in enumerate(given)]
    loop.jsonl(loop.feedback / "a.jsonl", rows)
    loop.answer()
    assert [
        v for (v,) in loop.rows("SELECT value FROM staged_good ORDER BY prediction_id")
    ] == stored


def test_parquet_and_json_of_the_same_label_agree(loop):
    loop.con.execute(f"COPY (SELECT 'p1' AS prediction_id, 1.0::DOUBLE AS label, TIMESTAMP '2013-02-01 12:00' AS known) TO '{loop.feedback}/a.parquet' (FORMAT parquet)")  # fmt: skip
    loop.answer()
    assert loop.rows("SELECT value, kind, confidence FROM staged_good") == [("1", "label", 1.0)]


def test_each_bad_event_has_its_reason(loop):
    loop.configure(**ALL)
    bad = {
        "the label is neither positive nor negative": {"label": "perhaps"},
        "the value is missing": {"label": None},
        "the rating is not a number": {"label": "good", "kind": "rating"},
        "kind is not an allowed value": {"kind": "gossip"},
        "known cannot be read as a time": {"known": "later"},
        "received_time is missing": {"known": None},
        "happened cannot be read as a time": {"happened": "once"},
        "confidence is above 1": {"sure": 2},
        "sure is not a number": {"sure": "very"},
        "prediction_id is missing": {"prediction_id": None},
    }
    rows = [{**event(f"p{i}", 1), **change} for i, change in enumerate(bad.values())]
    loop.jsonl(loop.feedback / "a.jsonl", [
        *rows, event("g1", None, kind="rejection"), event("g2", 4, kind="rating"),
    ])  # fmt: skip

    counts = loop.answer().counts[DAY]

    assert counts.reasons == dict.fromkeys(sorted(bad), 1)
    assert (counts.received, counts.stored) == (len(bad) + 2, 2)
    good = loop.rows("SELECT kind, value FROM staged_good ORDER BY prediction_id")
    assert good == [("rejection", None), ("rating", "4.0")]


def test_a_file_without_the_principals_column_is_refused(loop):
    loop.configure(**ALL)
    values = f"'p1' AS prediction_id, 1 AS label, TIMESTAMP '{DAY} 12:00' AS known, 'e1' AS id, 'label' AS kind, 'desk' AS by, 1.0 AS sure, TIMESTAMP '{DAY}' AS happened"  # fmt: skip
    loop.con.execute(f"COPY (SELECT {values}) TO '{loop.feedback}/a.parquet' (FORMAT parquet)")
    counts = loop.answer().counts[DAY]
    assert (counts.stored, sum(counts.reasons.values())) == (0, 1)
    assert "who" in next(iter(counts.reasons))


def test_nobody_passes_his_labels_off_as_answers_to_reviews_questions(loop):
    loop.configure(**ALL)
    every = {"id": None, "happened": None, "kind": None, "sure": None}
    loop.jsonl(loop.feedback / "review-a.jsonl", [
        event(f"p{i}", 1, by=by, who=who, **every) for i, (by, who) in enumerate([
            ("audit", "people"), ("review", " person:ann "), ("audit", "ann"),
            ("desk", "person:ann"), ("audit", None),
        ])
    ])  # fmt: skip

    staged = loop.answer()

    assert loop.rows(f"SELECT prediction_id FROM {staged.good} ORDER BY 1") == [
        ("p2",), ("p3",), ("p4",),
    ]  # fmt: skip
    assert loop.rows(f"SELECT reason FROM {staged.bad} ORDER BY source_row") == [
        ("source audit of principal people is kept for answers to review's own questions",),
        ("source review of principal person:ann is kept for answers to review's own questions",),
    ]


def test_two_principals_who_say_the_same_are_two_events_and_nobody_is_as_before(loop):
    loop.configure(source={**ALL["source"], "feedback": {
        "path": "{home}/feedback", "columns": {"received_time": "known", "principal": "who"},
    }})  # fmt: skip
    said = [event("p1", 1, who="ann"), event("p1", 1, who="bob"), event("p1", 1, who=" ")]
    loop.jsonl(loop.feedback / "a.jsonl", said)
    loop.answer()
    found = dict(loop.rows("SELECT coalesce(principal, ''), event_id FROM staged_good"))
    assert set(found) == {"ann", "bob", ""}
    assert len(set(found.values())) == 3
    loop.configure(source={**ALL["source"], "feedback": {
        "path": "{home}/feedback", "columns": {"received_time": "known"},
    }})  # fmt: skip
    loop.jsonl(loop.feedback / "a.jsonl", said[2:])
    loop.answer()
    assert loop.rows("SELECT event_id FROM staged_good") == [(found[""],)]
    parts = ["2:p1", ":", "1:1", ":", "22:2013-02-01 12:00:00+00", ":", ":"]
    # The id that releases without principals made of the same row.
    made = hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()
    assert found[""] == made


def test_events_sent_twice_count_once(loop):
    loop.jsonl(loop.feedback / "a.jsonl", [event("p1", 1), event("p1", 1), event("p1", 0)])
    loop.jsonl(loop.feedback / "b.jsonl", [event("p1", 1)])

    counts = loop.answer().counts[DAY]

    assert counts == Counts(2, 2, reasons={"duplicate event": 2})
    assert loop.rows("SELECT value FROM staged_good ORDER BY 1") == [("0",), ("1",)]


def test_ids_made_from_content_are_stable_and_cannot_run_together(loop):
    loop.jsonl(loop.feedback / "a.jsonl", [event("p1", 1), event("p", "11")])
    loop.configure(label={"kind": "multiclass", "classes": ["1", "11"]})
    loop.answer()
    first = loop.rows("SELECT event_id FROM staged_good ORDER BY prediction_id")
    loop.answer()
    assert loop.rows("SELECT event_id FROM staged_good ORDER BY prediction_id") == first
    assert len(set(first)) == 2


def test_rows_of_a_history_whose_label_is_unknown_are_counted_not_refused(loop):
    (loop.feedback / f"{DAY}.csv").write_text(f"prediction_id,label,known\np1,1,{KNOWN}\np2,,\n")
    assert loop.answer().counts[DAY] == Counts(stored=1, blank=1)


def test_without_a_received_time_the_files_last_change_counts(loop):
    loop.configure(**NO_TIME)
    path = loop.jsonl(loop.feedback / "a.jsonl", [{"prediction_id": "p1", "label": 1}, {}])
    with path.open("a") as file:
        file.write("nonsense\n")
    moment = dt.datetime(2013, 2, 1, 7, tzinfo=dt.UTC)
    os.utime(path, (moment.timestamp(), moment.timestamp()))

    counts = loop.answer(DAY, "2013-02-02").counts

    assert (counts[DAY].stored, counts[DAY].quarantined) == (1, 2)
    assert counts["2013-02-02"] == Counts()
    assert loop.rows("SELECT event_time, received_time FROM staged_good") == [(moment, moment)]
    later = dt.datetime(2013, 2, 1, 6, tzinfo=dt.UTC)
    assert loop.answer(as_of=later).counts[DAY].stored == 0


def test_a_label_received_later_is_not_there_yet(loop):
    loop.jsonl(
        loop.feedback / "a.jsonl", [event("p1", 1), event("p2", 1, known="2013-02-01T13:00")]
    )
    then = loop.answer(as_of=dt.datetime(2013, 2, 1, 12, 30, tzinfo=dt.UTC)).counts[DAY]
    assert then == Counts(stored=1, future=1)


def test_a_missing_value_column_is_said(loop):
    (loop.feedback / "a.csv").write_text(f"prediction_id,outcome,known\np1,1,{KNOWN}\n")
    reasons = loop.answer().counts[DAY].reasons
    assert reasons == {
        "column label is missing from a.csv; it has: prediction_id, outcome, known": 1
    }


def test_the_label_of_an_unknown_prediction_is_kept(loop):
    loop.jsonl(loop.feedback / "a.jsonl", [event("never predicted", 1)])
    assert loop.answer().total == Counts(stored=1)
