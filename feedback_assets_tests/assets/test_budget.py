"""Evaluation rows may judge so many candidates; then they are trained on."""

from typing import Any

import pytest

from feedback_assets.assets.budget import Budget, budget
from feedback_assets.assets.ledger import record
from feedback_assets.assets.models import model_version, versions
from feedback_assets.promotion.decisions import Decision
from feedback_assets_tests.worlds import World, moment


def used(world: World, version: int, *days: str) -> None:
    """A gate that judged a version on some days."""
    details: dict[str, Any] = {"evaluation": {"days": {day: {"rows": 40} for day in days}}}
    record(
        world.space,
        Decision(
            loop="tiny",
            kind="gate",
            time=moment("2024-01-20"),
            cause="test",
            rule="r",
            reason="b",
            evidence={"version": version, "days": days},
            version=str(version),
            details=details,
        ),
    )


def test_each_candidate_costs_a_days_rows_some_trust(world: World) -> None:
    used(world, 1, "2024-01-06", "2024-01-07")
    used(world, 2, "2024-01-07")
    assert budget(world.space).uses == {"2024-01-06": 1, "2024-01-07": 2}
    assert budget(world.space, besides=2).uses == {"2024-01-06": 1, "2024-01-07": 1}
    some = Budget(4, {"a": 1, "b": 4, "c": 9})
    assert some.spent == ["b", "c"]
    assert some.trust(["a", "fresh"]) == (0.75 + 1) / 2
    assert some.trust(["b", "c"]) == some.trust([]) == 0


def test_judging_one_candidate_twice_costs_once(world: World) -> None:
    used(world, 1, "2024-01-06")
    used(world, 1, "2024-01-06", "2024-01-07")
    assert budget(world.space).uses == {"2024-01-06": 1, "2024-01-07": 1}


@pytest.mark.slow
def test_spent_rows_are_trained_on_and_judge_no_more(world: World) -> None:
    world.first_model()
    first = model_version(world.space, 1)
    held = world.frame("labeled_pool", first.manifest["pool"]["version"])
    days = sorted(set(held[held["split"] == "holdout"]["partition_key"]))
    assert days == ["2024-01-06", "2024-01-07", "2024-01-08"]
    for version in range(2, 12):
        used(world, version, *days[:2])
    world.materialize(["labeled_pool", "candidate_model"])
    newest = versions(world.space)[-1]
    pool = world.frame("labeled_pool", newest.manifest["pool"]["version"])
    split = pool.groupby("partition_key")["split"].first()
    assert [split[day] for day in days] == ["train", "train", "holdout"]
    assert world.metadata("labeled_pool")["rotated_into_training"] == ", ".join(days[:2])
    used(world, 12, *days)
    for version in range(13, 30):
        used(world, version, *days)
    world.materialize(["labeled_pool"])
    told = world.metadata("labeled_pool")
    assert told["holdout_rows"] > 0, "nothing newer could judge: they stay held out"
