"""Candidates through shadow into production and back, by the real sensors and runs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion
from feedback_assets.promotion.decisions import Decision
from feedback_assets.serving.manifest import read_manifest
from feedback_assets.training.registry import aliases
from feedback_assets_tests.worlds import World, moment

pytestmark = pytest.mark.slow
ROLLOUT: dict[str, Any] = {
    "stages": ["shadow", "canary"],
    "shadow": {"min_labels": 100, "max_days": 20},
    "watch": {"days": 20, "min_labels": 60, "unit": "row"},
}
TRIGGER: dict[str, Any] = {
    "when": {"new_labels": 300},
    "min_new_labels": 40,
    "cooldown_days": 3,
}
MODEL = {"window_days": 7}


def story(world: World, *kinds: str) -> list[str]:
    """What was decided, in a few words."""
    return [told(d) for d in decisions(world.space) if not kinds or d.kind in kinds]


def told(decision: Decision) -> str:
    stage = decision.details.get("stage", "") if decision.kind == "stage" else ""
    return " ".join(filter(None, (decision.kind, decision.version, stage)))


def live(
    world: World, first: str, days: int, flip: bool = False, n: int = 60, every: int = 2
) -> Iterator[str]:
    """Days in production, answered by the champion; the sensors look every few days.

    The truth may have turned.
    """
    for number, day in enumerate(world.days(first, days), 1):
        serving = champion(world.space)
        rows = world.rows(day, n=n, version=str(serving.version) if serving else None)
        if flip:
            rows["truth"] = 1 - rows["truth"]
        world.predict(rows, f"p-{day}")
        world.feed(rows, f"f-{day}")
        world.at(f"{day}T23:59")
        if number % every:
            continue
        for run in world.ticker.settle():
            assert run.success, run.problem
        yield day


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A model of the old truth, then two weeks of the opposite."""
    world = World(tmp_path_factory.mktemp("turned"), rollout=ROLLOUT, trigger=TRIGGER, model=MODEL)
    world.first_model(n=60)
    list(live(world, "2024-01-12", 12, flip=True, every=3))
    return world


def test_a_candidate_goes_through_every_stage(turned: World) -> None:
    told_of = story(turned, "retrain", "gate", "stage", "promote", "refuse")
    first = ["retrain 1", "gate 1", "promote 1"]
    assert told_of[:3] == first
    won = [d for d in decisions(turned.space, "promote") if d.version != "1"]
    assert won, "the truth has turned: a later candidate must win"
    version = won[-1].version
    assert f"stage {version} shadow" in told_of
    assert f"stage {version} canary" in told_of, "passed over: nobody asks the service"
    record = won[-1].details
    assert record["rollout"][0]["stage"] == "shadow"
    assert record["rollout"][1]["passed_over"]
    assert record["verdict"]["outcome"] == "promote"
    assert record["rollback_target"] == won[-1].previous_version
    assert won[-1].numbers["labels"] >= ROLLOUT["shadow"]["min_labels"]
    assert "is promoted" in record["release_notes"]


def test_ledger_manifest_and_registry_agree(turned: World) -> None:
    serving = champion(turned.space)
    assert serving is not None
    manifest = read_manifest(turned.settings, "tiny")
    assert manifest.champion is not None
    assert manifest.champion.version == serving.version
    assert aliases(turned.settings, "tiny")["champion"] == serving.version


def test_every_candidate_was_examined_by_its_own_asset(turned: World) -> None:
    told = turned.instance.fetch_materializations(
        turned.space.key("evaluation_report"), limit=20
    ).records
    examined = {
        record.asset_materialization.metadata["candidate"].value
        for record in told
        if record.asset_materialization
    }
    asked = {int(d.version or 0) for d in decisions(turned.space, "gate")} - {1}
    assert asked <= examined


def test_nothing_is_asked_twice(turned: World) -> None:
    before = len(decisions(turned.space))
    assert list(turned.ticker.settle()) == []
    assert len(decisions(turned.space)) == before
    ids = [d.decision_id for d in decisions(turned.space)]
    assert len(set(ids)) == len(ids)


def test_a_promotion_that_turns_out_worse_is_taken_back(tmp_path: Any) -> None:
    world = World(
        tmp_path,
        rollout={**ROLLOUT, "stages": []},
        trigger={**TRIGGER, "when": {"new_labels": 100_000}},
        model=MODEL,
    )
    world.first_model()
    for day in world.days("2024-01-09", 11):
        rows = world.rows(day, version="1")
        world.predict(rows, f"p-{day}")
        world.feed(rows.assign(truth=1 - rows["truth"]), f"f-{day}")
    world.at("2024-01-24")
    world.dataflow("2024-01-09", 15)
    world.materialize(["labeled_pool", "candidate_model", "promoted_model"])
    assert champion(world.space).version == 2  # type: ignore[union-attr]
    for _ in live(world, "2024-01-25", 12):  # the truth is what it was
        if decisions(world.space, "rollback"):
            break
    back = decisions(world.space, "rollback")
    assert [(d.version, d.previous_version) for d in back] == [("1", "2")]
    assert back[0].details["by"] == "watch"
    assert champion(world.space).version == 1  # type: ignore[union-attr]
    assert back[0].time <= moment("2024-02-01"), "60 labels a day, and every answer is wrong"
    manifest = read_manifest(world.settings, "tiny")
    assert manifest.champion is not None
    assert manifest.champion.version == 1
    assert np.isfinite(back[0].numbers["gain"])
    assert back[0].time >= moment("2024-01-25")
