"""The feedback table's query does what a slow, plain reading of the rules does."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedback_assets.labels.join import LEAD, affected_partitions_sql, feedback_table_sql
from feedback_assets.tables.connection import connect
from feedback_assets_tests.promotion.loops import loop_config

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
HORIZON_DAYS = 3.0
AS_OF = START + dt.timedelta(days=4)
HOUR = dt.timedelta(hours=1)
SPELLING = {"binary": int, "multiclass": str, "regression": float}
VALUES = {"binary": ["0", "1"], "multiclass": ["a", "b", "c"], "regression": ["0.5", "2.0", "-1.0"]}


@dataclass(frozen=True)
class Asked:
    """A prediction."""

    id: str
    at: dt.datetime

    @property
    def day(self) -> str:
        return f"{self.at:%Y-%m-%d}"


@dataclass(frozen=True)
class Heard:
    """A feedback event."""

    id: str
    about: str
    kind: str
    value: str
    at: dt.datetime
    source: str = "someone"

    @property
    def by(self) -> str:
        """Who said it: another one for each event, but people when they answer a question."""
        if self.source == "audit":
            return "people"
        return f"by {self.id} at {self.at:%d %H:%M:%S.%f}"


def hours(number: int) -> dt.datetime:
    return START + number * HOUR


def event(
    number: int, kind: str = "label", value: str = "1", named: str | None = None, about: str = "p0"
) -> Heard:
    """What was heard `number` hours after the start."""
    return Heard(named or f"e{number:04d}", about, kind, value, hours(number))


P0 = Asked("p0", START)


def oracle(
    kind: str, asked: Sequence[Asked], heard: Sequence[Heard], as_of: dt.datetime
) -> dict[str, dict[str, Any]]:
    """The rules one by one, for one prediction after the other."""
    table = {}
    for prediction in asked:
        known = [
            e
            for e in heard
            if e.about == prediction.id
            and e.at <= as_of
            and -LEAD <= e.at - prediction.at <= dt.timedelta(days=HORIZON_DAYS)
        ]
        first: dict[str, Heard] = {}
        for e in sorted(known, key=lambda e: (e.at, e.kind, e.value, e.source)):
            first.setdefault(e.id, e)
        known = list(first.values())
        answered = max((e.at for e in known if e.by == "people"), default=None)
        known = [e for e in known if e.by != "people" or e.at == answered]
        said = [e for e in known if e.kind in ("label", "correction")]
        if any(e.source != "review" for e in said):  # who may judge is heeded alone
            known = [e for e in known if e.source != "review" or e.kind == "rating"]
        labels = [e for e in known if e.kind in ("label", "correction")]
        corrections = [e for e in labels if e.kind == "correction"]
        deciding = corrections or labels
        rejections = [e.at for e in known if e.kind == "rejection"]
        ratings = sorted((e.at, e.id, e.value) for e in known if e.kind == "rating")
        best = max(deciding, key=lambda e: (e.at, e.id), default=None)
        rejected = bool(rejections) and all(e.at <= max(rejections) for e in labels)
        values = sorted({e.value for e in deciding})
        table[prediction.id] = {
            "label": SPELLING[kind](best.value) if best and not rejected else None,
            "label_status": "rejected" if rejected else "accepted" if best else "pending",
            "label_received_time": best.at if best else None,
            "label_delay_days": (best.at - prediction.at) / dt.timedelta(days=1) if best else None,
            "label_principal": best.by if best else None,
            "label_confidence": 0.5 if best else None,
            "label_count": len({e.id for e in said}),
            "label_conflict": len(values) > 1,
            "labels_seen": (f"{values[0]} | {values[-1]}" if len(values) > 1 else "".join(values))
            or None,
            "rating": float(ratings[-1][2]) if ratings else None,
        }
    return table


def relations(
    con: duckdb.DuckDBPyConnection, asked: Sequence[Asked], heard: Sequence[Heard]
) -> None:
    """The tables `predictions` and `events` of `con`."""
    con.execute(
        "CREATE OR REPLACE TABLE predictions (prediction_id VARCHAR, event_time TIMESTAMPTZ, "
        "source_file VARCHAR, partition_key VARCHAR, score DOUBLE, prediction VARCHAR)"
    )
    con.execute(
        "CREATE OR REPLACE TABLE events (event_id VARCHAR, prediction_id VARCHAR, kind VARCHAR, "
        "value VARCHAR, source VARCHAR, event_time TIMESTAMPTZ, received_time TIMESTAMPTZ, "
        "principal VARCHAR, confidence DOUBLE)"
    )
    insert(con, "predictions", [[p.id, p.at, "f", p.day, 0.9, "1"] for p in asked])
    rows = [[e.id, e.about, e.kind, e.value, e.source, e.at, e.at, e.by, 0.5] for e in heard]
    insert(con, "events", rows)


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        marks = f"({', '.join('?' * len(rows[0]))})"
        values = [value for row in rows for value in row]
        con.execute(f"INSERT INTO {table} VALUES {', '.join([marks] * len(rows))}", values)


@pytest.fixture(scope="module")
def con() -> Any:
    with connect() as connection:
        yield connection


def join(
    con: duckdb.DuckDBPyConnection,
    kind: str,
    asked: Sequence[Asked],
    heard: Sequence[Heard],
    as_of: dt.datetime = AS_OF,
) -> dict[str, dict[str, Any]]:
    """The query's answer by prediction."""
    relations(con, asked, heard)
    config = loop_config(kind, label={"max_delay_days": HORIZON_DAYS})
    result = con.execute(feedback_table_sql(config, "predictions", "events", as_of))
    names = [column[0] for column in result.description or []]
    assert "source_file" not in names
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    table = {row["prediction_id"]: row for row in rows}
    assert len(table) == len(rows), "a prediction is there twice"
    return table


