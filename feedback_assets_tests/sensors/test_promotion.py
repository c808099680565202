"""Each new candidate is judged once, whatever happens between ticks, and again if its run died."""

import datetime as dt
from typing import Any

import dagster as dg
import pytest

from feedback_assets.sensors import requests
from feedback_assets_tests.sensors.scenes import asked, causes, decide, keys
from feedback_assets_tests.worlds import World

RUN = ("evaluation_report promoted_model", "", "")


def candidate(world: World, version: int) -> None:
    decide(world, "retrain", version, f"2024-01-{version + 3:02d}")


def judged(world: World, version: int) -> None:
    decide(world, "gate", version, f"2024-01-{version + 3:02d}T01:00")
    decide(world, "promote", version, f"2024-01-{version + 3:02d}T01:00")


def ran(world: World, key: str, status: dg.DagsterRunStatus) -> None:
    """A run that was asked for by a key, as it ended."""
    world.instance.add_run(
        dg.DagsterRun(
            job_name="job",
            status=status,
            tags={"dagster/run_key": key, requests.ASKED_TAG: key.split(":again")[0]},
        )
    )


def test_the_first_candidate_is_to_be_judged(world: World) -> None:
    candidate(world, 1)
    tick = world.tick("promotion")
    assert (asked(tick), causes(tick)) == ([RUN], ["candidate"])
    assert keys(tick) == ["tiny:promotion:1:d1"]
    (request,) = tick.run_requests or ()
    assert request.tags["feedback_assets/candidate"] == "1"


def test_nothing_new_is_skipped(world: World) -> None:
    assert world.tick("promotion").skip_message == "every candidate was asked by the gates"
    candidate(world, 1)
    judged(world, 1)
    assert asked(world.tick("promotion")) == []


def test_several_between_two_ticks_are_all_judged(world: World) -> None:
    candidate(world, 1)
    judged(world, 1)
    for version in (2, 3, 4):
        candidate(world, version)
    decide(world, "refuse", 3, "2024-01-09")
    assert keys(world.tick("promotion")) == [f"tiny:promotion:{v}:d{v}" for v in (2, 4)]


def test_one_in_shadow_is_the_rollouts_business(world: World) -> None:
    candidate(world, 1)
    decide(world, "gate", 1, "2024-01-05")
    assert asked(world.tick("promotion")) == []


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_run_that_died_is_asked_for_again_some_time_later(
    world: World, status: dg.DagsterRunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate(world, 1)
    ran(world, "tiny:promotion:1:d1", status)
    tick = world.tick("promotion")
    assert asked(tick) == []
    assert "tried again" in str(tick.skip_message)
    monkeypatch.setattr(requests, "RETRY_AFTER", dt.timedelta(0))
    assert keys(world.tick("promotion")) == ["tiny:promotion:1:d1:again-1"]
    ran(world, "tiny:promotion:1:d1:again-1", status)
    assert keys(world.tick("promotion")) == ["tiny:promotion:1:d1:again-2"]
    for number in range(2, 20):
        ran(world, f"tiny:promotion:1:d1:again-{number}", status)
    assert keys(world.tick("promotion")) == ["tiny:promotion:1:d1:again-20"], "never given up"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_a_run_that_goes_on_or_went_well_keeps_its_key(world: World, status: Any) -> None:
    candidate(world, 1)
    ran(world, "tiny:promotion:1:d1", status)
    assert keys(world.tick("promotion")) == ["tiny:promotion:1:d1"], "Dagster drops it"
