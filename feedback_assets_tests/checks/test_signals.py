"""Warnings with numbers, which never stop anything."""

import dagster as dg
import pytest

from feedback_assets_tests.worlds import DAILY, World

DAY = "2024-01-01"


def signals(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    found = {e.check_name: e for e in result.get_asset_check_evaluations()}
    return {name: e for name, e in found.items() if name != "contract"}


def test_a_good_fresh_day_has_no_warning(world: World) -> None:
    world.live(DAY, 1)
    world.at("2024-01-02")
    found = signals(world.materialize(DAILY, [DAY]))
    assert set(found) == {
        "freshness", "quarantine_rate", "labels_arrived", "drift", "performance",
    }  # fmt: skip
    assert all(e.passed for e in found.values())


@pytest.mark.parametrize(("now", "passed"), [("2024-01-03T23:00", True), ("2024-01-04", False)])
def test_old_predictions_are_told(world: World, now: str, passed: bool) -> None:
    world.predict(world.rows(DAY, n=24), "p")
    world.at(now)
    found = signals(world.materialize(["prediction_log"], [DAY]))["freshness"]
    assert found.passed == passed
    assert f"{48 if passed else 49}.0 hours" in (found.description or "")
    assert found.severity == dg.AssetCheckSeverity.WARN


def test_refused_rows_are_told_and_stop_nothing(world: World) -> None:
    rows = world.rows(DAY)
    rows.loc[0, "size"] = 99.0
    world.predict(rows, "p")
    world.at("2024-01-02")
    result = world.materialize(DAILY, [DAY])
    found = signals(result)["quarantine_rate"]
    assert result.success
    assert not found.passed
    assert (found.metadata["quarantined"].value, found.metadata["received"].value) == (1, 40)
    assert (found.description or "").startswith("1 of 40 rows refused")


def test_labels_that_do_not_come_are_told_once_the_day_is_old(world: World) -> None:
    rows = world.live(DAY, 2, labels=False)
    world.feed(rows.iloc[40:], "second")
    world.at("2024-01-04T23:00")
    young = signals(world.dataflow(DAY, 4))["labels_arrived"]
    assert young.passed
    assert young.metadata["days_judged"].value == 0
    world.at("2024-01-06")
    old = signals(world.dataflow(DAY, 4))["labels_arrived"]
    assert not old.passed
    assert old.metadata["days_judged"].value == 2
    assert old.description == "few labels on 2024-01-01 0%"


def test_drift_and_worse_answers_are_told(world: World) -> None:
    world.first_model()
    day = "2024-01-12"
    rows = world.rows(day, n=100, shift=2.0, version="1")
    world.predict(rows, "p")
    world.feed(rows.assign(truth=1 - rows["truth"]), "f")
    world.at("2024-01-16")
    found = signals(world.dataflow(day, 4))
    assert not found["drift"].passed
    assert "1 of 4 days" in (found["drift"].description or "")
    assert "size" in (found["drift"].description or "")
    assert not found["performance"].passed
    realised = found["performance"].metadata["realised"].value
    assert realised > found["performance"].metadata["expected"].value
