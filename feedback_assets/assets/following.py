"""That the services follow a decision, as a record: who answers by it, and after how long."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from feedback_assets.assets.ledger import decisions, record
from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import ServingError
from feedback_assets.promotion.decisions import Decision
from feedback_assets.serving.acks import Ack, Following, following
from feedback_assets.serving.manifest import read_manifest

ACTOR = "service"


def confirm_following(space: LoopSpace, now: dt.datetime, run_id: str = "") -> Decision | None:
    """Record once that every service follows the newest promotion or rollback; never waits.

    Returns:
        The new record; None while a service is late, where no service is up, and once it stands.
    """
    led = decisions(space, "promote", "rollback")
    if not led or _confirmed(space, led[-1]):
        return None
    try:
        manifest = read_manifest(space.settings, space.name)
    except ServingError:
        return None
    if manifest.decision_id != led[-1].decision_id:
        return None
    since = dt.datetime.fromisoformat(manifest.published_at)
    found = following(space.settings, space.name, manifest.generation)
    return record_following(space, led[-1], found, since, now, run_id)


def record_following(
    space: LoopSpace,
    decision: Decision,
    found: Following,
    since: dt.datetime,
    now: dt.datetime,
    run_id: str = "",
) -> Decision | None:
    """Record who follows a decision, once; nothing while somebody is late or nobody is up.

    Args:
        space: The loop.
        decision: A promotion or a rollback.
        found: Who follows the manifest that tells of it.
        since: The moment from which seconds count.
        now: When it is recorded.
        run_id: Of the run, for the decisions table.
    """
    if not found.complete or not found.followed or _confirmed(space, decision):
        return None
    seconds = found.seconds(since)
    count = len(found.followed)
    who = "1 service follows" if count == 1 else f"{count} services follow"
    told = Decision(
        loop=space.name,
        kind="serving",
        time=now,
        version=decision.version,
        previous_version=decision.previous_version,
        actor=ACTOR,
        cause=f"{decision.kind} of version {decision.version}",
        rule="every service that is up answers by the manifest",
        reason=f"{who}, the last one after {seconds:.2f} s",
        evidence={"for": decision.decision_id},
        numbers={"seconds": seconds, "services": float(count)},
        details={
            "generation": found.generation,
            "services": services_told(found.followed),
            "for": decision.decision_id,
        },
    )
    return record(space, told, run_id)


def services_told(acks: Sequence[Ack]) -> list[dict[str, Any]]:
    """Services as the ledger keeps them."""
    return [
        {
            "service": ack.service,
            "generation": ack.generation,
            "champion": ack.champion,
            "at": ack.at.isoformat(),
            "problem": ack.problem,
        }
        for ack in acks
    ]


def _confirmed(space: LoopSpace, decision: Decision) -> bool:
    wanted = decision.decision_id
    return any(d.evidence.get("for") == wanted for d in decisions(space, "serving"))
