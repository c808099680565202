"""What models answer, in the shapes that servers give them, for each kind of label."""

from typing import Any

import pytest

from feedback_assets.capture.importers.answers import Answers
from feedback_assets.capture.importers.layout import Layout
from feedback_assets.capture.importers.payloads import ROWS, rows_of, text_payload
from feedback_assets.capture.importers.records import UnexpectedError
from feedback_assets_tests.capture.conftest import make_config

from .conftest import COLUMNS

KINDS = {
    "binary": {"label": {"kind": "binary"}},
    "multiclass": {
        "label": {"kind": "multiclass", "classes": ["red", "green", "blue"]},
        "columns": {"class_scores": {"red": "p_red", "green": "p_green", "blue": "p_blue"}},
    },
    "plain": {"label": {"kind": "multiclass", "classes": ["0", "1", "2"]}},
    "regression": {"label": {"kind": "regression"}},
}


def answers(kind: str, column_map: dict[str, str] | None = None) -> Answers:
    changes: dict[str, Any] = {k: dict(v) for k, v in KINDS[kind].items()}
    changes["columns"] = {**COLUMNS, **changes.get("columns", {})}
    return Answers(Layout(make_config(**changes), "predictions", column_map))


def told(kind: str, payload: Any, count: int = 1, **more: Any) -> list[tuple]:
    reader = answers(kind, **more)
    return [tuple(reader.read(item)) for item in reader.items(payload, count)]


BINARY = [
    ([0.25], (0.25, None, None)),
    ({"predictions": [0.25]}, (0.25, None, None)),
    ({"predictions": [[0.25]]}, (0.25, None, None)),
    ({"predictions": [[0.75, 0.25]]}, (0.25, None, None)),
    ({"predictions": [1]}, (None, None, "1")),
    ({"predictions": ["1"]}, (None, None, "1")),
    ({"predictions": ["0.25"]}, (0.25, None, None)),
    ({"predictions": [1.0]}, (1.0, None, None)),
    ({"predictions": [True]}, (None, None, "true")),
    ({"predictions": ["late"]}, (None, None, "late")),
    ({"predictions": [1], "probabilities": [0.9]}, (0.9, None, "1")),
    ({"predictions": [1], "probabilities": [[0.1, 0.9]]}, (0.9, None, "1")),
    ({"predictions": [{"score": 0.9, "predicted_label": 1}]}, (0.9, None, "1")),
    ({"predictions": [{"classes": ["1", "0"], "scores": [0.9, 0.1]}]}, (0.9, None, None)),
    ({"outputs": [{"name": "p", "shape": [1, 2], "data": [0.1, 0.9]}]}, (0.9, None, None)),
    (
        {
            "outputs": [
                {"name": "label", "shape": [1], "data": [1]},
                {"name": "probabilities", "shape": [1, 2], "data": [0.1, 0.9]},
            ]
        },
        (0.9, None, "1"),
    ),
    ({"data": {"ndarray": [[0.1, 0.9]]}}, (0.9, None, None)),
    ({"data": {"names": ["proba"], "tensor": {"shape": [1, 1], "values": [0.9]}}}, (0.9, None, None)),
    ({"probability": 0.9}, (0.9, None, None)),
    ([{"prediction": 0, "score": 0.1}], (0.1, None, "0")),
    (0.25, (0.25, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "wanted"), BINARY)
def test_binary(payload: Any, wanted: tuple) -> None:
    assert told("binary", payload) == [wanted]


def test_many_rows() -> None:
    assert [one[0] for one in told("binary", {"predictions": [0.1, 0.9]}, 2)] == [0.1, 0.9]
    assert [one[0] for one in told("binary", [[0.1], [0.9]], 2)] == [0.1, 0.9]
    assert [one[0] for one in told("binary", [[0.9, 0.1], [0.1, 0.9]], 2)] == [0.1, 0.9]
    columns = {"prediction": [0, 1], "score": [0.1, 0.9]}
    assert told("binary", columns, 2) == [(0.1, None, "0"), (0.9, None, "1")]
    assert told("binary", {"outputs": columns}, 2) == told("binary", columns, 2)


def test_multiclass() -> None:
    shares = [0.2, 0.5, 0.3]
    wanted = [(0.5, shares, "green")]
    assert told("multiclass", [shares]) == wanted
    assert told("multiclass", {"predictions": [shares]}) == wanted
    assert told("multiclass", {"p_red": 0.2, "p_green": 0.5, "p_blue": 0.3}) == wanted
    assert told("multiclass", {"red": 0.2, "green": 0.5, "blue": 0.3}) == wanted
    assert (
        told("multiclass", [{"probabilities": {"red": 0.2, "green": 0.5, "blue": 0.3}}]) == wanted
    )
    order = {"classes": ["blue", "red", "green"], "scores": [0.3, 0.2, 0.5]}
    assert told("multiclass", [order]) == wanted
    assert told("multiclass", ["blue"]) == [(None, None, "blue")]
    assert told("multiclass", [{"prediction": "red", "probabilities": shares}]) == [
        (0.5, shares, "red")
    ]
    assert told("plain", [shares]) == [(0.5, None, "1")]
    assert told("plain", [2]) == [(None, None, "2")]


def test_regression() -> None:
    assert told("regression", [12]) == [(12.0, None, 12.0)]
    assert told("regression", {"predictions": ["12.5"]}) == [(12.5, None, 12.5)]
    assert told("regression", [{"value": 12.5, "lower_bound": 1}]) == [(12.5, None, 12.5)]
    assert told("regression", [{"prediction": 12.5}]) == [(12.5, None, 12.5)]


def test_names_and_positions_can_be_mapped() -> None:
    assert told("binary", [{"p": 0.9, "score": 0.1}], column_map={"p": "score"}) == [
        (0.9, None, None)
    ]
    by_place = {"0": "prediction", "1": "score"}
    assert told("binary", [[1, 0.9]], column_map=by_place) == [(0.9, None, "1")]


@pytest.mark.parametrize(
    ("kind", "payload", "count", "words"),
    [
        ("binary", [0.1, 0.9], 3, "3 answers are expected in the response; there are 2"),
        ("binary", {"error": "x"}, 1, "one answer is expected"),
        ("binary", None, 1, "one answer is expected"),
        ("binary", [1.5], 1, "a probability from 0 to 1"),
        ("binary", [[0.5, 0.9]], 1, "must hold the classes' probabilities"),
        ("binary", [None], 1, "gave no answer"),
        ("binary", [{"score": None}], 1, "the answer needs one of score"),
        ("binary", [{"score": "high"}], 1, "score is not a number"),
        ("multiclass", [[0.5, 0.5]], 1, r"probabilities \(red, green, blue\)"),
        ("multiclass", [[None, None, None]], 1, "gave no answer"),
        ("regression", ["far"], 1, "the answer is not a number"),
        ("regression", [{}], 1, "the answer needs one of score"),
    ],
)
def test_what_is_no_answer(kind: str, payload: Any, count: int, words: str) -> None:
    with pytest.raises(UnexpectedError, match=words):
        told(kind, payload, count)


ROW = {"distance": 1, "hour": 2, "carrier": "UA"}
INPUTS = [
    ({"dataframe_split": {"columns": ["distance", "hour", "carrier"], "data": [[1, 2, "UA"]]}}, ROW),
    ({"columns": ["distance", "hour", "carrier"], "index": [0], "data": [[1, 2, "UA"]]}, ROW),
    ({"dataframe_split": {"columns": [0, 1, 2], "data": [[1, 2, "UA"]]}}, [1, 2, "UA"]),
    ({"dataframe_records": [ROW]}, ROW),
    ({"instances": [[1, 2, "UA"]]}, [1, 2, "UA"]),
    ({"instances": [{"features": [1, 2, "UA"]}]}, [1, 2, "UA"]),
    ({"inputs": {"distance": [1], "hour": [2], "carrier": ["UA"]}}, ROW),
    ({"inputs": [[1, 2, "UA"]]}, [1, 2, "UA"]),
    ({"input_data": {"columns": ["distance", "hour", "carrier"], "data": [[1, 2, "UA"]]}}, ROW),
    ({"inputs": [{"name": "x", "shape": [1, 3], "data": [1, 2, "UA"]}]}, [1, 2, "UA"]),
    (
        {"inputs": [{"name": n, "shape": [1, 1], "data": [v]} for n, v in ROW.items()]},
        ROW,
    ),
    ({"data": {"names": list(ROW), "ndarray": [[1, 2, "UA"]]}}, ROW),
    ({"data": {"ndarray": [1, 2, "UA"]}}, [1, 2, "UA"]),
    ({"data": {"tensor": {"shape": [1, 3], "values": [1, 2, 3]}}}, [1, 2, 3]),
    ({"jsonData": [ROW]}, ROW),
    (ROW, ROW),
    ([ROW], ROW),
    ([1, 2, "UA"], [1, 2, "UA"]),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "wanted"), INPUTS)
