"""Telling the service which models answer: the champion of the ledger, the one before, a challenger."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from feedback_assets.assets.ledger import decisions, one_at_a_time
from feedback_assets.assets.models import (
    ModelVersion,
    champion,
    model_version,
    predecessor,
    versions,
)
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.rollout import TrialStage
from feedback_assets.errors import ServingError, TrainingError
from feedback_assets.promotion.rollout import on_trial
from feedback_assets.serving.manifest import Manifest, Published, read_manifest, write_atomically
from feedback_assets.serving.publish import publish, published
from feedback_assets.settings import Settings

Stage = Literal["shadow", "canary", "none"]
logger = logging.getLogger(__name__)


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
    rerun of one. Of two at a time the later one reads the ledger later.
    """
    with one_at_a_time(space, "publishing"):
        return _publish(space)


def is_published(space: LoopSpace) -> bool:
    """Whether the service's manifest says what the ledger says."""
    said = _said(space)
    return said is not None and (said.champion, said.previous, said.challenger) == _wanted(space)


def generation(space: LoopSpace) -> int:
    """How often the service was told who answers; 0 before the first time, or where it is damaged."""
    said = _said(space)
    return said.generation if said else 0


def _publish(space: LoopSpace) -> int:
    wanted, said = _wanted(space), _said(space)
    if said and (said.champion, said.previous, said.challenger) == wanted:
        return said.generation
    led = decisions(space, "promote", "rollback")
    decision = led[-1].decision_id if led else None
    return publish(space.settings, space.name, *wanted, decision_id=decision)


def _said(space: LoopSpace) -> Manifest | None:
    try:
        return read_manifest(space.settings, space.name)
    except ServingError:
        return None


def _wanted(space: LoopSpace) -> tuple[Published | None, Published | None, Published | None]:
    """Champion, the one before, and who is tried, by the ledger."""
    serving = champion(space)
    return (
        named(space, serving),
        _if_usable(space, lambda: named(space, predecessor(space))),
        _if_usable(space, lambda: challenger_of(space, serving)),
    )


def _if_usable(space: LoopSpace, name: Callable[[], Published | None]) -> Published | None:
    """Somebody beside the champion; a damaged file of theirs must not keep the champion from serving."""
    try:
        return name()
    except (ServingError, TrainingError) as error:
        logger.warning("%s: left out of the manifest: %s", space.name, error)
        return None


def named(
    space: LoopSpace,
    model: ModelVersion | None,
    stage: Literal["shadow", "canary"] | None = None,
) -> Published | None:
    """A version as the manifest names it."""
    return published(space.settings, space.name, model.version, stage) if model else None


def challenger_of(space: LoopSpace, serving: ModelVersion | None) -> Published | None:
    """Who is tried beside the champion: whom a person named, else whom the rollout tries.

    Without stages it is the newest candidate, in shadow.
    """
    wish = challenge(space.settings, space.name)
    if wish.stage == "none" or serving is None:
        return None
    if wish.version is None and space.config.rollout.stages:
        at = on_trial(decisions(space), space.config_digest)
        if at is None or at.place == "candidate":
            return None
        # a canary that nobody asked stays in shadow
        stage: TrialStage = "shadow" if at.passed_over else at.place
        return named(space, model_version(space, int(at.version)), stage)
    model = model_version(space, wish.version) if wish.version else versions(space)[-1]
    if model.version == serving.version:
        return None
    taken_back = {d.previous_version for d in decisions(space, "rollback")}
    if not wish.version and (model.version < serving.version or str(model.version) in taken_back):
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
