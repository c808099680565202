"""A candidate's moves, each a record: into a stage, to the people, into production, or out."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from feedback_assets.assets.acting import (
    Acting,
    Judged,
    evidence_of,
    look_at,
    newest_of,
    numbers_of,
)
from feedback_assets.assets.approvals import bound_of
from feedback_assets.assets.examination import Suite
from feedback_assets.assets.ledger import decisions, one_at_a_time
from feedback_assets.assets.models import ModelVersion, champion, model_version
from feedback_assets.assets.promotion_record import promotion_record
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.notes import release_notes
from feedback_assets.promotion.rollout import Candidacy, Move, open_candidates, trials
from feedback_assets.promotion.verdict import weakest


def make(acting: Acting, judged: Judged, at: Candidacy, move: Move) -> None:
    """Record a move and bring the service in line with it."""
    candidate, before = judged.candidate, judged.before
    if move.to == "stage":
        _to_stage(acting, judged, at, move)
    elif move.to == "ask":
        _ask_people(acting, judged, at, move)
    elif move.to == "refuse":
        told = _told(acting, judged, at)
        suite = judged.suite or {}
        refuse(acting, candidate, before, move.rule, move.reason, suite, told)
    else:
        _promote(acting, judged, at, move)


def _to_stage(acting: Acting, judged: Judged, at: Candidacy, move: Move) -> None:
    candidate = judged.candidate
    if move.stage == "shadow":
        _make_room(acting, judged)
    draft = acting.draft(
        kind="stage",
        version=str(candidate.version),
        previous_version=str(judged.before.version) if judged.before else None,
        rule=move.rule,
        reason=move.reason,
        evidence={"since": _since(at), "stage": move.stage, "from": at.place},
        numbers=judged.look.verdict.numbers if judged.look else {},
        details={
            "stage": move.stage,
            "before": at.place,
            "passed_over": move.passed_over,
            "look": judged.look.to_dict() if judged.look else None,
        },
    )
    acting.record(draft, publish_models)


def _make_room(acting: Acting, judged: Judged) -> None:
    """Refuse the candidate in shadow with the weakest evidence, if no other may join."""
    space, config = acting.space, acting.space.config
    inside = [at for at in trials(decisions(space), space.config_digest) if at.place == "shadow"]
    if judged.before is None or len(inside) < config.rollout.shadow.candidates:
        return
    seen = {
        at.version: look_at(acting, model_version(space, int(at.version)), judged.before, at)
        for at in inside
    }
    last = weakest({version: look.paired for version, look in seen.items() if look})
    reason = f"version {judged.candidate.version} takes its place: its evidence was the weakest"
    refuse(acting, model_version(space, int(last)), judged.before, "superseded", reason, {}, {})


def _ask_people(acting: Acting, judged: Judged, at: Candidacy, move: Move) -> None:
    space, candidate = acting.space, judged.candidate
    statement = asdict(bound_of(space, candidate.version))
    draft = acting.draft(
        kind="request",
        version=str(candidate.version),
        previous_version=str(judged.before.version) if judged.before else None,
        rule=move.rule,
        reason=f"{move.reason}: feedback-assets approve {space.name} {candidate.version} --reason ...",
        evidence={"statement": statement, "gate": at.gate.decision_id if at.gate else None},
        details={
            "risk": judged.risk.risk if judged.risk else None,
            "why": list(judged.risk.why) if judged.risk else [],
            "people": space.config.approval.people,
            "statement": statement,
        },
    )
    acting.record(draft)


def refuse(
    acting: Acting,
    candidate: ModelVersion,
    before: ModelVersion | None,
    rule: str,
    reason: str,
    suite: Suite,
    details: Mapping[str, Any],
) -> Decision:
    """Record a refusal; the champion stays."""
    draft = acting.draft(
        kind="refuse",
        version=str(candidate.version),
        previous_version=str(before.version) if before else None,
        rule=rule,
        reason=reason,
        evidence={
            "candidate": candidate.digest,
            "champion": before.digest if before else None,
            "after": newest_of(acting.space, str(candidate.version)),
            "told": acting.told,
        },
        numbers=numbers_of(suite),
        details=details,
    )
    return acting.record(_with_notes(acting.space, draft, candidate, suite), publish_models)


def _promote(acting: Acting, judged: Judged, at: Candidacy, move: Move) -> None:
    """Make it the champion, if the champion still is the one it was judged against."""
    space, candidate, before = acting.space, judged.candidate, judged.before
    told, suite = _told(acting, judged, at), judged.suite or {}
    with one_at_a_time(space, "lead"):
        serving = champion(space)
        if (serving.version if serving else None) != (before.version if before else None):
            return  # somebody rolled back meanwhile: the next round judges against the new champion
        draft = acting.draft(
            kind="promote",
            version=str(candidate.version),
            previous_version=str(before.version) if before else None,
            rule="no champion" if before is None else move.rule,
            reason=move.reason,
            evidence={**evidence_of(space, candidate, before, suite), "told": acting.told},
            numbers=numbers_of(suite) | dict(judged.look.verdict.numbers if judged.look else {}),
            details=told,
        )
        acting.record(_with_notes(space, draft, candidate, suite), publish_models)
    for older in open_candidates(decisions(space)):
        if int(older) < candidate.version:
            reason = f"version {candidate.version} is newer and serves"
            loser = model_version(space, int(older))
            refuse(acting, loser, before, "superseded", reason, {}, {})


def _with_notes(
    space: LoopSpace, draft: Decision, candidate: ModelVersion, suite: Suite
) -> Decision:
    """A decision with its release notes among its details."""
    notes = release_notes(draft, suite, candidate.manifest["pool"], space.config)
    return replace(draft, details={**draft.details, "release_notes": notes})


def _told(acting: Acting, judged: Judged, at: Candidacy) -> dict[str, Any]:
    """The promotion record, or the same of a refusal."""
    return promotion_record(
        acting.space,
        judged.candidate,
        judged.before,
        judged.suite or {},
        judged.gates,
        at,
        decisions(acting.space),
        judged.look.to_dict() if judged.look else None,
    )


def _since(at: Candidacy) -> str:
    """What the stage before was recorded as: a stage is entered once from each."""
    last = at.stages[-1] if at.stages else at.gate
    return last.decision_id if last else ""
