"""Single values and moments as logs write them."""

import datetime as dt

import pytest

from feedback_assets.capture.importers.json_text import decode, shown
from feedback_assets.capture.importers.records import UnexpectedError, identity
from feedback_assets.capture.importers.times import micros
from feedback_assets.capture.importers.values import number, text

MOMENT = 1_359_705_600_000_000  # 2013-02-01T08:00:00Z


@pytest.mark.parametrize(
    "value",
    [
        "2013-02-01T08:00:00Z",
        "2013-02-01T09:00:00+01:00",
        "2013-02-01 08:00:00 UTC",
        "2013-02-01 08:00:00",
        "1359705600000",
        1_359_705_600,
        1_359_705_600_000,
        MOMENT,
        MOMENT * 1000,
        1_359_705_600.0,
        dt.datetime(2013, 2, 1, 8, tzinfo=dt.UTC),
        dt.datetime(2013, 2, 1, 8),  # noqa: DTZ001
    ],
)
def test_moments(value) -> None:
    assert micros(value, "time") == MOMENT


def test_days_and_no_moment() -> None:
    assert micros(dt.date(2013, 2, 1), "time") == MOMENT - 8 * 3_600_000_000
    assert micros(None, "time") is None
    assert micros("", "time") is None


@pytest.mark.parametrize("value", ["now", "9e99", True, [], float("nan"), 1e30, 10**50, "0001", {}])
def test_what_is_no_moment(value) -> None:
    with pytest.raises(UnexpectedError, match="time cannot be read"):
        micros(value, "time")


def test_numbers() -> None:
    found = [number(v, "x") for v in (1, 1.5, "2", " 2.5 ", True, None, "NA", "", float("nan"))]
    assert found == [1.0, 1.5, 2.0, 2.5, 1.0, None, None, None, None]


@pytest.mark.parametrize("value", ["far", "1_0", 10**400, [], {}, "1e999", float("inf"), "٣"])
def test_what_is_no_number(value) -> None:
    with pytest.raises(UnexpectedError, match=r"x is (not a number|infinite)"):
        number(value, "x")


def test_texts() -> None:
    assert [text(v, "x") for v in ("a", 1, 1.0, 1.5, True, None, float("nan"))] == [
        "a", "1", "1", "1.5", "true", None, None,
    ]  # fmt: skip
    for value in ([], {}, 10**200):
        with pytest.raises(UnexpectedError, match="x is "):
            text(value, "x")


@pytest.mark.parametrize("value", [None, "", True, [], 1.5, "x" * 501, 10**50])
def test_what_is_no_id(value) -> None:
    with pytest.raises(UnexpectedError, match="id must be a text"):
        identity(value, "id")


def test_ids() -> None:
    assert [identity(v, "id") for v in ("a", 7, 7.0)] == ["a", "7", "7"]


def test_json_as_python_writes_it_is_read() -> None:
    assert decode(b'{"a": Infinity}', "it") == {"a": float("inf")}
    for line in (b'"\\ud800"', b"[" * 100_000, b"\xff", b"{", b"1" * 5_000):
        with pytest.raises(UnexpectedError, match="it is not JSON"):
            decode(line, "it")


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "k", "Metadata": {"Authorization": ["Bearer s3cret"]}, "x": 1}',
        b'{"id": "k", "headers": {"cookie": "s3cret"}, "x": 1}',
        b'{"id": "k", "request_metadata": "s3cret", "x": 1}',
        b'{"id": "k", "x-api-key": "s3cret", "authorization": "s3cret", "x": 1}',
        b'{"id": "k", "x-forwarded-for": "s3cret", "x": 1}',
        b'{"id": "k", "deep": {"headers": "s3cret"}, "x": 1}',
        b'{"id": "k", "body": "{\\"headers\\": \\"s3cret\\"}"}',
        b'{"id": "k", "headers": {"cookie": "s3cret"',
    ],
)
def test_what_is_shown_of_a_record_holds_no_headers(line: bytes) -> None:
    found = shown(line)
    assert '"k"' in found
    assert "s3cret" not in found


def test_what_is_shown_is_bounded() -> None:
    assert len(shown(b"x" * 10_000)) == 500
    assert len(shown({"headers": 1, "x": ["y" * 10_000] * 1_000})) == 500
    assert shown(b"\xff\xfe") == "��"
