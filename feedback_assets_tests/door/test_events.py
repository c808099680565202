"""Feedback events from raw bytes: values fit the label, times and ids are checked."""

import json
import math
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.capture.convert import answer
from feedback_assets.config.schema import Label
from feedback_assets.door.events import EventCodec
from feedback_assets.door.problems import Problem
from feedback_assets.door.values import check_of, spelled
from feedback_assets_tests.door.asked import NOW
from feedback_assets_tests.serving.shop import Shop

BINARY = Label(kind="binary")
OWN = Label(kind="binary", positive="Late")
NUMBERED = Label(kind="binary", positive="2")
CLASSES = Label(kind="multiclass", classes=["a", "2", "true"])
NUMBER = Label(kind="regression")


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    return EventCodec(Shop(tmp_path_factory.mktemp("events") / "home").config)


@pytest.mark.parametrize(
    ("label", "good", "bad"),
    [
        (BINARY, [0, 1, True, False, 1.0, -0.0, "1", "true", " YES ", "f"], [2, 0.5, "maybe", ""]),
        (OWN, ["late", "LATE ", "no", "anything", 1, 7, True], ["", "  ", "a\0"]),
        (NUMBERED, [2, "2", 1, "x"], [""]),
        (CLASSES, ["a", "2", 2, 2.0, True, "true"], ["b", "", 3, False, "2.0"]),
        (NUMBER, [0, -1.5, 1e300], ["1", True, 10**400, math.inf]),
    ],
)
def test_a_label_fits_the_loop(label, good, bad):
    check = check_of(None, label)
    assert [value for value in good if check(value)] == []
    assert [value for value in bad if not check(value)] == []


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([BINARY, OWN, NUMBERED, CLASSES, NUMBER]),
    st.one_of(
        st.booleans(), st.integers(-3, 10**20), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=4), st.sampled_from(["late", " Late", "YES", "t", "2", "a"]),
    ),
)  # fmt: skip
def test_what_is_taken_is_what_the_tables_can_read(label, value):
    if check_of(None, label)(value) is not None:
        return
    converted = answer("said", label, "the label")
    faults = " OR ".join(f"({fault.condition})" for fault in converted.faults) or "FALSE"
    found = duckdb.execute(
        f"SELECT {converted.value}, {faults} FROM (SELECT ? AS said)", [spelled(value)]
    ).fetchone()
    assert found is not None
    assert found[0] is not None
    assert not found[1]


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        ({}, "/prediction_id"),
        ({"prediction_id": "a b", "value": 1}, "/prediction_id"),
        ({"prediction_id": "p"}, "/value"),
        ({"prediction_id": "p", "value": None}, "/value"),
        ({"prediction_id": "p", "value": None, "kind": "click"}, "/value"),
        ({"prediction_id": "p", "value": [1]}, "/value"),
        ({"prediction_id": "p", "value": 2}, "/value"),
        ({"prediction_id": "p", "value": "1", "kind": "rating"}, "/value"),
        ({"prediction_id": "p", "value": 10**400, "kind": "reward"}, "/value"),
        ({"prediction_id": "p", "value": 2, "kind": "click"}, "/value"),
        ({"prediction_id": "p", "value": 1, "kind": "opinion"}, "/kind"),
        ({"prediction_id": "p", "value": 1, "kind": 1}, "/kind"),
        ({"prediction_id": "p", "value": 1, "event_id": ""}, "/event_id"),
        ({"prediction_id": "p", "value": 1, "event_id": "a\n"}, "/event_id"),
        ({"prediction_id": "p", "value": 1, "event_id": "a" * 257}, "/event_id"),
        ({"prediction_id": "p", "value": 1, "source": 1}, "/source"),
        ({"prediction_id": "p", "value": 1, "source": "audit"}, "/source"),
        ({"prediction_id": "p", "value": 1, "source": "review"}, "/source"),
        ({"prediction_id": "p", "value": 1, "source": "automatic"}, "/source"),
        ({"prediction_id": "p", "value": 1, "confidence": 1.1}, "/confidence"),
        ({"prediction_id": "p", "value": 1, "confidence": True}, "/confidence"),
        ({"prediction_id": "p", "value": 1, "confidence": 10**400}, "/confidence"),
        ({"prediction_id": "p", "value": 1, "event_time": "soon"}, "/event_time"),
        ({"prediction_id": "p", "value": 1, "event_time": NOW + 10**9}, "/event_time"),
        ({"prediction_id": "p", "value": 1, "received_time": NOW}, "/received_time"),
        ({"prediction_id": "p", "value": 1, "label": 1}, "/label"),
    ],
)
def test_what_breaks_the_rules_is_refused_and_named(codec, event, pointer):
    for body, base in ((event, ""), ({"events": [event]}, "/events/0")):
        with pytest.raises(Problem) as caught:
            codec.read(json.dumps(body).encode(), NOW)
        assert caught.value.status == 422
        assert [fault.pointer for fault in caught.value.faults] == [base + pointer] or not event


