import datetime as dt
import json
import os

import pytest

from feedback_assets.capture.contract import prediction_schema
from feedback_assets.capture.counts import Counts
from feedback_assets_tests.capture.conftest import DAY

NEXT = "2013-02-02"


def test_a_good_row_becomes_the_tables_row(loop, row):
    loop.jsonl(loop.predictions / "a.jsonl", [row("p1")])

    staged = loop.predict()

    moment = dt.datetime(2013, 2, 1, 10, tzinfo=dt.UTC)
    assert loop.rows(f"SELECT * FROM {staged.good}") == [
        ("p1", moment, moment, "1", "served", 1.0, 0.25, 0, 100.0, "UA", "a.jsonl", DAY)
    ]
    columns = [name for name, *_ in loop.rows(f"DESCRIBE {staged.good}")]
    assert columns == list(prediction_schema(loop.config).columns)
    assert staged.total == Counts(stored=1)
    assert [file.name for file in staged.files] == ["a.jsonl"]


def test_each_bad_row_goes_to_quarantine_with_its_reason_and_content(loop, row):
    loop.configure(columns={"rules": {"distance": {"min": 0, "required": True},
                                      "carrier": {"allowed": ["UA", "AA"]}}})  # fmt: skip
    bad = {
        "distance is not a number": {"distance": "far"},
        "distance is below 0": {"distance": -1},
        "distance is missing": {"distance": None},
        "carrier is not an allowed value": {"carrier": "ZZ"},
        "score is above 1": {"score": 1.5},
        "prediction is neither positive nor negative": {"prediction": "perhaps"},
        "event_time cannot be read as a time": {"event_time": "soon"},
        "event_time is missing": {"event_time": None},
        "prediction_id is missing": {"prediction_id": None},
    }
    rows = [row(f"p{i}", **change) for i, change in enumerate(bad.values())]
    loop.jsonl(loop.predictions / "a.jsonl", [*rows, row("good")])

    staged = loop.predict()

    assert staged.counts[DAY] == Counts(1, len(bad), reasons=dict.fromkeys(sorted(bad), 1))
    found = loop.rows("SELECT reason, source_file, source_row, payload FROM staged_bad ORDER BY 3")
    assert [(r, f, n) for r, f, n, _ in found] == [
        (reason, "a.jsonl", i + 1) for i, reason in enumerate(bad)
    ]
    assert json.loads(found[0][3])["distance"] == "far"
    assert loop.rows("SELECT count(*) FROM staged_bad WHERE received_time IS NULL") == [(0,)]


def test_an_unreadable_file_is_one_entry_and_stops_nobody(loop, row):
    (loop.predictions / f"{DAY}.parquet").write_bytes(b"PAR1 nonsense PAR1")
    (loop.predictions / f"{DAY}.csv.gz").write_bytes(b"nonsense")
    loop.jsonl(loop.predictions / "a.jsonl", [row("p1")])

    counts = loop.predict().counts[DAY]

    assert (counts.stored, counts.quarantined) == (1, 2)
    entries = loop.rows("SELECT source_file, source_row, reason FROM staged_bad ORDER BY 1")
    assert [(name, n) for name, n, _ in entries] == [(f"{DAY}.csv.gz", 0), (f"{DAY}.parquet", 0)]
    assert all("cannot be read" in reason for *_, reason in entries)


def test_a_file_damaged_inside_spares_the_files_like_it(loop):
    query = "SELECT range::VARCHAR AS prediction_id, TIMESTAMP '2013-02-01 01:00' AS event_time, random() AS distance, 'UA' AS carrier FROM range({}, {})"
    loop.parquet("a.parquet", query.format(0, 5_000))
    damaged = loop.parquet(f"{DAY}.parquet", query.format(5_000, 10_000))
    content = bytearray(damaged.read_bytes())
    content[20:4_000] = os.urandom(3_980)
    damaged.write_bytes(bytes(content))

    counts = loop.predict().counts[DAY]

    assert (counts.stored, counts.quarantined) == (5_000, 1)
    assert loop.rows("SELECT source_file FROM staged_bad") == [(f"{DAY}.parquet",)]


