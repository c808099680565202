"""What is said of labels that are still to come, through real runs: metadata, the trigger's wait."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.assets.arriving import Arriving, arriving
from feedback_assets.assets.evidence import gather
from feedback_assets.assets.space import DATAFLOW
from feedback_assets.errors import ConfigError
from feedback_assets.policy.decide import explain
from feedback_assets.policy.waiting import NAME
from feedback_assets.tables.connection import connect
from feedback_assets_tests.worlds import START, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Version 1 serves; of the newest days only the first labels are there."""
    world = World(
        tmp_path_factory.mktemp("arriving"),
        trigger={
            "when": {"new_labels": 20}, "min_new_labels": 10, "cooldown_days": 0,
            "wait": {"half_labels": 100},
        },
        label={"kind": "binary", "max_delay_days": 3, "selective": {"known_when": "speed < 12"}},
    )  # fmt: skip
    world.first_model()
    for day in world.days("2024-01-12", 3):
        rows = world.rows(day, n=80, version="1")
        world.predict(rows, f"answered {day}")
        world.feed(rows[rows["known"] <= "2024-01-15T06:00Z"], f"labels {day}")
    world.at("2024-01-15T06:00")
    world.dataflow("2024-01-12", 3)
    return world


def found(world: World) -> Arriving:
    with connect(world.settings) as con:
        source = world.space.table("feedback_table").snapshot()
        told = arriving(world.space, con, source, world.clock.now())
    assert told is not None
    return told


def test_the_report_tells_what_is_in_and_draws_the_curves(world: World) -> None:
    told = world.metadata("performance_report", "2024-01-14")
    assert "of the labels of 2024-01-07 to 2024-01-13 are in; 95% by " in told["labels_in"]
    assert "delay depends on the label" in told["delay_by_label"]
    assert told["delay_curves"].startswith("![share of rows whose label is there, by age]")
    assert "truth becomes known only where speed < 12" in told["selective_labels"]
    assert "nothing is known of the others" in told["selective_labels"]


def test_the_same_table_gives_the_same_report(world: World) -> None:
    before = world.versions()
    told = world.metadata("performance_report", "2024-01-14")
    world.materialize(["performance_report"], ["2024-01-14"])
    assert world.versions() == before
    assert world.metadata("performance_report", "2024-01-14")["labels_in"] == told["labels_in"]


def test_lines_and_days_are_told_for_the_command(world: World) -> None:
    told = found(world)
    assert any("of all rows get a label" in line for line in told.lines)
    assert {"partition_key", "age_days", "rows", "labels", "expected_share", "mature"} <= set(
        told.frame.columns
    )
    assert told.frame["rows"].sum() == 8 * 40 + 3 * 80
    week = told.week
    assert 0 < week.share < 1
    assert week.to_come == pytest.approx(week.rows - week.known, abs=25)
    assert set(told.segments) == {"region"}


def test_a_retrain_waits_for_labels_that_are_worth_more(world: World) -> None:
    now = world.clock.now()
    evidence = gather(world.space, world.instance, now)
    assert evidence.coming[0].days == 0
    later = [c.labels for c in evidence.coming]
    assert later == sorted(later)
    assert later[-1] == pytest.approx(240, rel=0.15), "every row of three days is owed a label"
    held = explain(world.config, evidence)
    assert held.decision.cause is None
    assert {g.name: g.met for g in held.gates}[NAME] is False
    assert "worth waiting" in held.decision.reason
    then = gather(world.space, world.instance, now + dt.timedelta(days=10))
    assert {g.name: g.met for g in explain(world.config, then).gates}[NAME] is True


def test_a_condition_that_does_not_run_names_its_field(tmp_path: Path) -> None:
    bad: dict[str, Any] = {"kind": "binary", "max_delay_days": 3, "selective": {"known_when": "no"}}
    world = World(tmp_path, label=bad)
    world.live(START, 1)
    world.at("2024-01-03")
    world.materialize(DATAFLOW[:2], [START])
    with pytest.raises(ConfigError, match=r"label\.selective\.known_when 'no' does not run"):
        found(world)
