"""When a candidate is trained: the trigger policy on real events, runs, decisions and tables."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterRunStatus
from dagster._core.storage.tags import RUN_KEY_TAG

from feedback_assets.assets.evidence import fired_by, gather, labels_since
from feedback_assets.assets.space import EVIDENCE_TAG, RETRAIN_TAG
from feedback_assets.promotion.decisions import Decision
from feedback_assets_tests.sensors import scenes
from feedback_assets_tests.sensors.scenes import (
    asked,
    causes,
    judge,
    keys,
    labels,
    pretend_model,
    tell,
)
from feedback_assets_tests.worlds import World, moment

RUN = [("labeled_pool candidate_model", "", "")]
ANY_TEN_DAYS = {"any": [{"drift": {}}, {"new_labels": 1_000}, {"every_days": 10}]}


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


def serving(world: World) -> None:
    """Version 1 serves, trained as of the 7th, with fewer than 150 labels since."""
    pretend_model(world, 1, "2024-01-07")
    scenes.decide(world, "retrain", 1, "2024-01-07")
    scenes.decide(world, "promote", 1, "2024-01-07")
    assert asked(world.tick("retrain")) == []


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
    serving(labelled)
    new = labels_since(labelled.space, moment("2024-01-07"))
    assert 40 <= new < 150
    tick = labelled.tick("retrain")
    assert asked(tick) == []
    assert tick.skip_message == f"0 of 1 drifted columns; {new} of 150 new labels"
    assert tick.cursor is None


def test_a_drifted_day_asks_for_a_candidate(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-08", "stable")
    judge(labelled, "2024-01-09", "drift")
    tick = labelled.tick("retrain")
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
    serving(labelled)
    more_labels(labelled)
    tick = labelled.tick("retrain")
    assert (asked(tick), causes(tick)) == (RUN, ["new labels"])
    assert keys(tick) == ["tiny:retrain:labels:1:1"]


def test_both_ask_for_one_candidate(labelled: World) -> None:
    serving(labelled)
    more_labels(labelled)
    judge(labelled, "2024-01-09", "drift")
    tick = labelled.tick("retrain")
    assert (asked(tick), causes(tick)) == (RUN, ["drift"])


def test_a_breach_within_a_backfill_is_not_overlooked(labelled: World) -> None:
    serving(labelled)
    for day in labelled.days("2024-01-07", 20):
        judge(labelled, day, "drift" if day == "2024-01-09" else "stable")
    assert causes(labelled.tick("retrain")) == ["drift"]


def test_a_breach_during_the_cooldown_is_kept_until_after_it(labelled: World) -> None:
    serving(labelled)
    scenes.decide(labelled, "retrain", 2, "2024-01-11")
    judge(labelled, "2024-01-11", "drift")
    tick = labelled.tick("retrain")
    assert asked(tick) == []
    assert "cooldown for another 1.0 of 2 days" in (tick.skip_message or "")
    labelled.at("2024-01-13")
    assert causes(labelled.tick("retrain")) == ["drift"]


def test_a_breach_that_is_judged_again_as_stable_is_dropped(labelled: World) -> None:
    serving(labelled)
    scenes.decide(labelled, "retrain", 2, "2024-01-11")
    judge(labelled, "2024-01-11", "drift")
    tick = labelled.tick("retrain")
    judge(labelled, "2024-01-11", "stable")
    labelled.at("2024-01-13")
    tick = labelled.tick("retrain")
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
    serving(labelled)
    judge(labelled, day, "drift", version=version)
    assert asked(labelled.tick("retrain")) == [], why


def test_a_retrain_in_flight_is_awaited(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    run = labelled.instance.create_run_for_job(
        labelled.job, tags={RETRAIN_TAG: "tiny"}, status=DagsterRunStatus.STARTED
    )
    tick = labelled.tick("retrain")
    assert asked(tick) == []
    assert "a retrain is in flight" in (tick.skip_message or "")
    labelled.instance.report_run_failed(run)
    assert causes(labelled.tick("retrain")) == ["drift"]


def retrain_run(world: World, key: str | None, status: DagsterRunStatus) -> None:
    """A retrain as the daemon starts it."""
    tags = {RETRAIN_TAG: "tiny", RUN_KEY_TAG: key or ""}
    world.instance.create_run_for_job(world.job, tags=tags, status=status)


def test_a_run_that_failed_waits_for_new_evidence(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    (key,) = keys(labelled.tick("retrain"))
    retrain_run(labelled, key, DagsterRunStatus.FAILURE)
    tick = labelled.tick("retrain")
    assert asked(tick) == []
    assert "asked already" in (tick.skip_message or "")
    judge(labelled, "2024-01-10", "drift")
    assert keys(labelled.tick("retrain")) == ["tiny:retrain:drift:2024-01-10:drift-2024-01-10"]


def test_the_same_evidence_asks_under_the_same_key(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    assert keys(labelled.tick("retrain")) == keys(labelled.tick("retrain"))


def test_after_the_retrain_the_drift_is_answered(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-09", "drift")
    pretend_model(labelled, 2, "2024-01-12")
    scenes.decide(labelled, "retrain", 2, "2024-01-12")
    labelled.at("2024-01-20")
    assert asked(labelled.tick("retrain")) == []


def test_time_that_passed_without_the_loop_is_no_reason_to_train(
    home: Path, tmp_path: Path
) -> None:
    world = World(tmp_path, trigger={"when": ANY_TEN_DAYS})
    shutil.copytree(home, world.settings.root)
    serving(world)
    world.at("2024-01-13")
    assert "0 of 1 drifted columns" in (world.tick("retrain").skip_message or "")
    world.at("2026-01-01")
    assert asked(world.tick("retrain")) == []
    world.live("2025-12-30", 1)
    world.materialize(["prediction_log", "feedback_table"], ["2025-12-30"])
    assert causes(world.tick("retrain")) == ["schedule"]


def of_policy(home: Path, root: Path, when: dict[str, Any], **trigger: Any) -> World:
    """The labelled days, with version 1 serving, under another policy."""
    sla = [{"metric": "log_loss", "target": 0.4}]
    world = World(root, trigger={"when": when, **trigger}, performance={"sla": sla})
    shutil.copytree(home, world.settings.root)
    world.at("2024-01-12")
    serving(world)
    return world


def report(world: World, day: str, **metadata: Any) -> None:
    """A day's performance as its event tells it."""
    tell(world, "performance_report", day, **metadata)


