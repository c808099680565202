"""A decision stands in the ledger once, as it was first written."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import dagster as dg

from feedback_assets.assets.ledger import decisions, record
from feedback_assets.promotion.decisions import Decision
from feedback_assets.tables.connection import connect
from feedback_assets_tests.worlds import World, moment

FIRST = Decision(
    loop="tiny",
    kind="retrain",
    time=moment("2024-01-05"),
    cause="drift",
    rule="trigger policy",
    reason="size drifted",
    evidence={"training_digest": "abc"},
    version="1",
    numbers={"train_rows": 200.0},
)
CONTEXT: Any = SimpleNamespace(
    run=SimpleNamespace(run_id="run"), asset_key=dg.AssetKey(["tiny", "candidate_model"])
)


def test_before_any_decision_there_is_none(world: World) -> None:
    assert decisions(world.space) == []


def test_what_was_decided_before_stands(world: World) -> None:
    again = replace(FIRST, time=moment("2024-01-09"), reason="told by a rerun")
    with connect(world.settings) as con:
        assert record(world.space, con, CONTEXT, FIRST) == FIRST
        assert record(world.space, con, CONTEXT, again) == FIRST
    assert decisions(world.space) == [FIRST]
    assert world.versions()["decisions"] == 0


def test_decisions_are_told_oldest_first_and_by_kind(world: World) -> None:
    later = replace(FIRST, kind="refuse", time=moment("2024-01-06"))
    between = replace(FIRST, time=moment("2024-01-05T12:00"), evidence={"training_digest": "x"})
    with connect(world.settings) as con:
        for decision in (later, FIRST, between):
            record(world.space, con, CONTEXT, decision)
    assert decisions(world.space) == [FIRST, between, later]
    assert decisions(world.space, "refuse") == [later]
