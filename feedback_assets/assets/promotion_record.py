"""Everything that an auditor asks of a promotion, gathered when it is made."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from feedback_assets.assets.examination import Suite, evaluation_facts, suite_facts
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.rollout import Candidacy


def promotion_record(
    space: LoopSpace,
    candidate: ModelVersion,
    before: ModelVersion | None,
    suite: Suite,
    gates: Sequence[GateCheck],
    at: Candidacy,
    decisions: Sequence[Decision],
    look: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Cause, data, code, digests, metrics, gates, rollout, approvals and the way back, as JSON."""
    manifest = candidate.manifest
    asked = next((d for d in decisions if d.kind == "retrain" and d.version == at.version), None)
    return {
        "trained": {
            "decision_id": asked.decision_id if asked else None,
            "cause": manifest["cause"],
            "reason": asked.reason if asked else None,
        },
        "training": _training(manifest),
        "evaluation": evaluation_facts(candidate, suite) if suite else None,
        "suite": suite_facts(space, candidate, before, suite) if suite else None,
        "code": _code(manifest),
        "config_digest": space.config_digest,
        "models": {
            "candidate": candidate.digest,
            "champion": before.digest if before else None,
        },
        "metrics": suite.get("overall", {}),
        "gates": [asdict(gate) for gate in gates],
        "verdict": (look or {}).get("verdict"),
        "look": look,
        "rollout": _rollout(at),
        "approvals": [
            {"decision_id": d.decision_id, "by": d.actor, "reason": d.reason, **d.details}
            for d in decisions
            if d.kind in ("approve", "reject", "override") and d.version == at.version
        ],
        "rollback_target": str(before.version) if before else None,
    }


def _training(manifest: Mapping[str, Any]) -> dict[str, Any]:
    pool = manifest["pool"]
    days = sorted(pool.get("partitions", {}))
    return {
        "table": pool.get("table"),
        "version": pool.get("version"),
        "fingerprint": pool.get("fingerprint"),
        "as_of": manifest["as_of"],
        "rows": manifest["train_rows"],
        "partitions": {"first": days[0], "last": days[-1], "count": len(days)} if days else None,
    }


def _code(manifest: Mapping[str, Any]) -> dict[str, Any]:
    commit = manifest.get("git_commit")
    return {
        "version": manifest.get("code_version"),
        "git_commit": commit.rstrip("+") if commit else None,
        "dirty": commit.endswith("+") if commit else None,
        "lock_digest": manifest.get("lock_digest"),
    }


def _rollout(at: Candidacy) -> list[dict[str, Any]]:
    """Each stage with when it began and ended, and what had been seen by its end."""
    told = []
    for place, after in zip_longest(at.stages, at.stages[1:]):
        seen = (after.details.get("look") if after else None) or {}
        told.append(
            {
                "stage": place.details["stage"],
                "passed_over": bool(place.details.get("passed_over")),
                "from": place.time.isoformat(),
                "to": after.time.isoformat() if after else None,
                "labels": seen.get("labels"),
                "reason": place.reason,
            }
        )
    return told
