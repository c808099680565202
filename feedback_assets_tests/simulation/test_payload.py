"""What of a history goes over the wire, and what comes back: nothing may be lost on the way."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from feedback_assets.client import DoorProblem, FieldProblem, Prediction
from feedback_assets.client.bodies import encode
from feedback_assets.config.load import load_loop
from feedback_assets.simulation.payload import (
    events_of,
    landed_of,
    micros_of,
    refused_items,
    rows_of,
    scores_of,
)
from feedback_assets_tests.worlds import write_loop

TIMES = pd.to_datetime(["2024-03-01T12:00:00.000001Z", "2024-03-02T00:00:00Z"], format="ISO8601")


@pytest.fixture
def config(tmp_path):
    return load_loop(write_loop(tmp_path), {})


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "prediction_id": ["a", "b"],
            "_event_time": TIMES,
            "_label_time": TIMES,
            "size": [0.1 + 0.2, math.nan],
            "speed": [math.inf, 3.0],
            "colour": ["red", None],
            "region": ["north", math.nan],
            "value": [1.0, 0.0],
            "truth": [1, 0],
        }
    )


def test_rows_hold_the_columns_of_the_loop_and_no_others(config, frame):
    assert rows_of(config, frame) == [
        {
            "prediction_id": "a",
            "event_time": 1_709_294_400_000_001,
            "size": 0.30000000000000004,
            "speed": "inf",
            "colour": "red",
            "region": "north",
        },
        {
            "prediction_id": "b",
            "event_time": 1_709_337_600_000_000,
            "size": None,
            "speed": 3.0,
            "colour": None,
            "region": None,
        },
    ]
    assert rows_of(config, frame[:0]) == []


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_times_keep_their_microseconds_in_any_unit(unit):
    times = pd.Series(TIMES[1:]).dt.as_unit(unit).dt.tz_convert("America/New_York")
    assert micros_of(times).tolist() == [1_709_337_600_000_000]


def test_numbers_as_ids_are_the_texts_that_the_tables_make_of_them(config, frame):
    frame["prediction_id"] = [7.0, 8.0]
    assert [row["prediction_id"] for row in rows_of(config, frame)] == ["7", "8"]
    assert landed_of(config, frame)["prediction_id"].tolist() == ["7", "8"]
    assert [event["prediction_id"] for event in events_of(config, frame)] == ["7", "8"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 0.0], "[1,0]"),
        ([1.5, 1e-7], "[1.5,1e-07]"),
        ([True, False], "[true,false]"),
        (["yes", "no"], '["yes","no"]'),
        (np.array([3, 4]), "[3,4]"),
    ],
)
def test_a_label_is_said_as_the_tables_would_write_it(config, frame, values, said):
    frame["value"] = values
    events = events_of(config, frame)
    assert json.dumps([event["value"] for event in events], separators=(",", ":")) == said
    assert [event["received_time"] for event in events] == micros_of(frame["_label_time"]).tolist()
    assert set(events[0]) == {"prediction_id", "value", "received_time"}


def test_a_number_in_text_is_a_number_where_the_label_is_one(tmp_path, frame):
    config = load_loop(write_loop(tmp_path, label={"kind": "regression"}), {})
    frame["value"] = ["1.50", "n/a"]
    assert [event["value"] for event in events_of(config, frame)] == [1.5, "n/a"]


def test_landed_rows_were_received_when_they_happened(config, frame):
    landed = landed_of(config, frame)
    assert list(landed) == [
        "prediction_id", "event_time", "received_time", "size", "speed", "colour", "region",
    ]  # fmt: skip
    assert (landed["received_time"] == landed["event_time"]).all()


def answer(score, prediction, **more):
    return Prediction("a", score, prediction, "1", "champion", "champion", **more)


def test_scores_keep_every_bit(tmp_path):
    config = load_loop(write_loop(tmp_path), {})
    rng = np.random.default_rng(0)
    numbers = rng.random(2_000) * 10.0 ** rng.integers(-300, 300, 2_000)
    through = [json.loads(encode({"score": number}))["score"] for number in numbers]
    scores = scores_of(config, [answer(number, 1) for number in through])
    assert scores.score.tobytes() == numbers.tobytes()
    assert scores.prediction.dtype == np.int64
    assert scores.class_scores is None


def test_scores_of_each_kind_have_the_types_of_the_models(tmp_path):
    regression = load_loop(write_loop(tmp_path / "r", label={"kind": "regression"}), {})
    assert scores_of(regression, [answer(2.5, 2.5)]).prediction.dtype == np.float64
    label = {"kind": "multiclass", "classes": ["x", "y", "z"]}
    several = load_loop(write_loop(tmp_path / "m", label=label), {})
    scores = scores_of(several, [answer(0.5, "y", class_scores={"z": 0.2, "y": 0.5, "x": 0.3})])
    assert scores.class_scores.tolist() == [[0.3, 0.5, 0.2]]
    assert scores.prediction.tolist() == ["y"]
    assert scores_of(several, []).class_scores.shape == (0, 3)


def test_an_answer_without_a_score_is_no_number(config):
    assert math.isnan(scores_of(config, [answer(None, 0)]).score[0])


def test_what_a_problem_names():
    pointers = ["/rows/3/size", "/rows/12", "/events/0/value", "/rows", "", "/rows/x/size"]
    problem = DoorProblem(422, "x", errors=tuple(FieldProblem(p, "bad") for p in pointers))
    assert refused_items(problem) == {0, 3, 12}


def test_a_history_says_who_said_what(tmp_path, frame):
    said = {"value": "value", "prediction_id": "prediction_id", "principal": "who", "source": "by"}
    source = {"predictions": {"path": "p"}, "feedback": {"path": "f", "columns": said}}
    config = load_loop(write_loop(tmp_path, source=source), {})
    frame = frame.assign(value=1, who=["ann", None][: len(frame)], by="desk")
    told = [(event["principal"], event["source"]) for event in events_of(config, frame)]
    assert told == [("ann", "desk"), (None, "desk")]
