"""What a version was made from and who let it in: facts from its manifest and its records."""

from collections.abc import Mapping, Sequence
from typing import Any

from feedback_assets.assets.models import ModelVersion, versions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.story import Story, told
from feedback_assets.errors import AuditError
from feedback_assets.ledger.keys import statement_signed
from feedback_assets.ledger.registry import Registry
from feedback_assets.promotion.decisions import Decision

Json = dict[str, Any]
_GONE = "the version's folder is gone; told from its records alone"


def folder_of(space: LoopSpace, version: str) -> ModelVersion | None:
    """The version on disk; None where its folder is gone."""
    return next((m for m in versions(space) if str(m.version) == version), None)


def must_be_known(space: LoopSpace, version: str, known: Sequence[Decision]) -> None:
    """See that a version was ever recorded or trained.

    Raises:
        AuditError: It was not; the message names those that were.
    """
    recorded = {d.version for d in known if d.version}
    there = recorded | {str(model.version) for model in versions(space)}
    if version not in there:
        listed = ", ".join(sorted(there, key=_numeric)) or "none"
        raise AuditError(f"{space.name} has no version {version}; there are: {listed}")


def trained_on(model: ModelVersion | None, story: Story) -> Json:
    """The rows, the settings and the code that made a version."""
    manifest: Mapping[str, Any] = model.manifest if model else {}
    pool: Mapping[str, Any] = manifest.get("pool") or story.detail("training") or {}
    partitions = span_of(pool.get("partitions"))
    code: Mapping[str, Any] = story.detail("code") or {}
    return {
        "table": pool.get("table"),
        "version": pool.get("version"),
        "fingerprint": pool.get("fingerprint"),
        "partitions": partitions.get("count"),
        "first": str(manifest.get("train_start") or partitions.get("first") or "")[:10] or None,
        "last": str(manifest.get("train_end") or partitions.get("last") or "")[:10] or None,
        "as_of": manifest.get("as_of") or pool.get("as_of"),
        "rows": manifest.get("train_rows") or pool.get("rows"),
        "holdout_rows": manifest.get("holdout_rows"),
        "train_start": manifest.get("train_start"),
        "train_end": manifest.get("train_end"),
        "trained_at": manifest.get("trained_at"),
        "estimator": manifest.get("estimator"),
        "params": manifest.get("params"),
        "sampling": manifest.get("sampling"),
        "metrics": manifest.get("metrics"),
        "parity": manifest.get("parity"),
        "warnings": manifest.get("warnings") or [],
        "config_digest": manifest.get("config_digest") or story.detail("config_digest"),
        "training_digest": manifest.get("training_digest"),
        "onnx_digest": manifest.get("onnx_digest") or (story.detail("models") or {}).get("candidate"),
        "libraries": manifest.get("libraries"),
        "code": {
            "version": manifest.get("code_version") or code.get("version"),
            "git_commit": manifest.get("git_commit") or code.get("git_commit"),
            "dirty": code.get("dirty", str(manifest.get("git_commit") or "").endswith("+")),
            "lock_digest": manifest.get("lock_digest") or code.get("lock_digest"),
        },
        "dagster_run_id": manifest.get("dagster_run_id"),
        "mlflow_model": manifest.get("mlflow_model"),
        "missing": None if model else _GONE,
    }  # fmt: skip


def span_of(partitions: Mapping[str, Any] | None) -> Json:
    """First, last and count of a pool's partitions; a decision's record has them so already."""
    if not partitions or "count" in partitions:
        return dict(partitions or {})
    return {"first": min(partitions), "last": max(partitions), "count": len(partitions)}


def triggered_by(model: ModelVersion | None, story: Story) -> Json:
    """Why it was trained: the cause, the policy's words, who asked."""
    decision = story.training
    if decision:
        return told(decision)
    cause = model.manifest.get("cause", "not recorded") if model else "not recorded"
    return {"cause": cause, "reason": "its training was not recorded", "actor": "", "time": None}


def signature_of(decision: Decision, registry: Registry) -> str:
    """Whether what a person is said to have decided carries their signature, verified now.

    Returns:
        `genuine`; else what is wrong with it.
    """
    statement, key = decision.details.get("statement"), str(decision.details.get("key", ""))
    approver = registry.key(key)
    if not isinstance(statement, Mapping) or not key:
        return "not signed"
    if approver is None or approver.name != statement.get("by"):
        return "by no key of theirs in approvers.yaml"
    signature = str(decision.details.get("signature", ""))
    genuine = statement_signed(approver.public, statement, signature)
    fits = (statement.get("version"), statement.get("action")) == (decision.version, decision.kind)
    return "genuine" if genuine and fits else "not of this statement"


def let_in_by(space: LoopSpace, story: Story) -> Json:
    """Who stood behind the promotion: people by their approvals, else the rule that did it alone."""
    registry = Registry.load(space.settings)
    promotion = story.promotion
    since = story.last("gate")
    begun = since.time if since else None
    asked = story.last("request")
    signed = [
        {
            **told(d),
            "key": d.details.get("key"),
            "statement": d.details.get("statement"),
            "signature": signature_of(d, registry),
        }
        for d in story.all("approve", "reject")
        if begun is None or d.time >= begun
    ]
    return {
        "people": [s for s in signed if s["kind"] == "approve"],
        "against": [s for s in signed if s["kind"] == "reject"],
        "requested": told(asked) | {"why": asked.details.get("why", [])} if asked else None,
        "risk": asked.details.get("risk") if asked else story.detail("risk"),
        "alone": promotion.actor if promotion and not signed else None,
        "overrides": [
            {
                **told(d),
                "gate": (d.details.get("statement") or {}).get("gate"),
                "key": d.details.get("key"),
                "signature": signature_of(d, registry),
            }
            for d in story.all("override")
        ],
    }


def way(story: Story) -> list[Json]:
    """The stages that it went through, as recorded with its promotion, else as they were entered."""
    recorded: list[Json] = story.detail("rollout") or []
    if recorded and story.promotion:
        *before, last = recorded
        look = story.detail("look") or {}
        ended = {"to": story.promotion.time.isoformat(), "labels": look.get("labels")}
        return [*before, {**last, **{k: v for k, v in ended.items() if not last.get(k)}}]
    return [
        {
            "stage": d.details.get("stage"),
            "from": d.time.isoformat(),
            "passed_over": bool(d.details.get("passed_over")),
            "reason": d.reason,
        }
        for d in story.all("stage")
    ]


def acknowledged(known: Sequence[Decision], begun: Decision) -> Json | None:
    """Which services followed the decision, and how fast; None where none has said so."""
    found = [d for d in known if d.kind == "serving" and d.details.get("for") == begun.decision_id]
    if not found:
        return None
    last = found[-1]
    return {
        "seconds": last.numbers.get("seconds"),
        "generation": last.details.get("generation"),
        "services": last.details.get("services", []),
        "time": last.time.isoformat(),
    }


def _numeric(version: str) -> tuple[int, str]:
    return (int(version) if version.isdigit() else 0, version)