def test_a_missing_column_says_which_and_what_there_is(loop):
    query = "SELECT 'p' || range AS prediction_id, TIMESTAMP '2013-02-01' AS event_time, 'UA' AS carrier"
    loop.parquet("bad.parquet", f"{query} FROM range(3)")
    (loop.predictions / "bad.csv").write_text("prediction_id,event_time,carrier\nx,2013-02-01,UA\n")
    loop.parquet("good.parquet", f"{query}, 1 AS distance FROM range(10, 12)")

    counts = loop.predict().counts[DAY]

    has = "it has: prediction_id, event_time, carrier"
    assert (counts.stored, counts.quarantined) == (2, 4)
    assert counts.reasons == {
        f"column distance is missing from bad.parquet; {has}": 3,
        f"column distance is missing from bad.csv; {has}": 1,
    }


def test_without_a_time_column_the_file_tells_the_day(loop):
    loop.parquet(f"{DAY}.parquet", "SELECT 'p' AS prediction_id, 1 AS distance, 'UA' AS carrier")
    counts = loop.predict(DAY, NEXT).counts
    assert (counts[DAY].quarantined, counts[NEXT].quarantined) == (1, 0)
    assert "column event_time is missing" in next(iter(counts[DAY].reasons))


def test_a_changed_type_is_read_where_it_can_be_and_refused_where_not(loop):
    query = "SELECT '{}' AS prediction_id, TIMESTAMP '2013-02-01' AS event_time, 'UA' AS carrier, {} AS distance"
    loop.parquet("a.parquet", query.format("text", "'12.5'"))
    loop.parquet("b.parquet", query.format("words", "'far'"))
    loop.parquet("c.parquet", query.format("list", "[1, 2]"))
    loop.parquet("d.parquet", query.format("date", "DATE '2013-01-01'"))
    loop.parquet("e.parquet", query.format("float", "1::FLOAT"))

    counts = loop.predict().counts[DAY]

    good = loop.rows("SELECT prediction_id, distance FROM staged_good ORDER BY 1")
    assert good == [("float", 1.0), ("text", 12.5)]
    assert counts.reasons == {
        "distance is not a number": 1,
        "column distance has type INTEGER[], not a number": 1,
        "column distance has type DATE, not a number": 1,
    }


@pytest.mark.parametrize("null", ["NULL", "NULL::DOUBLE", "NULL::VARCHAR", "'nan'::DOUBLE"])
def test_an_all_null_feature_is_stored_as_null(loop, null):
    loop.parquet("a.parquet", f"SELECT 'p' || range AS prediction_id, TIMESTAMP '2013-02-01' AS event_time, {null} AS distance, NULL AS carrier FROM range(3)")  # fmt: skip

    assert loop.predict().total == Counts(stored=3)
    assert loop.rows("SELECT DISTINCT distance, carrier FROM staged_good") == [(None, None)]


def test_an_all_null_required_column_is_refused(loop):
    loop.configure(columns={"rules": {"carrier": {"required": True}}})
    loop.parquet("a.parquet", "SELECT 'p' || range AS prediction_id, TIMESTAMP '2013-02-01' AS event_time, 1 AS distance, NULL AS carrier FROM range(3)")  # fmt: skip
    assert loop.predict().counts[DAY].reasons == {"carrier is missing": 3}


def test_an_empty_day_is_empty(loop, row):
    loop.jsonl(loop.predictions / "a.jsonl", [row("p1")])
    (loop.predictions / "empty.csv").write_text("")

    staged = loop.predict(NEXT)

    assert staged.counts == {NEXT: Counts()}
    assert loop.rows("SELECT count(*) FROM staged_good") == [(0,)]


def test_an_empty_source_stages_nothing(loop):
    assert loop.predict().total == Counts()


