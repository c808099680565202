"""People's words on a candidate: bound, verified, recorded once; by function and by Dagster job."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from feedback_assets.assets.approvals import (
    accept,
    approval_job,
    bound_of,
    op_of,
    statement_of,
    waiting,
)
from feedback_assets.assets.ledger import decisions
from feedback_assets.errors import ApprovalError
from feedback_assets.ledger.registry import revoke
from feedback_assets.promotion.statement import Statement
from feedback_assets_tests.assets.waiting import NOW, SLOW, WaitingWorld


@pytest.fixture
def world(tmp_path: Path) -> WaitingWorld:
    return WaitingWorld(tmp_path)


def say(world: WaitingWorld, by: str, action: Any = "approve", **changes: Any) -> Statement:
    now = world.clock.now()
    made = statement_of(
        world.space, "2", action, "looks right", by, now, now + dt.timedelta(hours=24)
    )
    return replace(made, **changes)


def accepted(world: WaitingWorld, statement: Statement) -> Any:
    return accept(world.space, statement, world.signature(statement), world.clock.now())


def refused(world: WaitingWorld, statement: Statement, signature: str | None = None) -> str:
    before = len(decisions(world.space))
    signature = world.signature(statement) if signature is None else signature
    with pytest.raises(ApprovalError) as told:
        accept(world.space, statement, signature, world.clock.now())
    assert len(decisions(world.space)) == before
    return str(told.value)


def test_two_people_approve(world: WaitingWorld) -> None:
    world.gated()
    world.asked()
    assert [(w.version, w.standing.missing) for w in waiting(world.space, NOW)] == [("2", 2)]
    assert waiting(world.space, NOW)[0].stands
    made = accepted(world, say(world, "bob"))
    assert (made.kind, made.actor, made.version) == ("approve", "person:bob", "2")
    assert waiting(world.space, NOW)[0].standing.approved_by == ("bob",)
    accepted(world, say(world, "cid"))
    assert waiting(world.space, NOW)[0].standing.granted
    world.decide("promote")
    assert waiting(world.space, NOW) == []


def test_the_same_word_is_recorded_once(world: WaitingWorld) -> None:
    world.asked()
    said = say(world, "bob")
    assert accepted(world, said) == accepted(world, said)
    assert len(decisions(world.space, "approve")) == 1


def test_what_would_not_count_is_not_recorded(world: WaitingWorld) -> None:
    assert "waits for no approval" in refused(world, say(world, "bob"))
    world.asked()
    assert "asked for version 2" in refused(world, say(world, "ann"))
    assert "signature is not of this" in refused(world, say(world, "bob"), "AAAA")
    stolen = world.signature(say(world, "cid"))
    assert "signature is not of this" in refused(world, say(world, "bob"), stolen)
    assert "dan has no valid key" in refused(world, say(world, "dan"), "AAAA")
    assert "expired" in refused(world, say(world, "bob", expires_at=NOW))
    assert "names no gate" in refused(world, say(world, "bob", gate="latency"))
    revoke(world.settings, "bob", NOW)
    assert "bob has no valid key" in refused(world, say(world, "bob"))


def test_what_was_asked_for_must_still_stand(world: WaitingWorld) -> None:
    world.asked()
    said = say(world, "bob")
    path = world.space.models / "2" / "evaluation-against-none.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows": 401}))
    assert not waiting(world.space, NOW)[0].stands
    assert "stands no more" in refused(world, said)
    assert "stands no more" in refused(world, say(world, "bob"))


def test_an_approval_signed_before_the_request_is_not_taken(world: WaitingWorld) -> None:
    early = say(world, "bob")
    world.at("2024-03-01T13:00")
    world.asked()
    assert "before it was asked for" in refused(world, early)


def test_a_version_that_was_not_examined_cannot_be_spoken_of(world: WaitingWorld) -> None:
    (world.space.models / "2" / "evaluation-against-none.json").unlink()
    with pytest.raises(ApprovalError, match="materialize evaluation_report"):
        bound_of(world.space, 2)
    with pytest.raises(ApprovalError, match="is no number"):
        statement_of(world.space, "two", "approve", "", "bob", NOW, NOW)


def test_anything_undecided_can_be_rejected(world: WaitingWorld) -> None:
    world.gated()
    # Also by whom asked for it, and before people were asked.
    assert accepted(world, say(world, "ann", "reject")).kind == "reject"
    world.decide("refuse")
    assert "is decided already (refuse)" in refused(world, say(world, "bob", "reject"))


def test_an_override_is_of_a_gate_that_failed(world: WaitingWorld) -> None:
    override = say(world, "bob", "override", gate="latency")
    assert "failed gates: none" in refused(world, override)
    world.gated(SLOW)
    world.decide("refuse")
    made = accepted(world, override)
    assert (made.kind, made.rule) == ("override", "gate latency overridden")
    assert "did not fail size; failed gates: latency" in refused(
        world, say(world, "bob", "override", gate="size")
    )
    for gate in ("better", "", "beauty"):
        assert "cannot be overridden" in refused(world, say(world, "bob", "override", gate=gate))
    assert "asked for version 2" in refused(world, say(world, "ann", "override", gate="latency"))


def run(world: WaitingWorld, statement: Statement, **changes: str) -> dg.ExecuteInProcessResult:
    fields = {**statement.to_dict(), "signature": world.signature(statement), **changes}
    wanted = ("version", "action", "gate", "reason", "by", "at", "expires_at", "signature")
    return approval_job(world.space).execute_in_process(
        run_config={"ops": {op_of("tiny"): {"config": {name: fields[name] for name in wanted}}}},
        resources={"clock": world.clock},
        instance=world.instance,
        raise_on_error=False,
    )


def test_the_job_does_what_the_command_does(world: WaitingWorld) -> None:
    world.asked()
    job = approval_job(world.space)
    assert job.name == "tiny_approval"
    assert run(world, say(world, "bob")).success
    assert waiting(world.space, NOW)[0].standing.approved_by == ("bob",)
    assert decisions(world.space, "approve")[0].actor == "person:bob"


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "looks wrong"},
        {"by": "cid"},
        {"action": "reject"},
        {"expires_at": "2024-03-03T12:00:00+00:00"},
        {"at": "soon"},
        {"version": "3"},
    ],
)
def test_the_job_refuses_fields_that_were_not_signed(
    world: WaitingWorld, changes: dict[str, str]
) -> None:
    world.asked()
    assert not run(world, say(world, "bob"), **changes).success
    assert decisions(world.space, "approve", "reject") == []
