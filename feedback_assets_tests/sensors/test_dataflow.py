"""Declarative automation brings old days up to date; restarts run nothing twice."""

from pathlib import Path
from typing import Any

import dagster as dg

from feedback_assets.assets.space import JUDGEMENTS
from feedback_assets.simulation.daemon import Ticker
from feedback_assets_tests.worlds import DAILY, World

OLD = "2024-01-02"


def evaluate(world: World, cursor: Any = None) -> dg.EvaluateAutomationConditionsResult:
    return dg.evaluate_automation_conditions(
        world.definitions,
        world.instance,
        asset_selection=dg.AssetSelection.groups("tiny"),
        cursor=cursor,
    )


def test_an_old_day_of_predictions_requests_what_is_built_on_it(world: World) -> None:
    world.live("2024-01-01", 3)
    world.at("2024-01-06")
    world.dataflow("2024-01-01", 5)
    first = evaluate(world)
    assert first.total_requested == 0
    world.materialize(["prediction_log"], [OLD])
    second = evaluate(world, first.cursor)
    table, counts = (world.space.key(name) for name in ("feedback_table", "profiles"))
    assert second.get_requested_partitions(table) == {OLD}
    world.materialize(["feedback_table"], [OLD])
    third = evaluate(world, second.cursor)
    either = second.get_requested_partitions(counts) | third.get_requested_partitions(counts)
    assert either == {OLD}
    assert third.get_requested_partitions(table) == set()
    world.materialize(JUDGEMENTS, [OLD])
    last = evaluate(world, third.cursor)
    assert last.total_requested == 0


def test_feedback_alone_is_left_to_the_late_feedback_sensor(world: World) -> None:
    world.live("2024-01-01", 3)
    world.at("2024-01-06")
    world.dataflow("2024-01-01", 5)
    first = evaluate(world)
    world.materialize(["feedback_events"], ["2024-01-03"])
    second = evaluate(world, first.cursor)
    assert second.total_requested == 0


def test_the_costly_assets_have_no_condition(world: World) -> None:
    keys = {
        key.path[-1]
        for key in world.definitions.resolve_asset_graph().materializable_asset_keys
        if world.definitions.resolve_asset_graph().get(key).automation_condition
    }
    assert keys == {"feedback_table", *JUDGEMENTS}


def test_the_loop_closes_and_a_restart_runs_nothing_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ready_mlflow()
    world.live("2024-01-01", 8)
    world.at("2024-01-12")
    done = list(world.ticker.settle())
    assert all(run.success for run in done)
    assert [run.sensor for run in done] == [
        "tiny_arrivals",
        "tiny_retrain",
        "tiny_promotion",
    ]
    assert done[0].assets == (
        "feedback_events",
        *(name for name in DAILY if name != "feedback_events"),
    )
    before = world.versions()
    restarted = Ticker(world.space, world.definitions, world.instance, world.clock)
    assert list(restarted.settle()) == []
    assert world.versions() == before