def test_of_rows_with_one_id_the_first_received_stays(loop, row):
    loop.configure(columns={"received_time": "seen"})
    loop.jsonl(loop.predictions / "a.jsonl", [
        row("p1", seen="2013-02-01T12:00", distance=2),
        row("p1", seen="2013-02-01T11:00", distance=1),
        row("p2", seen="2013-02-01T11:00", distance=3),
    ])  # fmt: skip
    loop.jsonl(loop.predictions / "b.jsonl", [row("p2", seen="2013-02-01T11:00", distance=4)])

    staged = loop.predict()

    assert loop.rows("SELECT prediction_id, distance FROM staged_good ORDER BY 1") == [
        ("p1", 1.0), ("p2", 3.0),
    ]  # fmt: skip
    assert staged.counts[DAY] == Counts(2, 2, reasons={"duplicate id": 2})
    refused = loop.rows("SELECT source_file, source_row, payload FROM staged_bad ORDER BY 1")
    assert [entry[:2] for entry in refused] == [("a.jsonl", 1), ("b.jsonl", 1)]
    assert json.loads(refused[0][2])["distance"] == 2.0


def test_a_bad_row_never_pushes_out_a_good_one(loop, row):
    loop.jsonl(loop.predictions / "a.jsonl", [row("p1", distance="far"), row("p1", distance=7)])
    assert loop.predict().counts[DAY].reasons == {"distance is not a number": 1}
    assert loop.rows("SELECT distance FROM staged_good") == [(7.0,)]


def test_what_was_not_received_by_then_is_not_there_yet(loop, row):
    loop.configure(columns={"received_time": "seen"})
    loop.jsonl(loop.predictions / "a.jsonl", [
        row("early", seen="2013-02-01T12:00"),
        row("late", seen="2013-02-03T12:00"),
        row("late and bad", seen="2013-02-03T12:00", distance="far"),
        row("early", seen="2013-02-03T00:00"),
    ])  # fmt: skip

    then = loop.predict(as_of=dt.datetime(2013, 2, 2, tzinfo=dt.UTC)).counts[DAY]
    later = loop.predict(as_of=dt.datetime(2013, 2, 4, tzinfo=dt.UTC)).counts[DAY]

    assert then == Counts(stored=1, future=3)
    assert later == Counts(2, 2, reasons={"distance is not a number": 1, "duplicate id": 1})


def test_days_staged_together_are_the_days_staged_alone(loop):
    loop.parquet("a.parquet", "SELECT 'p' || (range % 40) AS prediction_id, TIMESTAMP '2013-02-01' + to_hours(CAST(range AS INTEGER)) AS event_time, CASE WHEN range % 7 > 0 THEN range::VARCHAR ELSE 'bad' END AS distance, 'UA' AS carrier FROM range(72)")  # fmt: skip
    (loop.predictions / "b.csv").write_text(
        "prediction_id,event_time,distance,carrier\nq1,2013-02-03 01:00,1,UA\nq2,?,1,UA\nq3\n"
    )
    days = [DAY, NEXT, "2013-02-03"]
    good = "SELECT * FROM staged_good ORDER BY partition_key, prediction_id"

    together = loop.predict(*days)
    at_once = loop.rows(good)
    alone, one_by_one = {}, []
    for day in days:
        alone |= loop.predict(day).counts
        one_by_one += loop.rows(good)

    assert together.counts == alone
    assert at_once == one_by_one
    assert together.total.received == 72 + 3
    assert together.counts["2013-02-03"].quarantined_share > 0


def test_rows_without_a_time_belong_to_the_earliest_day_of_their_file(loop, row):
    loop.jsonl(loop.predictions / "2013-02-09.jsonl", [
        row("p1", event_time="2013-02-02T00:00Z"), row("p2", event_time="?"), row("p3"),
    ])  # fmt: skip
    counts = loop.predict(DAY, NEXT, "2013-02-09").counts
    assert [c.quarantined for c in counts.values()] == [1, 0, 0]


def test_only_files_that_can_hold_the_day_are_read(loop):
    for day in (DAY, NEXT):
        loop.parquet(f"x{day}.parquet", f"SELECT 'p' AS prediction_id, TIMESTAMP '{day} 03:00' AS event_time, 1 AS distance, 'UA' AS carrier")  # fmt: skip
    assert [file.name for file in loop.predict(NEXT).files] == [f"x{NEXT}.parquet"]


def test_a_history_file_needs_no_answers(loop):
    loop.parquet("a.parquet", "SELECT 7 AS prediction_id, DATE '2013-02-01' AS event_time, 1 AS distance, 1.0 AS carrier")  # fmt: skip
    loop.predict()
    found = loop.rows(
        "SELECT prediction_id, model_version, role, score, prediction, carrier FROM staged_good"
    )
    assert found == [("7", None, "history", None, None, "1.0")]


