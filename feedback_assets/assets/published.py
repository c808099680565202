"""Telling the service which models answer: the champion of the ledger, the one before, a challenger."""

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from feedback_assets.assets.ledger import decisions, one_at_a_time, record
from feedback_assets.assets.models import (
    ModelVersion,
    champion,
    model_version,
    predecessor,
    versions,
)
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.rollout import TrialStage
from feedback_assets.errors import ApprovalError, ServingError, TrainingError
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import PROOF
from feedback_assets.promotion.rollout import BY_HAND, REJECTED, final_of, on_trial
from feedback_assets.promotion.verdict import PROVEN_WORSE
from feedback_assets.serving.manifest import Manifest, Published, read_manifest
from feedback_assets.serving.publish import publish, published

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
    wish = challenge(space)
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


def challenge(space: LoopSpace) -> Challenge:
    """Who a person has put beside the champion; by default nobody in particular.

    A version was meant to be tried beside the champion of then: another champion ends that.
    """
    led = False
    for decision in reversed(decisions(space, "stage", "promote", "rollback")):
        if decision.kind != "stage":
            led = True
        elif decision.details.get("by") == BY_HAND:
            if decision.version is not None and led:
                return Challenge()
            version = int(decision.version) if decision.version else None
            return Challenge(version, decision.details["stage"])
    return Challenge()


def set_challenge(space: LoopSpace, wish: Challenge, actor: str, now: dt.datetime) -> int:
    """Put a version beside the champion, or nobody; returns the manifest's generation.

    Raises:
        TrainingError: There is no such version.
        ApprovalError: It may not answer requests: a gate or a person has refused it.
    """
    if wish.version is not None:
        model_version(space, wish.version)
        if wish.stage == "canary":
            refuse_unproven(space, str(wish.version))
    if wish != challenge(space):
        who = f"version {wish.version}" if wish.version else "the newest candidate"
        version = str(wish.version) if wish.version else None
        record(
            space,
            Decision(
                loop=space.name,
                kind="stage",
                time=now,
                version=version,
                actor=actor,
                cause="by hand",
                rule="by hand",
                reason="nobody is tried" if wish.stage == "none" else f"{who} in {wish.stage}",
                evidence={
                    "stage": wish.stage,
                    "version": version,
                    "after": next((d.decision_id for d in reversed(decisions(space))), None),
                },
                details={"stage": wish.stage, "by": BY_HAND},
            ),
        )
    return publish_models(space)


def refuse_unproven(space: LoopSpace, version: str) -> None:
    """See that no gate and no person has refused a version that shall answer requests.

    That it is not proven better is what a canary is for.

    Raises:
        ApprovalError: One has, or none was asked.
    """
    own = [d for d in decisions(space) if d.version == version]
    gates = [d for d in own if d.kind == "gate"]
    if not gates:
        raise ApprovalError(
            f"{space.name}: no gate was asked about version {version}: materialize promoted_model "
            f"for it first, or try it in shadow: feedback-assets challenge {space.name} {version}"
        )
    failed = [
        gate["name"]
        for gate in gates[-1].details["gates"]
        if not gate["passed"] and gate["name"] != PROOF
    ]
    final = final_of(own)
    refused = final is not None and final.rule in (REJECTED, PROVEN_WORSE)
    back = [d for d in decisions(space, "rollback") if d.previous_version == version]
    if failed or refused or back:
        ended = final if refused else back[-1] if back else None
        what = f"gate {', '.join(failed)}" if failed else ended.reason if ended else ""
        raise ApprovalError(
            f"{space.name}: version {version} was refused ({what}) and may not answer requests; see "
            f"feedback-assets why-not {space.name} {version}"
        )