def test_every_kind_has_its_values(codec):
    said: list[tuple[str | None, Any, str | None]] = [
        (None, 1, "1"), ("label", True, "true"), ("correction", "0", "0"), ("rating", 4.5, "4.5"),
        ("reward", -2, "-2"), ("click", 1, "1"), ("rejection", None, None),
        ("rejection", "too late", "too late"),
    ]  # fmt: skip
    for kind, value, text in said:
        event = {"prediction_id": "p", "kind": kind, "value": value}
        [found], _ = codec.read(json.dumps(event).encode(), NOW)
        assert (found.kind, found.value) == (kind, text)


def test_a_name_stated_twice_is_refused(codec):
    for body in (
        b'{"prediction_id": "p", "value": 1, "value": 0}',
        b'{"prediction_id": "p:q", "value": 1, "source": "a:b", "source": "a\\u003ab"}',
        b'{"events": [{"prediction_id": "p", "value": 1}], "events": []}',
    ):
        with pytest.raises(Problem) as caught:
            codec.read(body, NOW)
        assert caught.value.status in (400, 422)


def test_a_replay_states_when_events_came(tmp_path):
    codec = EventCodec(Shop(tmp_path / "home").config, replay=True)
    [event], _ = codec.read(b'{"prediction_id":"p","value":1,"received_time":%d}' % NOW, NOW)
    assert event.received_us == NOW


def test_a_replay_tells_any_source_but_of_peoples_own_answers(tmp_path):
    replayed = EventCodec(Shop(tmp_path / "home").config, replay=True)
    said = {"prediction_id": "p", "value": 1, "source": "audit"}
    for fine in ({}, {"principal": "ann"}, {"source": "desk", "principal": "person:ann"}):
        assert replayed.read(json.dumps(said | fine).encode(), NOW)[0]
    for who in ("people", "person:ann", " people "):
        with pytest.raises(Problem) as caught:
            replayed.read(json.dumps(said | {"principal": who}).encode(), NOW)
        assert [fault.pointer for fault in caught.value.faults] == ["/source"]


def test_only_a_replay_says_who_said_it(tmp_path, codec):
    said = json.dumps({"prediction_id": "p", "value": 1, "principal": "ann"}).encode()
    replayed = EventCodec(Shop(tmp_path / "home").config, replay=True)
    (event,), _ = replayed.read(said, NOW)
    assert event.principal == "ann"
    for bad in ("", 7, "a\x00"):
        with pytest.raises(Problem) as caught:
            replayed.read(
                json.dumps({"prediction_id": "p", "value": 1, "principal": bad}).encode(), NOW
            )
        assert [fault.pointer for fault in caught.value.faults] == ["/principal"]
    with pytest.raises(Problem) as caught:
        codec.read(said, NOW)
    assert [fault.pointer for fault in caught.value.faults] == ["/principal"]
