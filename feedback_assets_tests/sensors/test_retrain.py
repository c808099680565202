"""When a candidate is trained: the policy as a table, and the sensor on real events."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from feedback_assets.assets.space import RETRAIN_TAG
from feedback_assets.sensors.retrain import Breach, Situation, decide, labels_since
from feedback_assets_tests.promotion.loops import loop_config
from feedback_assets_tests.sensors import scenes
from feedback_assets_tests.sensors.scenes import asked, causes, judge, keys, labels, pretend_model
from feedback_assets_tests.worlds import World, moment

RUN = [("labeled_pool candidate_model", "", "")]
CONFIG = loop_config(trigger={"new_labels": 500, "min_new_labels": 100, "cooldown_days": 7})
CALM = Situation(
    new_labels=200,
    last_version=3,
    champion_version=3,
    days_since_retrain=10.0,
    breaches=(),
    in_flight=0,
)
BREACH = Breach("2024-01-05", 2, "abc", "3", "size 0.9 sd higher")


@pytest.mark.parametrize(
    ("change", "cause", "key"),
    [
        ({}, None, ""),
        ({"new_labels": 500}, "new labels", "labels:3:1"),
        ({"new_labels": 499}, None, ""),
        ({"new_labels": 1001}, "new labels", "labels:3:2"),
        ({"breaches": [BREACH]}, "drift", "drift:2024-01-05:abc"),
        ({"breaches": [BREACH], "new_labels": 500}, "drift", "drift:2024-01-05:abc"),
        ({"breaches": [BREACH], "new_labels": 99}, None, ""),
        ({"breaches": [BREACH], "days_since_retrain": 6.9}, None, ""),
        ({"breaches": [BREACH], "days_since_retrain": 7.0}, "drift", "drift:2024-01-05:abc"),
        ({"new_labels": 5000, "days_since_retrain": 0.0}, None, ""),
        ({"new_labels": 5000, "in_flight": 1}, None, ""),
        ({"days_since_retrain": None, "new_labels": 500}, "new labels", "labels:3:1"),
        ({"last_version": None, "new_labels": 500}, "first model", "first:1"),
        ({"last_version": None, "new_labels": 499}, None, ""),
        ({"last_version": None, "new_labels": 500, "in_flight": 1}, None, ""),
        ({"last_version": None, "breaches": [BREACH]}, None, ""),
    ],
)
def test_the_policy(change: dict[str, object], cause: str | None, key: str) -> None:
    verdict = decide(CONFIG, replace(CALM, **change))  # type: ignore[arg-type]
    assert (verdict.cause, verdict.run_key) == (cause, key)


@pytest.mark.parametrize(
    ("trigger", "change", "cause"),
    [
        ({"on_drift": False}, {"breaches": [BREACH]}, None),
        ({"drift_columns": 3}, {"breaches": [BREACH]}, None),
        ({"drift_columns": 2}, {"breaches": [BREACH]}, "drift"),
        ({"new_labels": None}, {"new_labels": 100_000}, None),
        ({"every_days": 10}, {}, "schedule"),
        ({"every_days": 11}, {}, None),
        ({"every_days": 10}, {"new_labels": 99}, None),
        ({"cooldown_days": 0}, {"new_labels": 500, "days_since_retrain": 0.0}, "new labels"),
        ({"min_new_labels": 0}, {"breaches": [BREACH], "new_labels": 0}, "drift"),
    ],
)
def test_each_number_of_the_policy_counts(
    trigger: dict[str, object], change: dict[str, object], cause: str | None
) -> None:
    base = {"new_labels": 500, "min_new_labels": 100, "cooldown_days": 7}
    config = loop_config(trigger={**base, **trigger})
    assert decide(config, replace(CALM, **change)).cause == cause  # type: ignore[arg-type]


def test_a_schedule_has_one_key_a_period() -> None:
    config = loop_config(trigger={"every_days": 10, "new_labels": None, "min_new_labels": 0})
    now = [decide(config, replace(CALM, days_since_retrain=d)).run_key for d in (10.0, 19.9, 20.0)]
    assert now == ["schedule:3:1", "schedule:3:1", "schedule:3:2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "0 of 1 drifted columns; 200 of 500 new labels"),
        ({"in_flight": 1}, "in flight; 200 of 500"),
        ({"days_since_retrain": 2.5}, "another 4.5 of 7 days; 200 of 500 new labels"),
        ({"new_labels": 7, "breaches": [BREACH]}, "7 of at least 100 new labels; 2 of 1 drifted"),
        ({"last_version": None}, "no model yet; 200 of 500 new labels"),
    ],
)
def test_a_wait_is_explained_with_numbers(change: dict[str, object], words: str) -> None:
    assert words in decide(CONFIG, replace(CALM, **change)).reason  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with eight labelled days."""
    world = World(tmp_path_factory.mktemp("labelled"))
    labels(world)
    return world.settings.root


