import datetime as dt

import pytest

from feedback_assets.capture.convert import answer, convert, first_fault
from feedback_assets.config.schema import Label

NOON = dt.datetime(2013, 2, 1, 12, tzinfo=dt.UTC)
BINARY = Label(kind="binary")
SPAM = Label(kind="binary", positive="Spam")
TWO = Label(kind="binary", positive="2")
CLASSES = Label(kind="multiclass", classes=["a", "1"])
NUMBER = Label(kind="regression")


def run(con, converted, value, dtype):
    sql = f"SELECT {converted.value}, {first_fault(converted.faults)} FROM (SELECT CAST(? AS {dtype}) AS x)"
    return con.execute(sql, [value]).fetchone()


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("2013-02-01 12:00:00", "TIMESTAMP"),
        ("2013-02-01 12:00:00", "TIMESTAMP_NS"),
        ("2013-02-01 12:00:00", "TIMESTAMP_S"),
        ("2013-02-01 13:00:00+01", "TIMESTAMPTZ"),
        ("2013-02-01T12:00:00Z", "VARCHAR"),
        ("2013-02-01 12:00", "VARCHAR"),
        (" 2013-02-01T17:30:00+05:30 ", "VARCHAR"),
        ("1359720000", "VARCHAR"),
        ("1359720000.0", "VARCHAR"),
        (1359720000, "BIGINT"),
        (1359720000, "INTEGER"),
        (1359720000.0, "DOUBLE"),
        (1359720000000, "BIGINT"),
        (1359720000000000, "BIGINT"),
        (1359720000000000000, "BIGINT"),
        (1359720000, "DECIMAL(18,3)"),
    ],
)
def test_times_in_every_common_spelling(con, value, dtype):
    assert run(con, convert("time", "x", dtype, "at"), value, dtype) == (NOON, None)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [(20130201, "BIGINT", "2013-02-01"), (2013, "SMALLINT", "2013-01-01"),
     ("20130201", "VARCHAR", "2013-02-01"), ("2013-02-01", "DATE", "2013-02-01")],
)  # fmt: skip
def test_dates_and_years(con, value, dtype, expected):
    moment = dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)
    assert run(con, convert("time", "x", dtype, "at"), value, dtype) == (moment, None)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [("soon", "VARCHAR"), ("now", "VARCHAR"), ("infinity", "VARCHAR"), ("infinity", "TIMESTAMP"),
     ("-infinity", "TIMESTAMPTZ"), (20131301, "BIGINT"), (1e300, "DOUBLE"), ("nan", "DOUBLE"),
     ("2013-02-30", "VARCHAR"), ("9" * 60, "VARCHAR"), ("infinity", "DATE"),
     ("-infinity", "DATE")],
)  # fmt: skip
def test_what_is_no_time_is_a_fault_not_a_null(con, value, dtype):
    found = run(con, convert("time", "x", dtype, "at"), value, dtype)
    assert found == (None, "at cannot be read as a time")


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [(1, "INTEGER", 1.0), (True, "BOOLEAN", 1.0), ("1.5", "DECIMAL(4,2)", 1.5),
     (" 2.5 ", "VARCHAR", 2.5), ("NA", "VARCHAR", None), ("None", "VARCHAR", None),
     ("nan", "VARCHAR", None), ("nan", "DOUBLE", None), ("", "VARCHAR", None),
     (None, "VARCHAR", None), (None, "DOUBLE", None), (2**63, "HUGEINT", 2.0**63)],
)  # fmt: skip
def test_numbers(con, value, dtype, expected):
    assert run(con, convert("number", "x", dtype, "n"), value, dtype) == (expected, None)


@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [("abc", "VARCHAR", "n is not a number"), ("1,5", "VARCHAR", "n is not a number"),
     ("inf", "DOUBLE", "n is infinite"), ("-inf", "VARCHAR", "n is infinite"),
     ("2013-01-01", "DATE", "column n has type DATE, not a number"),
     ([1], "INTEGER[]", "column n has type INTEGER[], not a number")],
)  # fmt: skip
def test_what_is_no_number_is_a_fault(con, value, dtype, words):
    assert run(con, convert("number", "x", dtype, "n"), value, dtype) == (None, words) or (
        words == "n is infinite"
    )
    assert run(con, convert("number", "x", dtype, "n"), value, dtype)[1] == words


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [("UA", "VARCHAR", "UA"), (7, "INTEGER", "7"), (7.0, "DOUBLE", "7"), (7.5, "FLOAT", "7.5"),
     (True, "BOOLEAN", "true"), ("nan", "DOUBLE", None), (b"UA", "BLOB", "UA"),
     ("NA", "VARCHAR", "NA")],
)  # fmt: skip
def test_categories_are_one_text_whatever_wrote_them(con, value, dtype, expected):
    assert run(con, convert("text", "x", dtype, "c"), value, dtype) == (expected, None)


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        (BINARY, "1", "1"), (BINARY, "TRUE", "1"), (BINARY, "1.0", "1"), (BINARY, "no", "0"),
        (BINARY, " 0 ", "0"), (BINARY, None, None), (SPAM, "spam", "1"), (SPAM, "1", "1"),
        (SPAM, "ham", "0"), (SPAM, "0", "0"), (TWO, "2", "1"), (TWO, "1", "0"),
        (CLASSES, "a", "a"), (CLASSES, "1.0", "1"), (NUMBER, "2", "2.0"), (NUMBER, "1e3", "1000.0"),
        (NUMBER, "-0.0", "0.0"),
    ],
)  # fmt: skip
def test_labels_have_one_spelling(con, label, value, expected):
    assert run(con, answer("x", label, "the label"), value, "VARCHAR") == (expected, None)


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        (BINARY, "2", "the label is neither positive nor negative"),
        (BINARY, "maybe", "the label is neither positive nor negative"),
        (SPAM, " ", "the label is empty"),
        (CLASSES, "b", "the label is not one of the classes"),
        (NUMBER, "high", "the label is not a number"),
        (NUMBER, "inf", "the label is not a number"),
        (NUMBER, "nan", "the label is not a number"),
    ],
)
def test_a_label_of_no_class_is_a_fault(con, label, value, words):
    assert run(con, answer("x", label, "the label"), value, "VARCHAR") == (None, words)
