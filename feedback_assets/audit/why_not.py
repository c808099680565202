"""Why a version does not serve: which gate or rule stopped it, and by how much."""

from collections.abc import Sequence
from typing import Any

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.beaten import comparison, finite, gates
from feedback_assets.audit.facts import folder_of, let_in_by, must_be_known, trained_on, way
from feedback_assets.audit.looks import newest_look
from feedback_assets.audit.story import Reign, Story, reigns, told
from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision

Json = dict[str, Any]
SCHEMA = 1
STANDINGS = ("serves", "refused", "rolled back", "replaced", "on trial", "not judged yet")


def why_not(space: LoopSpace, version: str) -> Json:
    """Everything that explains why a version does not serve now.

    Returns:
        JSON values: `standing` (one of `STANDINGS`), `stopped_by` [{name, observed, threshold, by,
        reason}], `gates`, `comparison`, `missing` (what a version on trial waits for) and so on.

    Raises:
        AuditError: There is no such version.
    """
    known = decisions(space)
    must_be_known(space, version, known)
    story, line = Story.of(known, version), reigns(known)
    own = [reign for reign in line if reign.version == version]
    standing = standing_of(story, line, own)
    ended = own[-1].ended if own else None
    return {
        "schema": SCHEMA,
        "question": "why-not",
        "loop": space.name,
        "title": space.config.title,
        "kpi": space.config.kpi.name,
        "version": version,
        "champion": line[-1].version if line else None,
        "standing": standing,
        "outcome": told(story.outcome) if story.outcome else None,
        "ended": told(ended) if ended else None,
        "ended_by": ended.details.get("by") if ended else None,
        "stopped_by": stopped_by(story, standing, ended, space.config),
        "gates": gates(story),
        "comparison": comparison(story, space.config),
        "let_in_by": let_in_by(space, story),
        "way": way(story),
        "trained": trained_on(folder_of(space, version), story),
        "missing": waits_for(space, story) if standing == "on trial" else None,
        "decisions": [told(d) for d in story.decisions],
    }


def standing_of(story: Story, line: Sequence[Reign], own: Sequence[Reign]) -> str:
    """Where a version stands, one of `STANDINGS`."""
    if own and line[-1].version == story.version:
        return "serves"
    if own and own[-1].ended:
        return "rolled back" if own[-1].ended.kind == "rollback" else "replaced"
    if story.outcome:
        return "refused"
    return "on trial" if story.all("gate", "stage", "request") else "not judged yet"


def stopped_by(story: Story, standing: str, ended: Decision | None, config: Config) -> list[Json]:
    """What stopped it: the failed gates, else the rule that decided, with its numbers."""
    failed = [g for g in gates(story) if not g["passed"] and not g.get("overridden_by")]
    decision = ended if standing == "rolled back" else story.outcome
    if standing == "refused" and failed:
        return failed
    if standing not in ("refused", "rolled back") or decision is None:
        return []
    return [by_rule(decision, config)]


def by_rule(decision: Decision, config: Config) -> Json:
    """A decision without gates in its record, as if its rule were one."""
    look = decision.details.get("look") or {}
    verdict = decision.details.get("verdict") or look.get("verdict") or {}
    numbers = {k: finite(v) for k, v in decision.numbers.items()}
    numbers |= verdict.get("numbers") or {}
    least = config.gate.min_improvement
    seen = numbers.get("gain") if verdict else numbers.get("lower")
    short = seen is not None and seen <= least and decision.kind in ("refuse", "rollback")
    return {
        "name": decision.rule,
        "passed": False,
        "observed": seen if short else None,
        "threshold": least if short else None,
        "by": {"absolute": least - (seen or 0.0), "relative": None} if short else None,
        "reason": decision.reason,
        "numbers": numbers,
    }


def waits_for(space: LoopSpace, story: Story) -> Json:
    """What a version on trial has, and what it waits for, by the newest record and the newest look."""
    newest = story.decisions[-1]
    stage = story.last("stage")
    return {
        "stage": stage.details.get("stage") if stage else None,
        "since": (stage or newest).time.isoformat(),
        "reason": newest.reason,
        "requested": bool(story.all("request")),
        "look": newest_look(space, story.version, "trial"),
    }