def test_requests(payload: Any, wanted: Any) -> None:
    assert rows_of(payload, 3) == [wanted]


def test_a_loop_of_one_feature() -> None:
    for payload in ({"instances": ["good", "bad"]}, ["good", "bad"], [["good"], ["bad"]]):
        assert rows_of(payload, 1) == [["good"], ["bad"]]
    assert rows_of({"strData": "good"}, 1) == [["good"]]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (None, "the request is none of"),
        ([], "the request is none of"),
        ("x", "the request is none of"),
        ({"dataframe_split": []}, "dataframe_split needs columns and data"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "each row needs 2 values"),
        ({"inputs": [{"name": "x", "shape": [2, 2], "data": [1, 2, 3]}]}, "shape does not fit"),
        ({"inputs": [{"name": "x", "shape": [1, 10**12], "data": [1]}]}, "shape does not fit"),
        (
            {"inputs": [{"name": "x", "data": [1]}, {"name": "y", "data": [1, 2]}]},
            "different numbers of rows",
        ),
        ({"data": {"names": ["a"], "tensor": 7}}, "data needs ndarray"),
        ([[1]] * (ROWS + 1), "more than 100,000 rows"),
        ({"data": {"data": {"data": {"data": {"data": {"data": [1]}}}}}}, "the request is none of"),
    ],
)
def test_what_is_no_request(payload: Any, words: str) -> None:
    with pytest.raises(UnexpectedError, match=words):
        rows_of(payload, 3)


def test_encoded_texts() -> None:
    assert text_payload('1,"a,b"\n2,c\n', "CSV", "", "x") == [["1", "a,b"], ["2", "c"]]
    assert text_payload("1,a\r\n", "csv", "", "x") == [["1", "a"]]
    assert text_payload("[1]", "JSON", "", "x") == [1]
    assert text_payload('{"a": 1}\n{"a": 2}\n', "JSON", "application/jsonlines", "x") == [
        {"a": 1}, {"a": 2},
    ]  # fmt: skip
    assert text_payload("WzFd", "BASE64", "application/json", "x") == [1]
    assert text_payload("MSxh", "BASE64", "text/csv", "x") == [["1", "a"]]
    for data, encoding in (("{", "JSON"), ("!", "BASE64"), ("1", "AVRO"), ("/w==", "BASE64")):
        with pytest.raises(UnexpectedError, match="x "):
            text_payload(data, encoding, "text/csv", "x")
