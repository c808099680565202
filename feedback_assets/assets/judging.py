"""All that a candidate's next move is decided by: gates, paired evidence, service, people."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace

from feedback_assets.assets.acting import (
    Acting,
    Judged,
    evidence_of,
    look_at,
    newest_of,
    numbers_of,
)
from feedback_assets.assets.approvals import bound_of
from feedback_assets.assets.examination import Suite, evaluation_facts, suite_facts, suite_of
from feedback_assets.assets.gate_facts import gate_facts
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial import Look
from feedback_assets.config.grain import partition_key_of
from feedback_assets.ledger.registry import Registry
from feedback_assets.promotion.approval import Standing, standing, standing_overrides
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck, check_gates, still_overridden
from feedback_assets.promotion.risk import Assessed, alone, assess
from feedback_assets.promotion.rollout import (
    CanaryRecord,
    Candidacy,
    Situation,
    candidacy,
    lead,
    next_move,
    trials,
)

SERVED_DAYS = 7
"""Who asked longer ago does not count as asking."""


def judge(
    acting: Acting, candidate: ModelVersion, before: ModelVersion | None, at: Candidacy
) -> Judged:
    """All that the next move is decided by, and the move."""
    space, config = acting.space, acting.space.config
    suite = suite_of(space, acting.con, candidate, before, acting.tell)
    gate = at.gate or _ask_gates(acting, candidate, before, suite)
    gates = _gates_now(acting, candidate, gate)
    at = candidacy(decisions(space), at.version, space.config_digest)
    at = replace(at, request=_same_request(space, candidate, at))
    seen = look_at(acting, candidate, before, at)
    risk = assess(config, suite, gates)
    people = _people(acting, candidate, at)
    move = next_move(
        config.rollout,
        at,
        Situation(
            now=acting.now,
            gates=gates,
            verdict=seen.verdict if seen else None,
            labels=seen.labels if seen else 0,
            canary_by=_in_canary(space, at.version),
            served=is_served(space, acting.now),
            canary=_canary(seen) if at.place == "canary" else None,
            risk=risk.risk,
            alone=_alone(acting, gates, risk),
            standing=people,
        ),
    )
    return Judged(candidate, before, suite, gates, None, move, seen, risk, at)


def _gates_now(acting: Acting, candidate: ModelVersion, gate: Decision) -> tuple[GateCheck, ...]:
    """What the gates said, without overrides that have expired or been withdrawn since."""
    gates = tuple(GateCheck(**said) for said in gate.details["gates"])
    if not any(check.overridden_by for check in gates):
        return gates
    space = acting.space
    overrides = standing_overrides(
        space.config, str(candidate.version), bound_of(space, candidate.version),
        decisions(space), Registry.load(space.settings), acting.now,
    )  # fmt: skip
    return still_overridden(gates, overrides, acting.now)


def _ask_gates(
    acting: Acting, candidate: ModelVersion, before: ModelVersion | None, suite: Suite
) -> Decision:
    """Ask every gate once and record what it said."""
    space, version = acting.space, str(candidate.version)
    bound = bound_of(space, candidate.version)
    overrides = standing_overrides(
        space.config, version, bound, decisions(space), Registry.load(space.settings), acting.now
    )  # fmt: skip
    facts = gate_facts(space, acting.con, candidate, acting.now)
    staged = bool(space.config.rollout.stages)
    checks = check_gates(space.config, suite, facts, overrides, acting.now, staged)
    failed = [check for check in checks if not check.passed]
    draft = acting.draft(
        kind="gate",
        version=version,
        previous_version=str(before.version) if before else None,
        rule=f"{len(checks) - len(failed)} of {len(checks)} gates passed",
        reason="; ".join(check.reason for check in failed) or "all gates passed",
        evidence={
            **evidence_of(space, candidate, before, suite),
            "overrides": [override.decision_id for override in overrides],
            "lead": lead(decisions(space)),
            "after": newest_of(space, version),
        },
        numbers=numbers_of(suite),
        details={
            "gates": [asdict(check) for check in checks],
            "suite": suite_facts(space, candidate, before, suite),
            "evaluation": evaluation_facts(candidate, suite),
            "verdict": None,
        },
    )
    return acting.record(draft)


def is_served(space: LoopSpace, now: dt.datetime) -> bool:
    """Whether anybody asked the service for this loop in the last days."""
    grain = space.config.partitions.grain
    since = partition_key_of(grain, now - dt.timedelta(days=SERVED_DAYS))
    known = space.table("serving_log").snapshot().partitions()
    return any(info.rows for key, info in known.items() if key >= since)


def _canary(seen: Look | None) -> CanaryRecord | None:
    service = seen.service if seen else None
    if service is None or service.challenger is None:
        return None
    arm, champions = service.challenger, service.champion
    share = champions.error_share if champions.requests else None
    return CanaryRecord(arm.requests, arm.others, share, service.latency_ratio)


def _in_canary(space: LoopSpace, besides: str) -> str | None:
    """Another candidate that is in canary now."""
    found = (
        at.version
        for at in trials(decisions(space), space.config_digest)
        if at.place == "canary" and not at.passed_over and at.version != besides
    )
    return next(found, None)


def _alone(acting: Acting, gates: Sequence[GateCheck], risk: Assessed) -> tuple[bool, str]:
    """Whether nobody must be asked; whoever overrides a gate never decides alone."""
    overridden = [gate.name for gate in gates if gate.overridden_by]
    if overridden:
        return False, f"overridden: {', '.join(overridden)}"
    return alone(acting.space.config, risk.risk, acting.now)


def _same_request(space: LoopSpace, candidate: ModelVersion, at: Candidacy) -> Decision | None:
    """The request, unless model, evaluation or configuration have changed since: then ask again."""
    if at.request is None:
        return None
    bound = asdict(bound_of(space, candidate.version))
    return at.request if at.request.details["statement"] == bound else None


def _people(acting: Acting, candidate: ModelVersion, at: Candidacy) -> Standing | None:
    """Who has approved or rejected the candidate so far."""
    asked = at.request or at.gate
    if asked is None:
        return None
    bound = asdict(bound_of(acting.space, candidate.version))
    request = asked
    if at.request is None:  # a person may reject before anybody was asked
        request = replace(asked, details={**asked.details, "statement": bound})
    registry = Registry.load(acting.space.settings)
    return standing(acting.space.config, request, decisions(acting.space), registry, acting.now)
