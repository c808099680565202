"""Each event once; every run tells which prediction days its new events are about."""

import json

import dagster as dg
import pandas as pd
import pytest

from feedback_assets.assets import feedback_events
from feedback_assets_tests.worlds import World

DAY, NEXT = "2024-01-01", "2024-01-02"


def told(world: World) -> tuple[list[str], int, int, int]:
    """Affected days, new events, those about unknown predictions, those beyond the horizon."""
    found = world.metadata("feedback_events")
    days = json.loads(found["affected_partitions"])
    return days, found["new_events"], found["unknown_predictions"], found["beyond_horizon"]


def predicted(world: World, days: int = 3) -> pd.DataFrame:
    rows = world.live(DAY, days, labels=False)
    world.at("2024-01-20")
    world.materialize(["prediction_log"], world.days(DAY, days))
    return rows


def received(world: World, *days: str) -> None:
    world.materialize(["feedback_events"], list(days))


def test_an_event_is_stored_once_and_counts_add_up(world: World) -> None:
    rows = world.rows(DAY, n=12)
    at = pd.Timestamp(f"{NEXT}T10:00:00Z")
    world.feed(rows, "f", event_id=list("abcdefghijkl"), received_time=at)
    world.feed(rows.head(2), "again", event_id=["a", "b"], received_time=at)
    world.feed(rows.tail(1), "bad", event_id=["z"], value="perhaps", received_time=at)
    world.at("2024-01-03")
    received(world, NEXT)
    found = world.metadata("feedback_events", NEXT)
    assert (found["received"], found["stored"], found["quarantined"]) == (15, 12, 3)
    assert world.frame("feedback_events")["event_id"].tolist() == list("abcdefghijkl")
    reasons = world.frame("feedback_events_quarantine")["reason"]
    assert (reasons == "duplicate event").sum() == 2


def test_exactly_the_days_that_events_are_about_are_told(world: World) -> None:
    rows = predicted(world)
    first, third = rows.iloc[:2], rows.iloc[[80]]
    at = pd.Timestamp("2024-01-03T23:00:00Z")
    world.feed(pd.concat([first, third]), "f", received_time=at)
    received(world, "2024-01-03")
    assert told(world) == ([DAY, "2024-01-03"], 3, 0, 0)


def test_events_beyond_the_horizon_or_about_nothing_concern_no_day(world: World) -> None:
    rows = predicted(world)
    at = pd.Timestamp("2024-01-04T10:00:00Z")
    too_late = rows.iloc[:1]
    world.feed(too_late, "late", received_time=at)
    world.feed(too_late, "stray", received_time=at, prediction_id="nobody")
    received(world, "2024-01-04")
    assert told(world) == ([], 2, 1, 1)


def test_what_was_told_is_not_told_again(world: World) -> None:
    rows = predicted(world)
    world.feed(rows.iloc[:1], "f", received_time=pd.Timestamp("2024-01-02T01:00:00Z"))
    received(world, NEXT)
    received(world, NEXT)
    assert told(world) == ([], 0, 0, 0)
    world.feed(rows.iloc[[45]], "g", received_time=pd.Timestamp("2024-01-02T12:00:00Z"))
    received(world, NEXT)
    assert told(world) == ([NEXT], 1, 0, 0)


def test_a_run_that_died_before_it_could_tell_is_made_good(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = predicted(world)
    world.feed(rows.iloc[:1], "f", received_time=pd.Timestamp("2024-01-02T01:00:00Z"))
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise RuntimeError("killed")

        patch.setattr(feedback_events, "partitioned_result", die)
        with pytest.raises(RuntimeError, match="killed"):
            received(world, NEXT)
    assert len(world.frame("feedback_events")) == 1
    received(world, NEXT)
    assert told(world) == ([DAY], 1, 0, 0)


def test_materializing_twice_changes_nothing(world: World) -> None:
    world.feed(world.rows(DAY), "f")
    world.at("2024-01-05")
    days = world.days(DAY, 4)
    received(world, *days)
    before = world.versions()
    received(world, *days)
    assert world.versions() == before


def test_the_contract_check_is_there_and_holds(world: World) -> None:
    world.feed(world.rows(DAY), "f")
    world.at("2024-01-05")
    result = world.materialize(["feedback_events"], world.days(DAY, 4))
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == ("contract", True)
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