SURE = {"estimated_log_loss": 0.7, "estimated_log_loss_low": 0.62, "estimated_log_loss_high": 0.8}


def test_an_estimated_loss_asks_for_a_candidate(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"estimated_loss": {"worse_by": 0.2}})
    assert "estimated log_loss is not known" in (world.tick("retrain").skip_message or "")
    report(world, "2024-01-08", **SURE, expected_log_loss=0.6)
    assert "at least 3.3% worse" in (world.tick("retrain").skip_message or "")
    report(world, "2024-01-09", **SURE, expected_log_loss=0.5)
    tick = world.tick("retrain")
    assert causes(tick) == ["estimated loss"]
    assert keys(tick) == ["tiny:retrain:estimated:1:2024-01-09"]


@pytest.mark.parametrize(
    "unknown",
    [
        {**SURE, "expected_log_loss": None},
        {**SURE, "expected_log_loss": float("nan")},
        {**SURE},
        {**SURE, "expected_log_loss": 0.5, "estimated_log_loss_low": float("nan")},
        {"estimated_log_loss": 0.9, "expected_log_loss": 0.5},
        {"reason": "12 labels, 30 needed"},
    ],
)
def test_what_is_not_known_asks_for_nothing(
    home: Path, tmp_path: Path, unknown: dict[str, Any]
) -> None:
    world = of_policy(home, tmp_path, {"estimated_loss": {"worse_by": 0.01}})
    report(world, "2024-01-09", **unknown)
    assert asked(world.tick("retrain")) == []


def test_days_before_the_champion_say_nothing_of_it(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"sla_streak": 2})
    report(world, "2024-01-06", sla_streak=5)
    assert asked(world.tick("retrain")) == []
    report(world, "2024-01-08", sla_streak=2)
    assert causes(world.tick("retrain")) == ["missed promise"]


def test_the_newest_word_on_a_day_counts(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"sla_streak": 2})
    report(world, "2024-01-08", sla_streak=2)
    report(world, "2024-01-08", sla_streak=0)
    assert asked(world.tick("retrain")) == []


