"""The blocking contract: what it looks at, what it shows, what it stops."""

import dagster as dg
import pytest

from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import World

DAY, NEXT = "2024-01-01", "2024-01-02"


def contract(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "contract"]
    return found


def logged(world: World, spoiled: int, days: int = 1) -> dg.AssetCheckEvaluation:
    """Days of forty rows, of the first one `spoiled` out of range, and the check's word on them."""
    for day in world.days(DAY, days):
        rows = world.rows(day)
        if day == DAY:
            rows.loc[rows.index[:spoiled], "size"] = 99.0
        world.predict(rows, day)
    world.at("2024-01-09")
    keys = world.days(DAY, days)
    return contract(world.materialize(["prediction_log"], keys, raise_on_error=False))


@pytest.mark.parametrize(("spoiled", "passed"), [(0, True), (8, True), (9, False)])
def test_a_day_holds_while_few_enough_rows_are_refused(
    world: World, spoiled: int, passed: bool
) -> None:
    found = logged(world, spoiled)
    assert found.passed == passed
    assert found.blocking
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert found.metadata["quarantined"].value == spoiled
    assert found.metadata["rows"].value == 40 - spoiled
    if not passed:
        assert "9 of 40 rows refused, more than 20%" in (found.description or "")


def test_one_bad_day_of_a_run_is_enough(world: World) -> None:
    found = logged(world, spoiled=20, days=4)
    assert not found.passed
    assert found.metadata["partitions"].value == "2024-01-01..2024-01-04"


def test_other_days_of_the_table_are_not_its_business(world: World) -> None:
    assert not logged(world, spoiled=20).passed
    world.predict(world.rows(NEXT), NEXT)
    assert contract(world.materialize(["prediction_log"], [NEXT])).passed


def tampered(world: World) -> None:
    """A stored row that no contract would have let in."""
    table = world.space.table("prediction_log")
    query = f"""SELECT * REPLACE (CASE WHEN prediction_id LIKE '%-0003' THEN 99e0 ELSE size END AS size)
                FROM {table.snapshot().relation()}"""
    with connect(world.settings) as con:
        table.replace(con, query, [DAY], Cause("run", "test", {}))


def test_stored_rows_that_break_the_schema_are_shown(world: World) -> None:
    assert logged(world, spoiled=0).passed
    tampered(world)
    with pytest.raises(dg.Failure, match="size breaks"):
        world.materialize(["feedback_table"], [DAY])
    check = dg.AssetCheckKey(world.space.key("prediction_log"), "contract")
    alone = dg.define_asset_job("check_only", selection=dg.AssetSelection.checks(check))
    result = alone.resolve(asset_graph=world.definitions.resolve_asset_graph()).execute_in_process(
        instance=world.instance, raise_on_error=False
    )
    found = contract(result)
    assert not found.passed
    (row,) = found.metadata["failing_rows"].records
    assert (row.data["partition"], row.data["column"]) == (DAY, "size")


def test_rows_that_only_repeat_stored_ones_block_nothing(world: World) -> None:
    rows = world.rows(DAY)
    world.predict(rows, "first")
    world.predict(rows, "again")
    world.at("2024-01-09")
    found = contract(world.materialize(["prediction_log"], [DAY], raise_on_error=False))
    assert found.passed
    assert len(world.frame("prediction_log_quarantine")) == len(rows)
