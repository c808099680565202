"""People's labels on the way of all feedback: once, whole, and as the file spells them."""

from pathlib import Path

import pandas as pd
import pytest

from feedback_assets.assets.told_labels import tell_labels
from feedback_assets.assets.typed import cast_sql
from feedback_assets.labels.settled import LABEL_COLUMNS
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import START, World


def tell(world: World, values: dict[str, str]) -> Path:
    """Labels by prediction, as the asset `annotations` tells them; the landed file."""
    moment = pd.Timestamp(f"{START}T08:00Z")
    rows = pd.DataFrame(
        {
            "partition_key": START, "event_id": [f"review:{name}" for name in values],
            "prediction_id": list(values), "kind": "label", "value": list(values.values()),
            "source": "audit", "principal": "person:ann", "confidence": 0.9, "answers": 1,
            "unanimous": True, "tasks": "t", "event_time": moment, "received_time": moment,
        }
    )  # fmt: skip
    with connect(world.settings) as con, registered(con, "rows", rows):
        query = cast_sql("rows", LABEL_COLUMNS)
        cause = Cause("run", "annotations", {})
        labels = world.space.table("review_labels").replace(con, query, [START], cause)
        tell_labels(world.space, con, labels)
    return world.settings.landing / "tiny" / "feedback" / f"review-{START}.parquet"


@pytest.mark.parametrize("positive", ["1", "0", "2", "late", "true", "false"])
def test_a_label_arrives_as_it_was_meant(tmp_path: Path, positive: str) -> None:
    world = World(tmp_path, label={"positive": positive})
    tell(world, {"a": "1", "b": "0"})
    world.at("2024-01-02")
    world.materialize(["feedback_events"], [START])
    found = world.frame("feedback_events").set_index("prediction_id")
    assert found["value"].to_dict() == {"a": "1", "b": "0"}
    assert set(found["principal"]) == {"person:ann"}
    assert set(found["source"]) == {"audit"}


def test_another_landed_file_cannot_say_that_people_were_asked(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = tell(world, {"a": "1", "b": "0"})
    path.rename(path.with_name("00000001-review-.parquet"))
    world.at("2024-01-02")
    world.materialize(["feedback_events"], [START], raise_on_error=False)
    assert world.frame("feedback_events").empty
    (words,) = set(world.frame("feedback_events_quarantine")["reason"])
    assert words.startswith("source audit of principal person:ann is kept")


def test_the_same_labels_are_not_written_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = tell(world, {"a": "1"})
    before = path.stat().st_mtime_ns
    tell(world, {"a": "1"})
    assert path.stat().st_mtime_ns == before
    tell(world, {"a": "1", "b": "0"})
    assert len(pd.read_parquet(path)) == 2


def test_a_lost_file_is_written_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = tell(world, {"a": "1"})
    path.unlink()
    tell(world, {"a": "1"})
    assert path.exists()


@pytest.mark.parametrize(("kind", "value"), [("regression", "2.5"), ("binary", "0")])
def test_other_values_stay(tmp_path: Path, kind: str, value: str) -> None:
    assert pd.read_parquet(tell(World(tmp_path, kind), {"a": value}))["value"].tolist() == [value]
