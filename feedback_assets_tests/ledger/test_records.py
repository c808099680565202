"""A record's bytes are canonical JSON, whatever it holds; what JSON cannot hold is refused."""

import datetime as dt
import hashlib
import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.records import (
    GENESIS,
    Entry,
    canonical,
    exported,
    record_of,
    row_after,
)

TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
TIME = dt.datetime(2026, 3, 29, 3, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@given(TEXT, TEXT, TEXT, st.dictionaries(TEXT, VALUES, max_size=4), st.integers(1, 2**40))
def test_a_record_is_hashed_in_canonical_json(
    subject: str, kind: str, actor: str, body: dict[str, Any], seq: int
) -> None:
    row = row_after(seq, "flights", GENESIS, Entry(subject, kind, TIME, actor, body))
    whole = {
        "seq": seq, "loop": "flights", "subject": subject, "kind": kind, "actor": actor,
        "time": "2026-03-29T01:30:00+00:00", "body": body, "previous": GENESIS,
    }  # fmt: skip
    assert canonical("flights", row) == rfc8785.dumps(whole)
    assert row[-1] == hashlib.sha256(rfc8785.dumps(whole)).hexdigest()
    assert exported("flights", row) == rfc8785.dumps({**whole, "hash": row[-1]})
    assert record_of("flights", row).time == TIME


@given(st.floats(2**53, 1e300))
def test_large_numbers_are_verified_by_who_reads_numbers_as_doubles(value: float) -> None:
    """JSON has doubles only: 1e16 is written 10000000000000000, which Python reads as an int."""
    row = row_after(1, "flights", GENESIS, Entry("s", "gate", TIME, "a", {"value": value}))
    read = json.loads(canonical("flights", row), parse_int=float)
    assert rfc8785.dumps(read) == canonical("flights", row)


@pytest.mark.parametrize(
    "body", [{"x": math.nan}, {"x": math.inf}, {"x": 2**53}, {"x": "\ud800"}, {1: 2}, {"x": {3}}]
)
def test_what_json_cannot_hold_is_refused(body: dict[Any, Any]) -> None:
    with pytest.raises(LedgerError, match="flights: a gate cannot be recorded"):
        row_after(1, "flights", GENESIS, Entry("s", "gate", TIME, "a", body))


def test_other_texts_and_times_are_refused_too() -> None:
    with pytest.raises(LedgerError, match="cannot be recorded"):
        row_after(1, "flights", GENESIS, Entry("\ud800", "gate", TIME, "a"))
    with pytest.raises(LedgerError, match="no zone"):
        row_after(1, "flights", GENESIS, Entry("s", "gate", TIME.replace(tzinfo=None), "a"))
