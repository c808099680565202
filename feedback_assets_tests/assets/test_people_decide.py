"""A real candidate that waits for people, is rejected, or passes by an override; by the asset."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.assets.approvals import accept, statement_of
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.ledger.keys import sign_statement
from feedback_assets.ledger.registry import Approver, register
from feedback_assets_tests.assets.poisons import PoisonedWorld
from feedback_assets_tests.promotion.people import key_of

PEOPLE = ("bob", "cid")
ASKS: dict[str, Any] = {
    "model": {"params": {"C": 2.0}},
    "approval": {"automatic": None},
    # Only people stand between this candidate and production.
    "gate": {"min_improvement": -1},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> PoisonedWorld:
    """Version 1 serves, version 2 is trained by hand and not judged yet."""
    world = PoisonedWorld(tmp_path_factory.mktemp("trained"))
    world.begin()
    world.promote(world.candidate())
    world.beside(**ASKS).candidate()
    return world


@pytest.fixture
def world(trained: PoisonedWorld, tmp_path: Path) -> PoisonedWorld:
    """The same for each test."""
    shutil.copytree(trained.root, tmp_path, dirs_exist_ok=True)
    copied = PoisonedWorld(tmp_path, **ASKS)
    copied.at(trained.clock.now().isoformat())
    early = copied.clock.now() - dt.timedelta(days=9)
    for name in PEOPLE:
        register(copied.settings, Approver(name, key_of(name).public, ("tiny",), early))
    return copied


def say(world: PoisonedWorld, by: str, action: Any = "approve", gate: str = "") -> None:
    """Sign and hand in a word on version 2."""
    now = world.clock.now()
    until = now + dt.timedelta(hours=24)
    said = statement_of(world.space, "2", action, "seen", by, now, until, gate)
    accept(world.space, said, sign_statement(key_of(by), said.to_dict()), now)


def settle(world: PoisonedWorld) -> list[str]:
    """Let the asset go as far as it can; what version 2 has been through."""
    world.materialize(["promoted_model"])
    return [d.kind for d in decisions(world.space) if d.version == "2" and d.kind != "retrain"]


def serves(world: PoisonedWorld) -> int:
    found: ModelVersion | None = champion(world.space)
    return found.version if found else 0


def test_it_waits_for_two_people(world: PoisonedWorld) -> None:
    assert settle(world) == ["gate", "request"]
    assert settle(world) == ["gate", "request"]  # asked once
    say(world, "bob")
    assert settle(world)[-1] == "approve"
    assert serves(world) == 1
    say(world, "cid")
    assert "promote" in settle(world)
    assert serves(world) == 2
    made = decisions(world.space, "promote")[-1]
    assert [a["by"] for a in made.details["approvals"]] == ["person:bob", "person:cid"]


def test_approvals_that_expired_meanwhile_do_not_count(world: PoisonedWorld) -> None:
    settle(world)
    say(world, "bob")
    world.at("2024-01-13T12:00")
    say(world, "cid")
    assert "promote" not in settle(world)
    say(world, "bob")
    assert "promote" in settle(world)


def test_one_rejection_ends_it(world: PoisonedWorld) -> None:
    settle(world)
    say(world, "bob")
    say(world, "cid", "reject")
    assert settle(world)[-1] == "refuse"
    assert "cid" in decisions(world.space, "refuse")[-1].reason
    assert serves(world) == 1


def test_an_override_opens_a_refused_candidate_again(world: PoisonedWorld) -> None:
    small = {"gate": {**ASKS["gate"], "size": {"max_mb": 1e-6}}}
    strict = world.beside(**{**ASKS, **small})
    assert settle(strict) == ["gate", "refuse"]
    assert "size" in decisions(strict.space, "refuse")[-1].rule
    say(strict, "bob", "override", "size")
    assert settle(strict) == ["gate", "refuse", "override", "gate", "request"]
    request = decisions(strict.space, "request")[-1]
    assert request.details["risk"] == "medium"  # an override is a step
    for name in PEOPLE:
        say(strict, name)
    assert "promote" in settle(strict)
    gates = decisions(strict.space, "promote")[-1].details["gates"]
    assert [g["overridden_by"] for g in gates if g["name"] == "size"] == ["bob"]
