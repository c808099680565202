"""Why a version serves: what brought it there, what made it, what it beat, who let it in."""

from collections.abc import Sequence
from typing import Any

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import predecessor
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.beaten import comparison, gates
from feedback_assets.audit.facts import (
    acknowledged,
    folder_of,
    let_in_by,
    must_be_known,
    trained_on,
    triggered_by,
    way,
)
from feedback_assets.audit.looks import newest_look
from feedback_assets.audit.story import Reign, Story, refused_before, reigns, told
from feedback_assets.errors import AuditError
from feedback_assets.promotion.decisions import Decision

SCHEMA = 1
Json = dict[str, Any]


def why(space: LoopSpace, version: str | None = None) -> Json:
    """Everything that explains why a version serves, served, or never did.

    Args:
        space: The loop.
        version: The version asked about; the champion if absent.

    Returns:
        JSON values: `serves`, `reigns`, `begun` (what brought it last), `ended`, `trained`,
        `trigger`, `comparison`, `gates`, `way`, `let_in_by`, `refused_before`, `acknowledged`,
        `watch` (the newest look at it beside the one it replaced), `rollback_target`, `release_notes`. What was not recorded is null.

    Raises:
        AuditError: Nothing serves yet, or there is no such version.
    """
    known = decisions(space)
    line = reigns(known)
    if version is None:
        if not line:
            raise AuditError(
                f"{space.name} has no champion yet: materialize labeled_pool, candidate_model "
                "and promoted_model, or ask `why-not` about a version"
            )
        version = line[-1].version
    must_be_known(space, version, known)
    story, own = Story.of(known, version), [reign for reign in line if reign.version == version]
    model = folder_of(space, version)
    return {
        "schema": SCHEMA,
        "question": "why",
        "loop": space.name,
        "title": space.config.title,
        "kpi": space.config.kpi.name,
        "version": version,
        "serves": bool(line) and line[-1].version == version,
        "champion": line[-1].version if line else None,
        "reigns": [reign_json(reign) for reign in own],
        "begun": told(own[-1].begun) if own else None,
        "ended": told(own[-1].ended) if own and own[-1].ended else None,
        "promotion": told(story.promotion) if story.promotion else None,
        "outcome": told(story.outcome) if story.outcome else None,
        "trained": trained_on(model, story),
        "trigger": triggered_by(model, story),
        "comparison": comparison(story, space.config),
        "gates": gates(story),
        "way": way(story),
        "let_in_by": let_in_by(space, story),
        "refused_before": [refusal(d) for d in refused_before(known, version)],
        "acknowledged": followed(known, own),
        "watch": newest_look(space, version, "watch"),
        "rollback_target": target(space, line, version, story),
        "release_notes": story.detail("release_notes"),
        "decisions": [told(d) for d in story.decisions],
    }


def unanswered(told: Json) -> list[str]:
    """The questions about a version that serves which its records do not answer."""
    trained, found = told["trained"], told["comparison"] or {}
    answers = {
        "why it was promoted": (told["promotion"] or {}).get("reason"),
        "what triggered its training": told["trigger"]["time"],
        "what it was trained on": trained["fingerprint"],
        "which code trained it": trained["code"]["version"],
        "its configuration": trained["config_digest"],
        "its digest": trained["onnx_digest"],
        "what it was compared on": found.get("evaluation_digest"),
        "its gates": told["gates"],
        "who let it in": told["let_in_by"]["people"] or told["let_in_by"]["alone"],
    }
    return [question for question, answer in answers.items() if not answer]


def versions_told(space: LoopSpace) -> list[str]:
    """The versions that a newest decision changed: who serves, who served before, who was judged last."""
    known = decisions(space)
    judged = [d.version for d in known if d.version and d.kind in ("promote", "refuse", "stage")]
    served = [reign.version for reign in reigns(known)]
    return list(dict.fromkeys([*served[-2:], *judged[-1:]]))


def followed(known: Sequence[Decision], own: Sequence[Reign]) -> Json | None:
    """Which services followed what brought the version last; else what brought it before."""
    heard = (acknowledged(known, reign.begun) for reign in reversed(own))
    return next((said for said in heard if said), None)


def reign_json(reign: Reign) -> Json:
    """A reign as JSON values."""
    return {
        "since": reign.begun.time.isoformat(),
        "until": reign.ended.time.isoformat() if reign.ended else None,
        "begun_by": reign.begun.kind,
        "ended_by": reign.ended.kind if reign.ended else None,
        "successor": reign.ended.version if reign.ended else None,
        "decision_id": reign.begun.decision_id,
    }


def refusal(decision: Decision) -> Json:
    """A refusal with the gates that failed."""
    failed = [g["name"] for g in decision.details.get("gates") or [] if not g["passed"]]
    return {**told(decision), "failed_gates": failed}


def target(space: LoopSpace, line: Sequence[Reign], version: str, story: Story) -> str | None:
    """Which version a rollback would return to now; of one that no longer serves, as recorded."""
    if line and line[-1].version == version:
        before = predecessor(space)
        return str(before.version) if before else None
    recorded = story.detail("rollback_target")
    return str(recorded) if recorded else None
