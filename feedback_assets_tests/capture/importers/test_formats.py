"""Each format's fixture, written from its public field descriptions, lands as it should."""

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_assets.capture.importers.formats import FORMATS

from .conftest import FIXTURES, World, adds_up


def at(hour: int, second: float = 0) -> dt.datetime:
    moment = dt.datetime(2013, 2, 1, hour, tzinfo=dt.UTC)
    return moment + dt.timedelta(seconds=second)


def said(world: World) -> dict[str, tuple]:
    return {
        name: (row["distance"], row["hour"], row["carrier"], row["score"], row["prediction"])
        for name, row in world.good().items()
    }


BATCH = [(733.0, 8.0, "UA", 0.25, None), (2475.0, 8.0, "AA", 0.75, None)]


def test_every_format_has_a_fixture_that_says_where_its_fields_are_described() -> None:
    for name in FORMATS:
        text = (FIXTURES / name / "README.md").read_text()
        assert "https://" in text, name


def test_generic(world: World) -> None:
    names = {"call": "prediction_id", "at": "event_time", "proba": "score", "miles": "distance"}
    names["answered_by"] = "model_version"
    world.copy("generic/predictions.jsonl")
    landed = world.land("generic", column_map=names)
    assert (landed.records, landed.rows, landed.refused) == (3, 2, 1)
    assert adds_up(landed)
    assert said(world) == {"g-1": BATCH[0], "g-2": BATCH[1]}
    row = world.good()["g-2"]
    assert (row["origin"], row["model_version"]) == ("JFK", "5")
    assert row["event_time"] == row["received_time"] == at(8, 60)
    assert world.refused() == ["miles is not a number"]


def test_generic_feedback(world: World) -> None:
    world.copy("generic/feedback.csv")
    names = {"call": "prediction_id", "late": "value", "seen": "received_time"}
    landed = world.land("generic", "feedback", column_map=names)
    assert (landed.rows, landed.refused) == (2, 1)
    rows = [row for row in world.rows("feedback") if row["#broken"] is None]
    assert [(r["prediction_id"], r["value"], r["kind"], r["received_time"]) for r in rows] == [
        ("g-1", "0", "label", at(12)),
        ("g-2", "1", "label", at(13)),
    ]
    assert "prediction_id is missing" in world.refused("feedback")[0]


def test_sagemaker(world: World) -> None:
    world.copy("sagemaker/capture.jsonl")
    landed = world.land("sagemaker")
    assert (landed.records, landed.landed, landed.rows, landed.refused) == (6, 5, 6, 1)
    assert said(world) == {
        "0a5f-01": BATCH[0],
        "0a5f-02:0": BATCH[0],
        "0a5f-02:1": BATCH[1],
        "order-77": (200.0, 9.0, "B6", 0.9, "1"),
        "0a5f-04": (187.0, 10.0, "EV", 0.125, None),
        "0a5f-05": (94.0, 11.0, "EV", 0.0625, None),
    }
    assert world.good()["0a5f-05"]["origin"] == "LGA"
    assert world.good()["order-77"]["event_time"] == at(9)
    assert all(row["role"] == "served" for row in world.rows())
    assert "2 values by position where the loop has 3 features" in world.refused()[0]


def test_sagemaker_ground_truth(world: World) -> None:
    world.copy("sagemaker/ground_truth.jsonl")
    landed = world.land("sagemaker", "feedback")
    assert (landed.records, landed.rows, landed.refused) == (4, 4, 1)
    rows = world.good("feedback").values()
    assert {row["prediction_id"]: row["value"] for row in rows} == {
        "0a5f-01": "1",
        "0a5f-02:0": "0",
        "0a5f-02:1": "1",
        "order-77": "0",
    }
    assert len({row["event_id"] for row in rows}) == 4
    file = world.files()[0]
    assert all(
        row["received_time"] == file.modified.replace(microsecond=row["received_time"].microsecond)
        for row in rows
    )


DATABRICKS = {
    "d-1:0": BATCH[0],
    "d-1:1": BATCH[1],
    "order-77": (200.0, 9.0, "B6", 0.9, None),
    "d-3": (187.0, 10.0, "EV", 0.125, None),
    "d-4": (94.0, 11.0, "EV", None, "1"),
}


@pytest.mark.parametrize("parquet", [False, True])
def test_databricks(world: World, parquet: bool) -> None:
    world.copy("databricks/inference_table.jsonl")
    if parquet:
        path = world.source / "inference_table.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        for row in rows:
            row["request_metadata"] = list(row["request_metadata"].items())
        table = pa.Table.from_pylist(rows)
        kind = pa.map_(pa.string(), pa.string())
        at_ = table.schema.get_field_index("request_metadata")
        metadata = pa.array([row["request_metadata"] for row in rows], kind)
        pq.write_table(
            table.set_column(at_, "request_metadata", metadata), world.source / "part-0.parquet"
        )
    landed = world.land("databricks")
    assert (landed.records, landed.landed, landed.rows, landed.refused) == (6, 4, 5, 2)
    assert said(world) == DATABRICKS
    assert world.good()["order-77"]["origin"] == "JFK"
    assert world.good()["d-3"]["event_time"] == at(8)
    assert "status_code is not 200" in world.refused()[1]
    assert "none of the loop's columns is named" in world.refused()[0]
    assert "late-flights" not in str(world.rows()), "request_metadata was copied"