@pytest.fixture
def labelled(home: Path, world: World) -> World:
    """The same days in a world of its own."""
    shutil.copytree(home, world.settings.root)
    world.at("2024-01-12")
    return world


def serving(world: World) -> str:
    """Version 1 serves, trained as of the 7th, with fewer than 150 labels since; a tick has seen it all."""
    pretend_model(world, 1, "2024-01-07")
    scenes.decide(world, "retrain", 1, "2024-01-07")
    scenes.decide(world, "promote", 1, "2024-01-07")
    tick = world.tick("retrain")
    assert asked(tick) == []
    return tick.cursor or ""


def test_the_first_events_ask_for_the_first_model(labelled: World) -> None:
    world = labelled
    tick = world.tick("retrain")
    assert (asked(tick), causes(tick)) == (RUN, ["first model"])
    assert keys(tick) == ["tiny:retrain:first:2"]
    (request,) = tick.run_requests or ()
    assert request.tags[RETRAIN_TAG] == "tiny"
    assert "320 of 150 new labels" in request.tags["feedback_assets/evidence"]


def test_before_any_data_it_waits(world: World) -> None:
    tick = world.tick("retrain")
    assert (asked(tick), tick.skip_message) == ([], "no model yet; 0 of 150 new labels")


def test_nothing_new_is_skipped_with_numbers(labelled: World) -> None:
    cursor = serving(labelled)
    new = labels_since(labelled.space, moment("2024-01-07"))
    assert 40 <= new < 150
    tick = labelled.tick("retrain", cursor)
    assert asked(tick) == []
    assert tick.skip_message == f"0 of 1 drifted columns; {new} of 150 new labels"


def test_a_drifted_day_asks_for_a_candidate(labelled: World) -> None:
    cursor = serving(labelled)
    judge(labelled, "2024-01-08", "stable")
    judge(labelled, "2024-01-09", "drift")
    tick = labelled.tick("retrain", cursor)
    assert (asked(tick), causes(tick)) == (RUN, ["drift"])
    assert keys(tick) == ["tiny:retrain:drift:2024-01-09:drift-2024-01-09"]
    (request,) = tick.run_requests or ()
    evidence = json.loads(request.tags["feedback_assets/evidence"])
    assert evidence["reason"] == "2024-01-09: size moved on 2024-01-09"


def more_labels(world: World) -> None:
    world.live("2024-01-09", 2)
    world.at("2024-01-14")
    world.materialize(
        ["prediction_log", "feedback_events", "feedback_table"], world.days("2024-01-09", 4)
    )


def test_enough_labels_ask_for_a_candidate(labelled: World) -> None:
    cursor = serving(labelled)
    more_labels(labelled)
    tick = labelled.tick("retrain", cursor)
    assert (asked(tick), causes(tick)) == (RUN, ["new labels"])
    assert keys(tick) == ["tiny:retrain:labels:1:1"]


def test_both_ask_for_one_candidate(labelled: World) -> None:
    cursor = serving(labelled)
    more_labels(labelled)
    judge(labelled, "2024-01-09", "drift")
    tick = labelled.tick("retrain", cursor)
    assert (asked(tick), causes(tick)) == (RUN, ["drift"])


