import datetime as dt
import json
import subprocess
import sys
import time

import httpx
import numpy as np
import pandas as pd
import pytest

from feedback_assets.client import (
    Client,
    ClientError,
    DoorProblem,
    FieldProblem,
    Prediction,
    Stored,
)
from feedback_assets_tests.client.door import TOKEN, Door, problem


def test_one_row_is_sent_bare_and_comes_back_typed(call):
    door = Door()
    answer = call(door, "predict", {"distance": 733, "carrier": None})
    assert answer == Prediction("p0", 0.25, 0, "3", "champion", "champion")
    assert str(door.seen[0].url) == "http://door.test/v1/shop/predict"
    assert door.bodies == [{"distance": 733, "carrier": None}]
    assert door.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert door.seen[0].headers["Content-Type"] == "application/json"


def test_many_rows_are_split_and_answered_in_order(call):
    door = Door()
    rows = ({"prediction_id": f"id{n}"} for n in range(5))
    answers = call(door, "predict", rows, client={"max_rows": 2})
    assert [answer.prediction_id for answer in answers] == [f"id{n}" for n in range(5)]
    assert [len(body["rows"]) for body in door.bodies] == [2, 2, 1]
    assert len(set(door.keys)) == 3


def test_no_rows_make_no_request(call):
    door = Door()
    assert call(door, "predict", []) == []
    assert door.seen == []


def test_a_batch_ends_before_it_is_too_large(call):
    door = Door()
    rows = [{"note": "x" * 300_000}] * 7 + [{"note": "y" * 1_200_000}]
    assert len(call(door, "predict", rows)) == 8
    assert [len(body["rows"]) for body in door.bodies] == [3, 3, 1, 1]
    assert all(len(request.content) < 1_000_100 for request in door.seen[:3])


def test_feedback_says_only_what_was_said(call):
    door = Door()
    when = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    stored = call(door, "feedback", "p0", 1, "correction", event_time=when, confidence=0.5)
    assert stored == Stored("e0", "stored")
    assert str(door.seen[0].url) == "http://door.test/v1/shop/feedback"
    assert door.bodies == [
        {
            "prediction_id": "p0",
            "kind": "correction",
            "value": 1,
            "event_time": "2026-03-01T11:00:00.000000+00:00",
            "confidence": 0.5,
        }
    ]


def test_many_events_are_split_alike(call):
    door = Door()
    events = [{"prediction_id": f"p{n}", "value": n, "source": None} for n in range(3)]
    stored = call(door, "feedback_many", events, client={"max_rows": 2})
    assert [each.event_id for each in stored] == ["e0", "e1", "e0"]
    assert door.bodies[0] == {
        "events": [{"prediction_id": "p0", "value": 0}, {"prediction_id": "p1", "value": 1}]
    }


def test_looking_up(call):
    door = Door()
    assert call(door, "prediction", "a/b c") == {"path": "/v1/shop/predictions/a/b c"}
    assert door.seen[0].url.raw_path == b"/v1/shop/predictions/a%2Fb%20c"
    assert call(door, "model", loop="other") == {"path": "/v1/other/model"}


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(None, True), (problem(503), False), (httpx.ConnectError("refused"), False)],
)
def test_ready(call, failure, expected):
    assert call(Door(*([failure] if failure else [])), "ready") is expected


def test_a_problem_names_the_fields(call):
    errors = [{"pointer": "/distance", "detail": "is below 0"}, {"pointer": "", "detail": "x"}]
    with pytest.raises(DoorProblem) as caught:
        call(Door(problem(422, detail="2 fields", errors=errors)), "predict", {"distance": -1})
    assert caught.value.status == 422
    assert caught.value.title == "Refused"
    assert caught.value.errors[0] == FieldProblem("/distance", "is below 0")
    assert str(caught.value) == "422 Refused: /distance is below 0;  x"


def test_pointers_count_the_rows_of_the_call(call):
    late = problem(422, errors=[{"pointer": "/rows/1/distance", "detail": "is below 0"}])
    door = Door()
    door.failures = [door.usual, door.usual, late]
    with pytest.raises(DoorProblem) as caught:
        call(door, "predict", [{"distance": n} for n in range(6)], client={"max_rows": 2})
    assert [error.pointer for error in caught.value.errors] == ["/rows/5/distance"]


