"""Realised and estimated performance through real runs: labels late, promises, restated values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feedback_assets.assets.space import DATAFLOW
from feedback_assets_tests.worlds import World

FIRST, SECOND = "2024-01-12", "2024-01-13"


@dataclass(frozen=True)
class Served:
    """A champion has answered two days; what was said before and after their labels came."""

    world: World
    before: pd.DataFrame
    told_before: dict[str, Any]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    promise = {"metric": "accuracy", "target": 0.99, "checks": 2, "period": "day"}
    world = World(tmp_path_factory.mktemp("served"), performance={"sla": [promise]})
    world.first_model()
    world.at("2024-01-20")
    for day in (FIRST, SECOND):
        world.predict(world.rows(day, n=200, version="1"), f"answered {day}")
    world.materialize(DATAFLOW, [FIRST, SECOND])
    before = world.frame("performance_report")
    told = world.metadata("performance_report", FIRST)
    for day in (FIRST, SECOND):
        world.feed(world.rows(day, n=200, version="1"), f"labels {day}")
    world.dataflow(FIRST, 4)
    return Served(world, before, told)


def whole(frame: pd.DataFrame, kind: str, period: str = "day") -> pd.DataFrame:
    """Rows of everything together, by partition and metric."""
    here = frame[(frame["segment"] == "") & (frame["model_version"] == "")]
    here = here[(here["kind"] == kind) & (here["period"] == period)]
    return here.set_index(["partition_key", "metric"])


def test_before_labels_come_performance_is_estimated(served: Served) -> None:
    estimated, realised = whole(served.before, "estimated"), whole(served.before, "realised")
    loss = estimated.loc[(FIRST, "log_loss")]
    assert loss["low"] < loss["value"] < loss["high"]
    assert 0.2 < loss["value"] < 0.7
    assert pd.isna(realised.loc[(FIRST, "log_loss"), "value"])
    assert realised.loc[(FIRST, "log_loss"), "reason"] == "0 labels, 30 needed"
    told = served.told_before
    assert told["estimated_log_loss"] == loss["value"]
    assert told["expected_log_loss"] == pytest.approx(loss["expected"])
    assert "realised_log_loss" not in told
    assert whole(served.before, "adjusted").loc[(FIRST, "log_loss"), "value"] > 0


def test_when_labels_arrive_the_day_is_stated_anew_beside_its_estimate(served: Served) -> None:
    world = served.world
    frame = world.frame("performance_report")
    realised, estimated = whole(frame, "realised"), whole(frame, "estimated")
    for day in (FIRST, SECOND):
        loss = realised.loc[(day, "log_loss")]
        assert loss["labels"] == 200
        assert loss["low"] < loss["value"] < loss["high"]
        assert estimated.loc[(day, "log_loss"), "value"] > 0, "the estimate stays beside it"
    told = world.metadata("performance_report", FIRST)
    assert "0." in told["performance"]
    assert "data:image/png" in told["reliability"]
    assert whole(frame, "realised", "week").loc[(SECOND, "log_loss"), "labels"] == 400
    before = world.versions()
    world.materialize(["performance_report"], [FIRST, SECOND])
    assert world.versions() == before, "judging twice changes nothing"


def test_a_promise_is_broken_by_misses_in_a_row(served: Served) -> None:
    sla = served.world.frame("sla").set_index("partition_key")
    assert sla.loc[[FIRST, SECOND], "streak"].tolist() == [1, 2]
    assert sla.loc[[FIRST, SECOND], "broken"].tolist() == [False, True]
    assert served.world.metadata("performance_report", SECOND)["sla_streak"] == 2


def test_segments_and_versions_have_rows_of_their_own(served: Served) -> None:
    frame = served.world.frame("performance_report")
    assert set(frame.loc[frame["segment"] == "region", "segment_value"]) == {"north", "south"}
    assert "1" in set(frame["model_version"])


def test_without_a_model_there_is_nothing_to_report(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.live("2024-01-01", 1)
    world.at("2024-01-02")
    world.dataflow("2024-01-01", 1)
    assert world.frame("performance_report").empty
    assert world.metadata("findings", "2024-01-01")["findings"] == 0


def test_a_value_by_sql_is_realised_and_estimated(tmp_path: Path) -> None:
    kpi = {
        "name": "money",
        "unit": "EUR",
        "expression": "CASE WHEN label = prediction THEN 2 ELSE -1 END",
    }
    world = World(tmp_path, kpi=kpi)
    world.first_model()
    world.at("2024-01-20")
    rows = world.rows(FIRST, n=200, version="1")
    world.predict(rows, "answered")
    world.feed(rows, "labels")
    world.dataflow(FIRST, 4)
    frame = world.frame("performance_report")
    realised = whole(frame, "realised").loc[(FIRST, "value")]
    share = whole(frame, "realised").loc[(FIRST, "accuracy"), "value"]
    assert realised["value"] == pytest.approx(3 * share - 1)
    estimated = whole(frame, "estimated").loc[(FIRST, "value")]
    assert estimated["low"] < estimated["value"] < estimated["high"]
