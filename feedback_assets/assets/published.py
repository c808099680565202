"""Telling the service which models answer: the champion of the ledger, the one before, a challenger."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import (
    ModelVersion,
    champion,
    model_version,
    predecessor,
    versions,
)
from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import ServingError
from feedback_assets.serving.manifest import Manifest, Published, read_manifest, write_atomically
from feedback_assets.serving.publish import publish, published
from feedback_assets.settings import Settings

Stage = Literal["shadow", "canary", "none"]


@dataclass(frozen=True)
class Challenge:
    """Who a person has put beside the champion.

    Attributes:
        version: Of the challenger; None lets the newest candidate shadow.
        stage: shadow, canary, or none for nobody.
    """

    version: int | None = None
    stage: Stage = "shadow"


def publish_models(space: LoopSpace) -> int:
    """Bring the service's manifest in line with the ledger; returns its generation.

    Nothing is written while it says so already, so it may be called after every decision and by any
    rerun of one.
    """
    serving = champion(space)
    wanted = (
        named(space, serving),
        named(space, predecessor(space)),
        challenger_of(space, serving),
    )
    try:
        said: Manifest | None = read_manifest(space.settings, space.name)
    except ServingError:
        said = None
    if said and (said.champion, said.previous, said.challenger) == wanted:
        return said.generation
    led = decisions(space, "promote", "rollback")
    decision = led[-1].decision_id if led else None
    return publish(space.settings, space.name, *wanted, decision_id=decision)


def named(
    space: LoopSpace,
    model: ModelVersion | None,
    stage: Literal["shadow", "canary"] | None = None,
) -> Published | None:
    """A version as the manifest names it."""
    return published(space.settings, space.name, model.version, stage) if model else None


def challenger_of(space: LoopSpace, serving: ModelVersion | None) -> Published | None:
    """Who is tried beside the champion: whom a person named, else the newest candidate in shadow."""
    wish = challenge(space.settings, space.name)
    if wish.stage == "none" or serving is None:
        return None
    newest = versions(space)[-1]
    model = model_version(space, wish.version) if wish.version else newest
    if model.version == serving.version or (not wish.version and model.version < serving.version):
        return None
    return named(space, model, wish.stage)


def challenge(settings: Settings, loop: str) -> Challenge:
    """Who a person has put beside the champion; by default nobody in particular."""
    path = challenge_path(settings, loop)
    if not path.exists():
        return Challenge()
    return Challenge(**json.loads(path.read_text("utf-8")))


def set_challenge(space: LoopSpace, wish: Challenge) -> int:
    """Put a version beside the champion, or nobody; returns the manifest's generation.

    Raises:
        TrainingError: There is no such version.
    """
    if wish.version is not None:
        model_version(space, wish.version)
    text = json.dumps({"version": wish.version, "stage": wish.stage})
    write_atomically(challenge_path(space.settings, space.name), text.encode())
    return publish_models(space)


def challenge_path(settings: Settings, loop: str) -> Path:
    """Where a person's wish is kept."""
    return settings.serving / loop / "challenge.json"