def test_an_id_in_conflict_is_a_problem_with_its_row(call):
    door = Door()
    conflict = {"predictions": [{"prediction_id": "a", "state": "conflict"}]}
    door.failures = [door.usual, httpx.Response(200, json=conflict)]
    with pytest.raises(DoorProblem, match="/rows/1 has an id") as caught:
        call(
            door,
            "predict",
            [{"prediction_id": "b"}, {"prediction_id": "a"}],
            client={"max_rows": 1},
        )
    assert caught.value.status == 409


@pytest.mark.parametrize(
    "strange",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[1]),
        httpx.Response(200, json={"prediction_id": "p"}),
        httpx.Response(200, json={"predictions": []}),
        httpx.Response(200, json={"predictions": [1]}),
        httpx.Response(200, json={"predictions": None}),
    ],
)
def test_a_strange_answer_is_no_crash(call, strange):
    many = b"predictions" in strange.content
    with pytest.raises(ClientError):
        call(Door(strange), "predict", [{"a": 1}] if many else {"a": 1})


def test_a_page_of_a_proxy_is_a_problem_too(call):
    with pytest.raises(DoorProblem, match=r"^404 Not Found$"):
        call(Door(httpx.Response(404, text="<html>gone</html>")), "model")


def test_numpy_and_pandas_scalars_are_taken(call):
    door = Door()
    row = {
        "a": np.int64(3),
        "b": np.float32(0.5),
        "c": np.bool_(True),
        "event_time": pd.Timestamp("2026-01-01", tz="UTC"),
        "d": 0.1 + 0.2,
    }
    call(door, "predict", row)
    assert door.bodies == [
        {
            "a": 3,
            "b": 0.5,
            "c": True,
            "event_time": "2026-01-01T00:00:00.000000+00:00",
            "d": 0.1 + 0.2,
        }
    ]


def test_a_time_without_a_zone_is_utc_wherever_the_client_runs(call, monkeypatch):
    door = Door()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        call(door, "predict", {"event_time": dt.datetime(2026, 1, 1, 12)})  # noqa: DTZ001
    finally:
        monkeypatch.undo()
        time.tzset()
    assert door.bodies == [{"event_time": "2026-01-01T12:00:00.000000+00:00"}]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "not a finite number"),
        (float("-inf"), "not a finite number"),
        (np.float32("nan"), "float32"),
        (pd.NaT, "NaTType"),
        ({1, 2}, "set"),
        ("\ud800", "str"),
        (np.zeros(2), "ndarray"),
    ],
)
def test_what_json_cannot_say_is_named_before_anything_is_sent(call, value, words):
    door = Door()
    with pytest.raises(ValueError, match=rf"item 1, field distance .*{words}"):
        call(door, "predict", [{"distance": 1}, {"distance": value}])
    assert door.seen == []


def test_a_loop_must_be_named():
    with Client("http://door.test", transport=Door().transport) as client:
        with pytest.raises(ValueError, match="say which loop"):
            client.model()
        assert client.predict({}, loop="shop").model_version == "3"


def test_the_address_may_have_a_path():
    door = Door()
    with Client("https://door.test/ml/", loop="shop", transport=door.transport) as client:
        client.predict({})
    assert door.seen[0].url.path == "/ml/v1/shop/predict"


def test_it_brings_in_nothing_heavy():
    code = (
        "import sys, json; import feedback_assets.client; "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    names = set(json.loads(done.stdout))
    assert "httpx" in names
    assert not names & {
        "pandas", "numpy", "dagster", "pydantic", "msgspec", "duckdb", "starlette", "pyarrow", "yaml",
    }  # fmt: skip
    ours = subprocess.run(
        [sys.executable, "-c", "import sys, feedback_assets.client; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert all(
        name == "feedback_assets" or name.startswith("feedback_assets.client")
        for name in ours
        if name.startswith("feedback_assets")
    )