def test_roles_propensities_and_carried_columns(loop, row):
    loop.configure(columns={"role": "role", "propensity": "p", "segments": ["region", "carrier"]})
    loop.jsonl(loop.predictions / "a.jsonl", [
        row("1", role=" Shadow", p=0.5, region="north"),
        row("2", role=None, p=None, region=None),
        row("3", role="boss", p=1, region="x"),
        row("4", role="served", p=0, region="x"),
    ])  # fmt: skip
    staged = loop.predict()
    good = loop.rows("SELECT role, propensity, region FROM staged_good ORDER BY prediction_id")
    assert good == [("shadow", 0.5, "north"), ("served", 1.0, None)]
    assert staged.total.reasons == {
        "propensity is not above 0": 1,
        "role is not an allowed value": 1,
    }


def test_regression_takes_score_and_prediction_for_each_other(loop, row):
    loop.configure(label={"kind": "regression"})
    loop.jsonl(loop.predictions / "a.jsonl", [
        row("1", score=12.5), row("2", score=None, prediction=3), row("3", score="inf"),
    ])  # fmt: skip
    staged = loop.predict()
    good = loop.rows("SELECT score, prediction FROM staged_good ORDER BY prediction_id")
    assert good == [(12.5, 12.5), (3.0, 3.0)]
    assert staged.total.reasons == {"score is infinite": 1}


def test_multiclass_scores_imply_the_answer(loop, row):
    loop.configure(
        label={"kind": "multiclass", "classes": ["a", "b"]},
        columns={"score": None, "class_scores": {"a": "p_a", "b": "p_b"}},
    )
    loop.jsonl(loop.predictions / "a.jsonl", [
        row("1", p_a=0.3, p_b=0.7), row("2", p_a=0.6, p_b=0.4, prediction="b"),
        row("3", p_a=0.5, p_b=0.5, prediction="z"), row("4", p_a=2, p_b=0),
    ])  # fmt: skip
    staged = loop.predict()
    good = loop.rows(
        "SELECT score, score_a, score_b, prediction FROM staged_good ORDER BY prediction_id"
    )
    assert good == [(0.7, 0.3, 0.7, "b"), (0.6, 0.6, 0.4, "b")]
    assert staged.total.reasons == {
        "prediction is not one of the classes": 1,
        "score is above 1": 1,
    }


@pytest.mark.parametrize(
    ("grain", "keys"),
    [("hourly", ["2013-02-01T10", "2013-02-01T11"]), ("weekly", ["2013-01-28", "2013-02-04"])],
)
def test_other_grains(loop, row, grain, keys):
    loop.configure(partitions={"grain": grain})
    loop.jsonl(loop.predictions / "a.jsonl", [
        row("1"), row("2", event_time="2013-02-01T11:59:59.999999Z"),
        row("3", event_time="2013-02-04T00:00Z"),
    ])  # fmt: skip
    counts = loop.predict(*keys).counts
    assert [c.stored for c in counts.values()] == ([1, 1] if grain == "hourly" else [2, 1])
    assert {k for (k,) in loop.rows("SELECT DISTINCT partition_key FROM staged_good")} == set(keys)


def test_hostile_names_and_texts_are_only_names_and_texts(loop, row):
    name = "di\"st'); DROP"
    loop.configure(columns={"numeric": [name, "line", "reason", "filename"]})
    loop.jsonl(loop.predictions / "it's.jsonl", [
        row("'; --", **{name: 1, "line": 2, "reason": 3, "filename": 4}),
        row("x", **{name: "<script>", "line": 1, "reason": 1, "filename": "y" * 2_000}),
    ])  # fmt: skip
    staged = loop.predict()
    assert staged.counts[DAY] == Counts(1, 1, reasons={f"{name} is not a number": 1})
    payload = loop.rows("SELECT payload FROM staged_bad")[0][0]
    assert json.loads(payload)["filename"] == "y" * 500


def test_staging_needs_a_time_zone(loop):
    with pytest.raises(ValueError, match="no time zone"):
        loop.predict(as_of=dt.datetime(2013, 1, 1))  # noqa: DTZ001