def compared(table: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The columns that the oracle speaks of."""
    names = oracle("binary", [P0], [], AS_OF)["p0"]
    return {key: {name: row[name] for name in names} for key, row in table.items()}


@st.composite
def worlds(draw: st.DrawFn, kind: str) -> tuple[list[Asked], list[Heard]]:
    """Few predictions and events on few moments, so that ties, orders and horizons all occur."""
    asked = [
        Asked(f"p{i}", hours(at))
        for i, at in enumerate(draw(st.lists(st.sampled_from([0, 5, 26, 50]), max_size=3)))
    ]
    heard = []
    for i in draw(st.permutations(range(draw(st.integers(0, 7))))):
        said = draw(st.sampled_from(["label", "label", "correction", "rating", "rejection"]))
        values = ["1.0", "4.0"] if said == "rating" else VALUES[kind]
        about = draw(st.sampled_from(["p0", "p0", "p1", "p2", "nobody"]))
        at = draw(st.sampled_from([-2, 0, 5, 6, 24, 72, 73, 77, 95, 96, 97, 200]))
        source = draw(st.sampled_from(["someone", "someone", "review", "audit"]))
        what = event(at, said, draw(st.sampled_from(values)), f"e{i}", about)
        heard.append(replace(what, source=source))
    return asked, heard


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@settings(max_examples=70, deadline=None)
@given(data=st.data())
def test_the_query_is_the_rules(
    con: duckdb.DuckDBPyConnection, kind: str, data: st.DataObject
) -> None:
    asked, heard = data.draw(worlds(kind))
    assert compared(join(con, kind, asked, heard)) == oracle(kind, asked, heard, AS_OF)


@settings(max_examples=50, deadline=None)
@given(world=worlds("binary"), now=st.sampled_from([0, 5, 6, 23, 24, 72, 73, 80]))
@example(world=([P0], [event(6)]), now=5)
def test_nothing_that_was_received_later_is_used(
    con: duckdb.DuckDBPyConnection, world: tuple[list[Asked], list[Heard]], now: int
) -> None:
    asked, heard = world
    by_then = [e for e in heard if e.at <= hours(now)]
    assert join(con, "binary", asked, heard, hours(now)) == join(con, "binary", asked, by_then)


@settings(max_examples=30, deadline=None)
@given(world=worlds("binary"), random=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    con: duckdb.DuckDBPyConnection, world: tuple[list[Asked], list[Heard]], random: Any
) -> None:
    asked, heard = world
    shuffled = list(heard)
    random.shuffle(shuffled)
    assert join(con, "binary", asked, heard) == join(con, "binary", asked[::-1], shuffled)


@settings(max_examples=80, deadline=None)
@given(world=worlds("binary"), told=st.integers(0, 7))
def test_a_day_whose_truth_changes_is_named_and_no_other(
    con: duckdb.DuckDBPyConnection, world: tuple[list[Asked], list[Heard]], told: int
) -> None:
    asked, heard = world
    before = heard[:told]
    was = join(con, "binary", asked, before, hours(1000))
    now = join(con, "binary", asked, heard, hours(1000))
    days = {p.id: p.day for p in asked}
    changed = {days[id_] for id_ in days if was[id_] != now[id_]}
    known = " UNION ALL ".join(f"SELECT '{e.id}' AS event_id" for e in before)
    nothing = "(SELECT '' AS event_id WHERE FALSE)"
    query = affected_partitions_sql(
        "events", f"({known})" if before else nothing, "predictions", HORIZON_DAYS
    )
    rows = con.execute(query).fetchall()
    named = {day for day, events, late in rows if day and events > (late or 0)}
    asked_at = {p.id: p.at for p in asked}
    in_time = {
        days[e.about]
        for e in heard[told:]
        if e.about in days and -LEAD <= e.at - asked_at[e.about] <= 72 * HOUR
    }
    assert changed <= named == in_time
    assert sum(events for _, events, _ in rows) == len(heard[told:])


def one(con: duckdb.DuckDBPyConnection, *heard: Heard, as_of: dt.datetime = AS_OF) -> Any:
    return join(con, "binary", [P0], heard, as_of)["p0"]


def test_the_latest_label_wins(con: duckdb.DuckDBPyConnection) -> None:
    row = one(con, event(9, value="0"), event(5, value="1"))
    assert (row["label"], row["label_received_time"]) == (0, hours(9))


def test_a_correction_outranks_a_later_label_and_settles_the_conflict(
    con: duckdb.DuckDBPyConnection,
) -> None:
    row = one(con, event(2, value="0"), event(5, "correction", "1"), event(9, value="0"))
    assert (row["label"], row["label_conflict"], row["label_count"]) == (1, False, 3)


def test_who_may_judge_is_heeded_alone(con: duckdb.DuckDBPyConnection) -> None:
    asked = replace(event(9, "correction", "0"), source="review")
    gone = replace(event(10, "rejection", ""), source="review")
    row = one(con, event(5, value="1"), asked, gone)
    assert (row["label"], row["label_source"], row["label_status"]) == (1, "someone", "accepted")
    assert (row["label_conflict"], row["label_count"], row["flags"]) == (False, 2, None)
    assert one(con, asked)["label"] == 0


def test_the_evaluation_set_cannot_be_touched_by_the_service(
    con: duckdb.DuckDBPyConnection,
) -> None:
    relations(con, [P0], [event(5, value="1"), event(6, "rejection", "", "r"), event(9, value="0")])
    con.execute(
        "UPDATE events SET principal = 'token:web', source = 'web' WHERE event_id <> 'e0005'"
    )
    config = loop_config(
        label={"max_delay_days": HORIZON_DAYS}, trust={"judges": ["some*", "person:*"]}
    )
    query = feedback_table_sql(config, "predictions", "events", AS_OF)
    said = "label, label_status, label_conflict, label_source, label_principal LIKE 'by %'"
    assert con.execute(f"SELECT {said} FROM ({query})").fetchall() == [
        (1, "accepted", False, "someone", True)
    ]


def test_corrections_that_disagree_are_a_conflict(con: duckdb.DuckDBPyConnection) -> None:
    row = one(con, event(5, "correction", "1"), event(6, "correction", "0"))
    assert (row["label"], row["label_conflict"], row["labels_seen"]) == (0, True, "0 | 1")


def test_equal_times_are_settled_by_event_id(con: duckdb.DuckDBPyConnection) -> None:
    row = one(con, event(5, value="1", named="b"), event(5, value="0", named="a"))
    assert row["label"] == 1


def test_a_prediction_without_feedback_is_pending_never_negative(
    con: duckdb.DuckDBPyConnection,
) -> None:
    row = one(con)
    assert (row["label"], row["label_status"], row["label_count"]) == (None, "pending", 0)


def test_a_rating_alone_is_no_label(con: duckdb.DuckDBPyConnection) -> None:
    row = one(con, event(5, "rating", "4.0"))
    assert (row["label"], row["label_status"], row["rating"]) == (None, "pending", 4.0)


@pytest.mark.parametrize(
    ("rejected_at", "status"), [(6, "rejected"), (5, "rejected"), (4, "accepted")]
)
def test_a_rejection_stands_until_a_newer_label(
    con: duckdb.DuckDBPyConnection, rejected_at: int, status: str
) -> None:
    row = one(con, event(5), event(rejected_at, "rejection", "", "r"))
    assert (row["label_status"], row["label"]) == (status, 1 if status == "accepted" else None)


@pytest.mark.parametrize(("hours", "microseconds"), [(72, 1), (-24, -1)])
def test_both_ends_are_exact_to_the_microsecond(
    con: duckdb.DuckDBPyConnection, hours: int, microseconds: int
) -> None:
    in_time = event(hours)
    beyond = replace(in_time, at=in_time.at + dt.timedelta(microseconds=microseconds))
    assert one(con, in_time)["label_status"] == "accepted"
    assert one(con, beyond)["label_status"] == "pending"
    nothing = "(SELECT '' AS event_id WHERE FALSE)"
    for heard, out_of_time in ((in_time, 0), (beyond, 1)):
        relations(con, [P0], [heard])
        query = affected_partitions_sql("events", nothing, "predictions", HORIZON_DAYS)
        assert con.execute(query).fetchall() == [(P0.day, 1, out_of_time)]


def test_a_label_may_be_in_before_its_prediction(con: duckdb.DuckDBPyConnection) -> None:
    assert one(con, event(-2))["label_delay_days"] == pytest.approx(-2 / 24)


def test_one_event_stored_twice_counts_once(con: duckdb.DuckDBPyConnection) -> None:
    row = one(con, event(5, named="e"), event(5, named="e"))
    assert (row["label_count"], row["label_conflict"]) == (1, False)


def test_an_event_delivered_again_was_heard_when_it_first_came(
    con: duckdb.DuckDBPyConnection,
) -> None:
    row = one(con, event(5, named="e"), event(9, named="e"), event(7, value="0"))
    assert (row["label"], row["label_received_time"], row["label_count"]) == (0, hours(7), 2)


def test_the_same_value_twice_is_no_conflict(con: duckdb.DuckDBPyConnection) -> None:
    row = one(con, event(5), event(6))
    assert (row["label_count"], row["label_conflict"], row["labels_seen"]) == (2, False, "1")


def test_types_of_the_label(con: duckdb.DuckDBPyConnection) -> None:
    for kind, sql_type in (
        ("binary", "BIGINT"),
        ("multiclass", "VARCHAR"),
        ("regression", "DOUBLE"),
    ):
        relations(con, [P0], [event(5, value=VALUES[kind][0])])
        query = feedback_table_sql(loop_config(kind), "predictions", "events", AS_OF)
        types = con.execute(f"SELECT typeof(label) FROM ({query})").fetchone()
        assert types == (sql_type,)


def test_naive_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        feedback_table_sql(loop_config(), "p", "e", pd.Timestamp("2024-01-01").to_pydatetime())


def test_a_turned_consensus_outranks_no_other_source(con) -> None:
    """People's last word counts for theirs; the world's own truth stays a dispute with it."""
    first, last = (replace(event(i, value=v), source="audit") for i, v in ((1, "0"), (5, "1")))
    row = join(con, "binary", [P0], [first, last])["p0"]
    assert (row["label"], row["label_conflict"], row["label_count"]) == (1, False, 1)
    world = event(9, value="0")
    row = join(con, "binary", [P0], [first, last, world])["p0"]
    assert (row["label"], row["label_conflict"], row["label_source"]) == (0, True, "someone")
