"""Predictions that deserve a second look, each for a reason."""

from pathlib import Path

import numpy as np
import pytest

from feedback_assets.assets.space import DATAFLOW
from feedback_assets_tests.worlds import START, World

LATER = "2024-01-12"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with a champion and a later day on which much is odd."""
    world = World(tmp_path_factory.mktemp("flags"))
    world.first_model()
    world.live(LATER, 1, n=120, shift=30.0, version="1")
    world.at("2024-01-16")
    world.materialize(("feedback_events", *DATAFLOW), world.days(LATER, 4))
    return world


def of(world: World, reason: str):
    found = world.frame("flags")
    return found[(found["reason"] == reason) & (found["partition_key"] == LATER)]


def test_a_row_each_with_its_reason_in_words(world: World) -> None:
    found = world.frame("flags")
    assert not found.duplicated(["prediction_id", "reason"]).any()
    assert found["detail"].notna().all()
    assert (found["detail"].str.len() > 5).all()


def test_what_lies_outside_the_training_data_is_novel(world: World) -> None:
    assert of(world, "novel_input")["prediction_id"].nunique() > 60
    quiet = world.frame("flags").query("reason == 'novel_input' and partition_key < @LATER")
    assert len(quiet) < 10


def test_where_a_column_has_drifted_to(world: World) -> None:
    assert of(world, "drifted_region")["detail"].str.startswith("size: ").any()


def test_wrong_answers_are_those_of_the_feedback_table(world: World) -> None:
    table = world.frame("feedback_table")
    wrong = table[(table["label"].notna()) & (table["label"] != table["prediction"])]
    wrong = wrong[wrong["role"] != "shadow"]
    flagged = world.frame("flags").query("reason == 'error'")
    assert set(flagged["prediction_id"]) == set(wrong["prediction_id"])
    assert set(table.loc[table["flags"].fillna("").str.contains("error"), "prediction_id"]) == set(
        wrong["prediction_id"]
    )


def test_the_same_day_again_changes_nothing(world: World) -> None:
    before = world.space.table("flags").snapshot().partitions()[LATER].digest
    world.materialize(["flags"], [LATER])
    assert world.space.table("flags").snapshot().partitions()[LATER].digest == before


def test_the_day_tells_how_many(world: World) -> None:
    told = world.metadata("flags", LATER)
    day = world.frame("flags").query("partition_key == @LATER")
    assert told["flagged"] == day["prediction_id"].nunique()
    assert {row["reason"]: row["rows"] for row in told["reasons"]} == dict(
        day["reason"].value_counts()
    )


def test_before_the_first_model_rows_speak_for_themselves(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.live(START, 1, version="0")
    world.at("2024-01-05")
    world.materialize(("feedback_events", *DATAFLOW), world.days(START, 4))
    assert set(np.unique(world.frame("flags")["reason"])) <= {"low_confidence", "error"}


def test_a_regression_flags_errors_that_its_held_out_rows_did_not_have(tmp_path: Path) -> None:
    world = World(tmp_path, "regression")
    world.first_model()
    rows = world.live(LATER, 1, n=60, labels=False, version="1")
    far = rows.head(7)
    world.feed(rows.assign(truth=rows["score"]).drop(far.index), "right")
    world.feed(far.assign(truth=far["score"] + 50.0), "wrong")
    world.at("2024-01-16")
    world.materialize(("feedback_events", *DATAFLOW), world.days(LATER, 4))
    found = of(world, "error")
    assert set(found["prediction_id"]) == set(far["prediction_id"])
    assert found["detail"].str.contains("usually at most").all()
