"""A decision stands in the ledger once, as it was first written; the table follows it."""

from dataclasses import replace

import pytest

from feedback_assets.assets import ledger as of_assets
from feedback_assets.assets.ledger import decisions, project, record
from feedback_assets.errors import LedgerError
from feedback_assets.promotion.decisions import Decision, to_frame
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause
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
    actor="sensor:tiny_retrain",
    details={"told": ["more"]},
)


def test_before_any_decision_there_is_none(world: World) -> None:
    assert decisions(world.space) == []


def test_what_was_decided_before_stands(world: World) -> None:
    again = replace(FIRST, time=moment("2024-01-09"), reason="told by a rerun")
    assert record(world.space, FIRST) == FIRST
    assert record(world.space, again) == FIRST
    assert decisions(world.space, "retrain") == [FIRST]
    assert world.versions()["decisions"] == 0


def test_decisions_are_told_in_the_order_in_which_they_were_made_and_by_kind(world: World) -> None:
    later = replace(FIRST, kind="refuse", time=moment("2024-01-06"))
    between = replace(FIRST, time=moment("2024-01-05T12:00"), evidence={"training_digest": "x"})
    for decision in (FIRST, between, later):
        record(world.space, decision)
    assert decisions(world.space, "retrain", "refuse") == [FIRST, between, later]
    assert decisions(world.space, "refuse") == [later]


def test_a_changed_configuration_is_recorded_before_what_it_decides(world: World) -> None:
    record(world.space, FIRST)
    changed = World(world.root, gate={"min_rows": 33})
    record(changed.space, replace(FIRST, evidence={"training_digest": "x"}))
    record(changed.space, replace(FIRST, evidence={"training_digest": "y"}))
    kinds = [decision.kind for decision in decisions(changed.space)]
    assert kinds == ["config", "retrain", "config", "retrain", "retrain"]
    said = decisions(changed.space, "config")[-1]
    assert said.details["changes"] == [{"field": "gate.min_rows", "before": 20, "after": 33}]
    record(world.space, replace(FIRST, evidence={"training_digest": "z"}))
    assert len(decisions(world.space, "config")) == 3, "and back again"


def test_the_table_is_made_whole_by_the_next_decision(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(of_assets, "project", lambda *_: None)
        record(world.space, FIRST)
    assert world.frame("decisions").empty if world.versions()["decisions"] >= 0 else True
    record(world.space, replace(FIRST, evidence={"training_digest": "x"}))
    shown = world.frame("decisions")
    assert set(shown["decision_id"]) == {d.decision_id for d in decisions(world.space)}
    project(world.space)
    assert world.versions()["decisions"] == 0


def test_a_lost_ledger_is_not_taken_for_an_old_home(world: World) -> None:
    record(world.space, FIRST)
    for file in world.settings.ledger.glob("tiny.*"):
        file.unlink()
    with pytest.raises(LedgerError, match="restore it from a backup"):
        decisions(world.space)
    with pytest.raises(LedgerError, match="restore it from a backup"):
        record(world.space, FIRST)


def test_a_home_of_before_the_ledger_keeps_its_decisions(world: World) -> None:
    older = replace(FIRST, kind="promote", actor="", details={}, time=moment("2024-01-04"))
    with connect(world.settings) as con:
        con.register("decided", to_frame([older]).drop(columns="actor"))
        world.space.table("decisions").replace(
            con, "SELECT * FROM decided", [older.decision_id], Cause("run", "decisions", {})
        )
    assert decisions(world.space) == [older]
    record(world.space, FIRST)
    assert decisions(world.space, "promote", "retrain") == [older, FIRST]
