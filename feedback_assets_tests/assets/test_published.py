"""What the service is told to answer with follows the ledger, and a person's wish."""

import pytest

from feedback_assets.assets.ledger import decisions, record
from feedback_assets.assets.models import champion, versions
from feedback_assets.assets.published import Challenge, challenge, publish_models, set_challenge
from feedback_assets.errors import ApprovalError, TrainingError
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets.serving.manifest import Manifest, manifest_path, read_manifest
from feedback_assets_tests.worlds import World, moment


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A loop with a champion and a later candidate."""
    made = World(tmp_path_factory.mktemp("published"))
    made.live("2024-01-01", 14)
    made.at("2024-01-20")
    list(made.ticker.settle())
    made.live("2024-01-15", 10)
    made.at("2024-01-30")
    list(made.ticker.settle())
    assert len(versions(made.space)) > 1
    return made


def said(world: World) -> Manifest:
    return read_manifest(world.settings, world.space.name)


def test_the_promoted_model_is_published(world: World) -> None:
    serving = champion(world.space)
    assert serving is not None
    told = said(world).champion
    assert told is not None
    assert (told.version, told.digest) == (serving.version, serving.digest)
    assert told.mlflow is not None
    assert told.golden is not None
    assert (world.settings.root / told.golden).is_file()
    assert (world.settings.root / told.file).read_bytes() == serving.load().content


def test_publishing_again_changes_nothing(world: World) -> None:
    before = manifest_path(world.settings, world.space.name).read_bytes()
    publish_models(world.space)
    assert manifest_path(world.settings, world.space.name).read_bytes() == before


def test_a_lost_or_damaged_manifest_is_made_again_with_a_later_generation(world: World) -> None:
    generation = said(world).generation
    path = manifest_path(world.settings, world.space.name)
    path.write_text(path.read_text("utf-8")[:-20], encoding="utf-8")
    assert publish_models(world.space) > generation
    assert said(world).champion is not None


def wish(world: World, what: Challenge) -> None:
    set_challenge(world.space, what, "person:ann", moment("2024-03-01"))


def test_a_person_chooses_who_is_tried(world: World) -> None:
    serving = champion(world.space)
    assert serving is not None
    other = next(m for m in versions(world.space) if m.version != serving.version)
    wish(world, Challenge(other.version, "canary"))
    told = said(world).challenger
    assert told is not None
    assert (told.version, told.stage) == (other.version, "canary")
    wish(world, Challenge(stage="none"))
    assert said(world).challenger is None
    wish(world, Challenge(serving.version, "shadow"))
    assert said(world).challenger is None  # the champion does not challenge itself
    with pytest.raises(TrainingError, match="no model version 99"):
        wish(world, Challenge(99, "shadow"))
    wish(world, Challenge())
    by_hand = [d for d in decisions(world.space, "stage") if d.details.get("by") == "hand"]
    assert [d.details["stage"] for d in by_hand] == ["canary", "none", "shadow", "shadow"]
    assert {d.actor for d in by_hand} == {"person:ann"}


def pretend(world: World, kind: Kind, version: int, **details: object) -> None:
    before = decisions(world.space)[-1].decision_id
    record(
        world.space,
        Decision(
            loop="tiny",
            kind=kind,
            time=moment("2024-03-02"),
            cause="test",
            rule="test",
            reason="test",
            evidence={"after": before, "training_digest": ""},
            version=str(version),
            details=details,
        ),
    )


def gate(name: str, passed: bool) -> dict[str, object]:
    return {"name": name, "passed": passed, "observed": None, "threshold": None, "reason": ""}


def test_what_a_gate_refused_does_not_answer_requests(world: World) -> None:
    other = versions(world.space)[-1].version
    pretend(world, "gate", other, gates=[gate("latency", False), gate("better", False)])
    with pytest.raises(ApprovalError, match=r"was refused \(gate latency\)"):
        wish(world, Challenge(other, "canary"))
    wish(world, Challenge(other, "shadow"))
    pretend(world, "gate", other, gates=[gate("latency", True), gate("better", False)])
    wish(world, Challenge(other, "canary"))  # whether it is better is what a canary is for
    wish(world, Challenge())


def test_a_wish_ends_with_the_champion_that_it_was_meant_for(world: World) -> None:
    first, last = (model.version for model in (versions(world.space)[0], versions(world.space)[-1]))
    wish(world, Challenge(last, "shadow"))
    assert challenge(world.space) == Challenge(last, "shadow")
    pretend(world, "promote", first)
    assert challenge(world.space) == Challenge()
    wish(world, Challenge(stage="none"))
    pretend(world, "promote", last)
    assert challenge(world.space) == Challenge(stage="none"), "nobody stays nobody"