def test_a_candidate_is_trained_when_the_drift_has_labels(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"all": [{"drift": {}}, {"coverage": 0.9}]})
    judge(world, "2024-01-08", "drift")
    assert gather(world.space, world.instance, world.clock.now()).coverage == 1.0
    assert causes(world.tick("retrain")) == ["drift and coverage"]
    unlabelled = world.live("2024-01-09", 1, labels=False)
    world.materialize(["prediction_log", "feedback_table"], ["2024-01-09"])
    judge(world, "2024-01-09", "stable")
    assert gather(world.space, world.instance, world.clock.now()).coverage == 1.0
    judge(world, "2024-01-09", "drift")
    tick = world.tick("retrain")
    assert asked(tick) == []
    assert "labels on 50% of the drifted days' rows, 90% asked" in (tick.skip_message or "")
    assert len(unlabelled) == 40


def test_the_weight_of_the_drifted_columns_counts(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"drift": {"weight": 1.5}})
    judge(world, "2024-01-08", "drift")
    assert "weight not known of 1.5" in (world.tick("retrain").skip_message or "")
    judge(world, "2024-01-09", "drift", weight=1.0)
    assert asked(world.tick("retrain")) == []
    judge(world, "2024-01-10", "drift", weight=2.0)
    assert causes(world.tick("retrain")) == ["drift"]


def test_a_drift_that_goes_on_after_a_refused_candidate_is_not_asked_again(
    home: Path, tmp_path: Path
) -> None:
    world = of_policy(home, tmp_path, {"drift": {}}, rearm=0.5)
    judge(world, "2024-01-09", "drift")
    (request,) = world.tick("retrain").run_requests or ()
    # The candidate is trained for it, and refused: version 1 goes on.
    pretend_model(world, 2, "2024-01-07")
    scenes.decide(world, "retrain", 2, "2024-01-12", told=request.tags[EVIDENCE_TAG])
    world.at("2024-01-20")
    judge(world, "2024-01-13", "drift")
    assert world.tick("retrain").skip_message == "drift caused the last retrain"
    assert not gather(world.space, world.instance, world.clock.now()).promoted_since
    judge(world, "2024-01-14", "stable")
    judge(world, "2024-01-15", "drift")
    assert causes(world.tick("retrain")) == ["drift"]


def test_a_drift_against_the_new_champion_is_another_one(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"drift": {}}, rearm=0.5)
    judge(world, "2024-01-09", "drift")
    (request,) = world.tick("retrain").run_requests or ()
    pretend_model(world, 2, "2024-01-07")
    scenes.decide(world, "retrain", 2, "2024-01-12", told=request.tags[EVIDENCE_TAG])
    scenes.decide(world, "promote", 2, "2024-01-12")
    world.at("2024-01-20")
    judge(world, "2024-01-13", "drift", version=2)
    assert causes(world.tick("retrain")) == ["drift"]


@pytest.mark.parametrize(
    "told", ["", "by hand", "[]", "3", '{"fired": null}', '{"fired": {"drift": "x"}}', "{}"]
)
def test_a_retrain_that_tells_nothing_spends_nothing(told: str) -> None:
    decision = Decision(
        loop="tiny",
        kind="retrain",
        time=moment("2024-01-12"),
        cause="by hand",
        rule="by hand",
        reason="",
        evidence={"told": told},
    )
    assert fired_by(decision) == {}


def test_a_key_of_another_grain_is_left_alone(home: Path, tmp_path: Path) -> None:
    world = of_policy(home, tmp_path, {"drift": {}})
    judge(world, "2024-01-09T07", "drift")
    assert asked(world.tick("retrain")) == []


def test_an_insufficient_day_is_not_a_stable_one(labelled: World) -> None:
    serving(labelled)
    judge(labelled, "2024-01-09", "insufficient")
    assert gather(labelled.space, labelled.instance, labelled.clock.now()).drift == []
    judge(labelled, "2024-01-09", "broken", columns=0)
    (day,) = gather(labelled.space, labelled.instance, labelled.clock.now()).drift
    assert (day.partition, day.columns) == ("2024-01-09", 0)
