"""A rollback and a drill by command, while clients ask a real service without a pause."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from feedback_assets.assets import drill as drills
from feedback_assets.assets import stages
from feedback_assets.assets.drill import last_drill
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.space import LoopSpace
from feedback_assets.commands import drill, rollback
from feedback_assets.serving.manifest import read_manifest
from feedback_assets_tests.assets.reigns import promote
from feedback_assets_tests.door.proof.live import Door, living
from feedback_assets_tests.door.proof.load import Load
from feedback_assets_tests.serving.shop import LOOP

FOLLOW_SECONDS = 2.0
app = typer.Typer()
rollback.register(app)
drill.register(app)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with living(tmp_path_factory.mktemp("rollback"), versions=3) as opened:
        yield opened


@pytest.fixture(scope="module")
def space(door: Door) -> LoopSpace:
    return reign(door)


@pytest.fixture(autouse=True)
def _no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "project_stages", lambda *_: None)


def reign(door: Door) -> LoopSpace:
    """Version 3 answers, 2 and 1 did before."""
    space = LoopSpace(door.shop.config, door.shop.settings)
    for version in (1, 2, 3):
        promote(space, version)
    door.wait_for(publish_models(space))
    return space


def command(door: Door, *words: str) -> Result:
    where = {
        "FEEDBACK_ASSETS_HOME": str(door.shop.settings.home),
        "FEEDBACK_ASSETS_CONFIGS": str(door.shop.settings.configs),
    }
    return CliRunner(env=where).invoke(app, list(words))


def roll_back(door: Door) -> tuple[Load, Result, int]:
    """Roll back under load.

    Returns:
        The load, the command's words, and how many answers had come two seconds after the rollback.
    """
    with Load(door, clients=4, pause=0.002) as load:
        time.sleep(0.3)
        began = time.monotonic()
        told = command(door, "rollback", LOOP, "--reason", "customers complain")
        time.sleep(max(began + FOLLOW_SECONDS - time.monotonic(), 0))
        by_then = len(load.answers)
        time.sleep(0.5)
    return load, told, by_then


def test_a_rollback_is_followed_within_two_seconds_and_loses_no_request(
    door, space, record_property
):
    load, told, by_then = roll_back(door)
    assert told.exit_code == 0, told.output
    assert load.failures == []
    assert load.reconnects == 0
    order = [answer["model_version"] for answer in load.answers]
    assert set(order[:20]) == {"3"}
    assert set(order[by_then:]) == {"2"}
    done, serving = decisions(space)[-2:]
    assert (done.kind, done.version, serving.kind) == ("rollback", "2", "serving")
    assert serving.numbers["seconds"] <= FOLLOW_SECONDS
    record_property(
        "figures",
        f"rollback under load: {serving.numbers['seconds']:.2f} s, answers {len(order):,}, failed 0",
    )
    _and_forward_again(door, space)


def _and_forward_again(door: Door, space: LoopSpace) -> None:
    with Load(door, clients=2, pause=0.002) as load:
        told = command(door, "rollback", LOOP, "--to", "3", "--reason", "it was the network")
        time.sleep(0.3)
    assert told.exit_code == 0
    assert load.failures == []
    assert load.answers[-1]["model_version"] == "3"
    assert decisions(space, "rollback")[-1].version == "3"


def test_a_drill_swaps_twice_under_load_and_loses_no_request(door, space, record_property):
    with Load(door, clients=4, pause=0.002) as load:
        time.sleep(0.2)
        told = command(door, "drill", LOOP)
        time.sleep(0.3)
    assert told.exit_code == 0, told.output
    assert load.failures == []
    assert load.reconnects == 0
    assert {answer["model_version"] for answer in load.answers} == {"3", "2"}
    assert load.answers[-1]["model_version"] == "3"
    last = last_drill(space)
    assert last is not None
    assert (last.passed, last.services, last.unanswered) == (True, 1, 0)
    record_property("figures", f"drill under load: {last.told}")


def test_a_killed_drill_heals_without_a_lost_request(door, space):
    """The manifest is left with the champion before; whoever publishes next puts it right."""
    with Load(door, clients=2, pause=0.005) as load:
        left = drills._publish_standby(space, drills.drill_plan(space))
        door.wait_for(left)
        assert read_manifest(space.settings, LOOP).decision_id == drills.MARK
        healed = publish_models(space)
        door.wait_for(healed)
        time.sleep(0.2)
    assert healed == left + 1
    assert load.failures == []
    assert load.answers[-1]["model_version"] == "3"


def test_a_service_that_is_killed_is_not_waited_for(door, space):
    door.stop(9)
    try:
        began = time.monotonic()
        told = command(door, "rollback", LOOP, "--to", "1", "--reason", "bad")
        assert told.exit_code == 0
        assert "no service is up" in told.output
        assert time.monotonic() - began < FOLLOW_SECONDS
    finally:
        door.start()
    with door.http() as client:
        assert client.get(f"/v1/{LOOP}/model").json()["generation"] == publish_models(space)
    assert decisions(space, "rollback")[-1].version == "1"


@pytest.mark.parametrize(
    ("mutant", "fails", "late"),
    [("empties_before_it_fills", True, False), ("follows_late", False, True)],
)
def test_a_broken_service_is_found_out(tmp_path: Path, mutant, fails, late):
    with living(tmp_path, versions=3, mutant=mutant) as door:
        reign(door)
        load, told, by_then = roll_back(door)
    assert bool(load.failures) == fails
    assert ("3" in {a["model_version"] for a in load.answers[by_then:]}) == late
    assert told.exit_code == int(late)
