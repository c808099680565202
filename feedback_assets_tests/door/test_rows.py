"""Rows from raw bytes: what the YAML says is taken, nothing else, and no fault shows a value."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from feedback_assets.door.problems import Problem
from feedback_assets.door.rows import RowCodec, Taken
from feedback_assets_tests.door.asked import NOW
from feedback_assets_tests.serving.shop import Shop

RULES = {
    "amount": {"required": True, "min": -10, "max": 1000},
    "distance": {"allowed": ["1", "2.5"]},
    "shop_kind": {"required": True, "allowed": ["food", "toys"]},
}
GOOD = {"amount": 1.5, "distance": 2.5, "shop_kind": "food", "country": "é:b"}
NUMERIC = {"amount", "distance", "empty"}
TEXT = {"country", "shop_kind", "region"}


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    return RowCodec(Shop(tmp_path_factory.mktemp("rows") / "home", rules=RULES).config)


def refused(codec: RowCodec, body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        codec.read(body, NOW)
    return caught.value


def tried(codec: RowCodec, body: bytes) -> tuple[list[Taken], Problem | None]:
    """The rows, or the problem."""
    try:
        return codec.read(body, NOW)[0], None
    except Problem as problem:
        return [], problem


def test_a_row_comes_with_every_column(codec):
    [row], many = codec.read(json.dumps(GOOD).encode(), NOW)
    assert not many
    assert row.values == {
        "amount": 1.5, "distance": 2.5, "empty": None, "country": "é:b", "shop_kind": "food",
        "region": None,
    }  # fmt: skip
    assert (row.prediction_id, row.event_us) == (None, None)


def test_a_batch_keeps_the_order(codec):
    rows = [GOOD | {"amount": i, "prediction_id": f"p{i}"} for i in range(5)]
    found, many = codec.read(json.dumps({"rows": rows}).encode(), NOW)
    assert many
    assert [(r.prediction_id, r.values["amount"]) for r in found] == [
        (f"p{i}", float(i)) for i in range(5)
    ]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"", 400, None),
        (b"  \n", 400, None),
        (b"{", 400, None),
        (b"\xff{}", 400, None),
        (b"\xef\xbb\xbf{}", 400, None),
        (b'{"country": "\xed\xa0\x80"}', 400, None),
        (b'{"country": "\\ud800"}', 400, None),
        (b'{"amount": NaN}', 400, None),
        (b'{"amount": -Infinity}', 400, None),
        (b'{"amount": 1, "amount": 1}', 400, None),
        (b'{"amount": 1, "am\\u006funt": 1}', 400, None),
        (b"[" * 100_000, 400, None),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b'{"amount": 1e999}', 422, "/amount"),
        (b'{"amount": 1e39}', 422, "/amount"),
        (b'{"amount": %s}' % (b"9" * 400), 422, "/amount"),
        (b'{"amount": true}', 422, "/amount"),
        (b'{"amount": "1"}', 422, "/amount"),
        (b'{"amount": null}', 422, "/amount"),
        (b'{"amount": 1000.1}', 422, "/amount"),
        (b'{"amount": -10.5}', 422, "/amount"),
        (b'{"distance": 2}', 422, "/distance"),
        (b'{"shop_kind": "cars"}', 422, "/shop_kind"),
        (b'{"shop_kind": 1}', 422, "/shop_kind"),
        (b'{"country": "a\\u0000"}', 422, "/country"),
        (b'{"country": []}', 422, "/country"),
        (b'{"colour": 1}', 422, "/colour"),
        (b'{"not a name": 1}', 422, ""),
        (b'{"event_time": "yesterday"}', 422, "/event_time"),
        (b'{"event_time": "2026-03-01T24:30"}', 422, "/event_time"),
        (b'{"event_time": 1.5}', 422, "/event_time"),
        (b'{"event_time": true}', 422, "/event_time"),
        (b'{"event_time": null}', 422, "/event_time"),
        (b'{"event_time": "0001-01-01T00:00:00+14:00"}', 422, "/event_time"),
        (b'{"event_time": "9999-12-31T23:59:59-14:00"}', 422, "/event_time"),
        (b'{"event_time": %d}' % (NOW + 300_000_001), 422, "/event_time"),
        (b'{"event_time": %d}' % 10**30, 422, "/event_time"),
        (b'{"received_time": %d}' % NOW, 422, "/received_time"),
        (b'{"prediction_id": ""}', 422, "/prediction_id"),
        (b'{"prediction_id": "a b"}', 422, "/prediction_id"),
        (b'{"prediction_id": "a\\n"}', 422, "/prediction_id"),
        (b'{"prediction_id": "%s"}' % (b"a" * 129), 422, "/prediction_id"),
        (b'{"prediction_id": null}', 422, "/prediction_id"),
        (b'{"rows": []}', 422, "/rows"),
        (b'{"rows": {}}', 422, "/rows"),
        (b'{"r\\u006fws": [{}]}', 422, "/rows/0/amount"),
        (b'{"rows": [%s], "more": 1}' % json.dumps(GOOD).encode(), 422, "/more"),
        (b'{"rows": [1]}', 422, "/rows/0"),
    ],
)
def test_what_breaks_the_rules_is_refused_and_named(codec, body, status, pointer):
    problem = refused(codec, otherwise_good(body))
    assert problem.status == status
    if pointer is not None:
        assert pointer in [fault.pointer for fault in problem.faults]


def otherwise_good(body: bytes) -> bytes:
    """The row with the good fields that it lacks, so that its fault is the only one."""
    if not body.startswith(b'{"') or b"ws" in body:
        return body
    rest = {name: value for name, value in GOOD.items() if f'"{name}"'.encode() not in body}
    return json.dumps(rest).encode()[:-1] + b", " + body[1:]


def test_a_batch_spelled_with_escapes_is_refused_in_words(codec):
    body = b'{"r\\u006fws": [%s]}' % json.dumps(GOOD).encode()
    assert refused(codec, body).status == 400


def test_every_bad_row_is_named_up_to_twenty(codec):
    rows = [GOOD, GOOD | {"amount": "x"}, GOOD | {"empty": True, "colour": 1}]
    problem = refused(codec, json.dumps({"rows": rows}).encode())
    assert [fault.pointer for fault in problem.faults] == [
        "/rows/1/amount", "/rows/2/colour", "/rows/2/empty",
    ]  # fmt: skip
    many = refused(codec, json.dumps({"rows": [{} for _ in range(50)]}).encode())
    assert len(many.faults) == 20
    assert "first 20" in many.detail


@pytest.mark.parametrize(
    ("said", "us"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01 12:00", NOW),
        ("2026-03-01t13:00:00.000001+01:00", NOW + 1),
        ("2026-03-01", NOW - 12 * 3_600_000_000),
        (NOW - 7, NOW - 7),
        (NOW + 300_000_000, NOW + 300_000_000),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(codec, said, us):
    [row], _ = codec.read(json.dumps(GOOD | {"event_time": said}).encode(), NOW)
    assert row.event_us == us


def test_no_time_before_the_first_partition(codec, tmp_path):
    earliest = codec.moments.earliest
    [row], _ = codec.read(json.dumps(GOOD | {"event_time": earliest}).encode(), NOW)
    assert row.event_us == earliest
    refused(codec, json.dumps(GOOD | {"event_time": earliest - 1}).encode())


def test_a_replay_states_when_rows_came(tmp_path):
    codec = RowCodec(Shop(tmp_path / "home").config, replay=True)
    [row], _ = codec.read(b'{"event_time": %d, "received_time": %d}' % (NOW - 5, NOW), NOW)
    assert (row.event_us, row.received_us) == (NOW - 5, NOW)


def test_columns_of_any_name(tmp_path):
    shop = Shop(tmp_path / "home")
    names = ["class", "a:b", "with space", "x/y~z", "événement"]
    columns = shop.config.columns.model_copy(update={"numeric": names, "rules": {}})
    codec = RowCodec(shop.config.model_copy(update={"columns": columns}))
    [row], _ = codec.read(json.dumps(dict.fromkeys(names, 2)).encode(), NOW)
    assert [row.values[name] for name in names] == [2.0] * 5
    assert refused(codec, b'{"a:b": 1, "a:b": 1}').status == 400
    assert refused(codec, b'{"x/y~z": "1"}').faults[0].pointer == "/x~1y~0z"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["food", "toys", "1", 1, 2.5, 1e38, 1e39, -10, 1000, 10**400]),
)  # fmt: skip
NAMES = st.sampled_from([*sorted(NUMERIC | TEXT), "prediction_id", "event_time", "rows", "other"])
TREES = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=2), max_size=6)


def valid(row: Any) -> bool:
    """The YAML's rules, said once more and apart from the door."""
    if not isinstance(row, dict) or not set(row) <= NUMERIC | TEXT | {
        "prediction_id",
        "event_time",
    }:
        return False
    if "prediction_id" in row and not (
        isinstance(row["prediction_id"], str)
        and 1 <= len(row["prediction_id"]) <= 128
        and all(c.isascii() and (c.isalnum() or c in "_.:~@-") for c in row["prediction_id"])
    ):
        return False
    at = row.get("event_time", NOW)
    if isinstance(at, str) or type(at) is not int or not 1.6e15 < at <= NOW + 300_000_000:
        return False
    for name in NUMERIC & set(row):
        value = row[name]
        if value is None:
            continue
        if type(value) not in (int, float) or not abs(value) < 3.4e38 or math.isnan(value):
            return False
    for name in TEXT & set(row):
        if row[name] is not None and (not isinstance(row[name], str) or "\0" in row[name]):
            return False
    return (
        row.get("amount") is not None
        and -10 <= row["amount"] <= 1000
        and row.get("distance") in (None, 1, 2.5)
        and row.get("shop_kind") in ("food", "toys")
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, st.booleans(), st.sampled_from([None, 0, 1]))
@example({"country": "a\0"}, False, None)
@example({"empty": 10**400}, True, 1)
def test_a_row_is_taken_exactly_when_it_is_valid(codec, changes, ascii_only, wrapped):
    row = GOOD | changes
    tree = row if wrapped is None else {"rows": [GOOD] * wrapped + [row]}
    body = json.dumps(tree, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    expected = valid(row) and "NaN" not in body.decode(errors="replace")
    found, problem = tried(codec, body)
    assert (problem is None) == expected
    assert problem is None or problem.status in (400, 422)
    if found:
        taken = found[-1].values
        assert all(taken[n] == row.get(n) for n in NUMERIC | TEXT)
        # What another surface says in JSON of its own is judged alike.
        assert codec.of_trees([row], NOW, "/rows")[0].values == taken


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bytes_of_any_kind_are_answered(codec, data):
    body = bytearray(json.dumps(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    found, problem = tried(codec, bytes(body))
    assert problem is None or problem.status in (400, 422)
    if found:
        tree = json.loads(bytes(body))
        assert all(valid(row) for row in tree.get("rows", [tree])), found


def test_no_fault_shows_what_was_sent(codec):
    secret = "Zq7-secret value"
    for name in [*sorted(NUMERIC | TEXT), "prediction_id", "event_time", "other", secret]:
        for value in (secret, [secret], {secret: secret}):
            body = json.dumps(GOOD | {name: value}).encode()
            _, problem = tried(codec, body)
            assert problem is None or "Zq7" not in problem.document().decode()
    twice = b'{"%s": 1, "%s": 2}' % ((secret.encode(),) * 2)
    assert "Zq7" not in refused(codec, twice).document().decode()