def test_kserve(world: World) -> None:
    world.copy("kserve/requests.jsonl", "kserve/responses.jsonl")
    landed = world.land("kserve")
    assert (landed.records, landed.landed, landed.rows) == (8, 6, 4)
    assert (landed.refused, landed.unpaired, landed.waiting) == (1, 1, 1)
    assert adds_up(landed)
    assert said(world) == {
        "k-1:0": BATCH[0],
        "k-1:1": BATCH[1],
        "k-2": (200.0, 9.0, "B6", 0.9, None),
        "k-4": (94.0, 11.0, "EV", 0.0625, None),
    }
    row = world.good()["k-2"]
    assert (row["event_time"], row["received_time"], row["model_version"]) == (at(9), at(9, 1), "7")
    assert "type must be org.kubeflow.serving.inference.request" in world.refused()[0]
    assert "secret-token" not in str(world.rows())


def test_seldon(world: World) -> None:
    world.copy("seldon/payloads.jsonl")
    landed = world.land("seldon")
    assert (landed.records, landed.landed, landed.rows, landed.refused) == (5, 4, 3, 1)
    assert said(world) == {
        "s-1:0": BATCH[0],
        "s-1:1": BATCH[1],
        "s-2": (200.0, 9.0, "B6", 0.9, None),
    }
    assert "secret-token" not in str(world.rows())


def test_seldon_feedback(world: World) -> None:
    world.copy("seldon/payloads.jsonl")
    landed = world.land("seldon", "feedback")
    assert (landed.records, landed.rows, landed.refused) == (2, 3, 0)
    rows = world.good("feedback").values()
    assert {(r["prediction_id"], r["kind"], r["value"], r["event_time"]) for r in rows} == {
        ("s-1:0", "label", "0", at(12)),
        ("s-1:1", "label", "1", at(12)),
        ("s-2", "reward", "1", at(13)),
    }


def test_azureml(world: World) -> None:
    world.copy("azureml/model_inputs.jsonl", "azureml/model_outputs.jsonl")
    landed = world.land("azureml")
    assert (landed.records, landed.landed, landed.rows, landed.refused) == (6, 4, 3, 2)
    assert said(world) == {
        "a-1:0": BATCH[0],
        "a-1:1": BATCH[1],
        "a-2": (200.0, 9.0, "6", None, "1"),
    }
    assert world.good()["a-1:0"]["model_version"] == "5"
    assert world.good()["a-1:1"]["origin"] == "JFK"


@pytest.mark.parametrize("parquet", [False, True])
def test_vertex(world: World, parquet: bool) -> None:
    world.copy("vertex/request_response_logging.jsonl")
    if parquet:
        path = world.source / "request_response_logging.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        for row in rows:
            row["request_id"] = Decimal(int(row["request_id"]))
            row["logging_time"] = at(8, 0.5)
        pq.write_table(pa.Table.from_pylist(rows), world.source / "export-000.parquet")
    landed = world.land("vertex")
    assert (landed.records, landed.landed, landed.rows, landed.refused) == (4, 3, 4, 1)
    assert said(world) == {
        "101:0": BATCH[0],
        "101:1": BATCH[1],
        "102": (200.0, 9.0, "B6", 0.9, None),
        "103": (187.0, 10.0, "EV", 0.125, None),
    }
    row = world.good()["101:0"]
    assert (row["event_time"], row["model_version"]) == (at(8, 0.5), "4711")
    assert "request_payload is missing" in world.refused()[0]


def test_bentoml(world: World) -> None:
    world.copy("bentoml/data.1.log", "bentoml/schema.1.log")
    landed = world.land("bentoml", column_map={"late_probability": "score"})
    assert (landed.records, landed.landed, landed.rows, landed.refused) == (4, 3, 3, 1)
    assert said(world) == {
        "9001": BATCH[0],
        "9001:1": BATCH[1],
        "9002": (200.0, 9.0, "B6", 0.9, None),
    }
    assert world.refused() == ["hour is not a number"]
    assert world.good()["9002"]["event_time"] == at(8, 0.25)


def test_bentoml_says_in_its_schema_log_what_is_prediction_and_target(world: World) -> None:
    world.copy("bentoml/data.1.log", "bentoml/schema.1.log")
    assert world.land("bentoml").rows == 3
    assert world.good()["9001"]["score"] == 0.25
    assert world.land("bentoml", "feedback").rows == 3


def test_bentoml_without_its_schema_log_asks_for_a_map(world: World) -> None:
    world.copy("bentoml/data.1.log")
    assert world.land("bentoml").refused == 4
    assert "map it: NAME=prediction" in world.refused()[0]


def test_bentoml_feedback(world: World) -> None:
    world.copy("bentoml/data.1.log", "bentoml/schema.1.log")
    landed = world.land("bentoml", "feedback", column_map={"late": "value"})
    assert (landed.records, landed.rows, landed.refused) == (4, 3, 1)
    rows = world.good("feedback").values()
    assert {(row["prediction_id"], row["value"]) for row in rows} == {
        ("9001:1", "1"),
        ("9002", "0"),
        ("9003", "0"),
    }