def test_a_breach_within_a_backfill_is_not_overlooked(labelled: World) -> None:
    cursor = serving(labelled)
    for day in labelled.days("2024-01-07", 20):
        judge(labelled, day, "drift" if day == "2024-01-09" else "stable")
    assert causes(labelled.tick("retrain", cursor)) == ["drift"]


def test_a_breach_during_the_cooldown_is_kept_until_after_it(labelled: World) -> None:
    cursor = serving(labelled)
    scenes.decide(labelled, "retrain", 2, "2024-01-11")
    judge(labelled, "2024-01-11", "drift")
    tick = labelled.tick("retrain", cursor)
    assert asked(tick) == []
    assert "cooldown for another 1.0 of 2 days" in (tick.skip_message or "")
    labelled.at("2024-01-13")
    assert causes(labelled.tick("retrain", tick.cursor)) == ["drift"]


def test_a_breach_that_is_judged_again_as_stable_is_dropped(labelled: World) -> None:
    cursor = serving(labelled)
    scenes.decide(labelled, "retrain", 2, "2024-01-11")
    judge(labelled, "2024-01-11", "drift")
    tick = labelled.tick("retrain", cursor)
    judge(labelled, "2024-01-11", "stable")
    labelled.at("2024-01-13")
    tick = labelled.tick("retrain", tick.cursor)
    assert asked(tick) == []
    assert (tick.skip_message or "").startswith("0 of 1 drifted columns")


@pytest.mark.parametrize(
    ("day", "version", "why"),
    [
        ("2024-01-05", 1, "a retrain has answered the day already"),
        ("2024-01-09", 9, "another model's reference said so"),
    ],
)
def test_a_breach_that_says_nothing_of_the_champion_does_not_count(
    labelled: World, day: str, version: int, why: str
) -> None:
    cursor = serving(labelled)
    judge(labelled, day, "drift", version=version)
    assert asked(labelled.tick("retrain", cursor)) == [], why


def test_a_retrain_in_flight_is_awaited(labelled: World) -> None:
    cursor = serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    run = labelled.instance.create_run_for_job(
        labelled.job, tags={RETRAIN_TAG: "tiny"}, status=DagsterRunStatus.STARTED
    )
    tick = labelled.tick("retrain", cursor)
    assert asked(tick) == []
    assert "a retrain is in flight" in (tick.skip_message or "")
    labelled.instance.report_run_failed(run)
    assert causes(labelled.tick("retrain", tick.cursor)) == ["drift"]


def test_a_cause_that_was_answered_does_not_ask_again(labelled: World) -> None:
    cursor = serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    first = labelled.tick("retrain", cursor)
    assert asked(labelled.tick("retrain", first.cursor)) == []


def test_a_lost_cursor_asks_under_the_same_key(labelled: World) -> None:
    cursor = serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    assert keys(labelled.tick("retrain", None)) == keys(labelled.tick("retrain", cursor))


def test_a_lost_cursor_after_the_retrain_asks_for_nothing(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    pretend_model(labelled, 2, "2024-01-12")
    scenes.decide(labelled, "retrain", 2, "2024-01-12")
    labelled.at("2024-01-20")
    assert asked(labelled.tick("retrain", None)) == []


def test_time_that_passed_without_the_loop_is_no_reason_to_train(
    home: Path, tmp_path: Path
) -> None:
    world = World(tmp_path, trigger={"every_days": 10, "min_new_labels": 40, "new_labels": 1_000})
    shutil.copytree(home, world.settings.root)
    serving(world)
    world.at("2024-01-13")
    assert "0 of 1 drifted columns" in (world.tick("retrain").skip_message or "")
    world.at("2026-01-01")
    assert asked(world.tick("retrain")) == []
    world.live("2025-12-30", 1)
    world.materialize(["prediction_log", "feedback_table"], ["2025-12-30"])
    assert causes(world.tick("retrain")) == ["schedule"]
