"""What the service is told to answer with follows the ledger, and a person's wish."""

import pytest

from feedback_assets.assets.models import champion, versions
from feedback_assets.assets.published import Challenge, publish_models, set_challenge
from feedback_assets.errors import TrainingError
from feedback_assets.serving.manifest import Manifest, manifest_path, read_manifest
from feedback_assets_tests.worlds import World


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


def test_a_person_chooses_who_is_tried(world: World) -> None:
    serving = champion(world.space)
    assert serving is not None
    other = next(m for m in versions(world.space) if m.version != serving.version)
    set_challenge(world.space, Challenge(other.version, "canary"))
    told = said(world).challenger
    assert told is not None
    assert (told.version, told.stage) == (other.version, "canary")
    set_challenge(world.space, Challenge(stage="none"))
    assert said(world).challenger is None
    set_challenge(world.space, Challenge(serving.version, "shadow"))
    assert said(world).challenger is None  # the champion does not challenge itself
    with pytest.raises(TrainingError, match="no model version 99"):
        set_challenge(world.space, Challenge(99, "shadow"))
    set_challenge(world.space, Challenge())
