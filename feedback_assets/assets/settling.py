"""One candidate brought as far as evidence, rules and people allow, each step a record.

The ledger is written first and is the truth; what the service answers with, the registry's aliases
and the pages are its projections, made again by any later run if this one is killed in between. The
service comes first among them: it must follow even when MLflow is down.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb

from feedback_assets.assets.approvals import bound_of
from feedback_assets.assets.examination import (
    Suite,
    evaluation_facts,
    suite_facts,
    suite_of,
    suite_path,
)
from feedback_assets.assets.gate_facts import gate_facts
from feedback_assets.assets.ledger import decisions, one_at_a_time, record
from feedback_assets.assets.models import ModelVersion, champion, model_version
from feedback_assets.assets.promotion_record import promotion_record
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.rollback import undo
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial import Look, Trial, look, open_trials
from feedback_assets.config.grain import partition_key_of
from feedback_assets.ledger.registry import Registry
from feedback_assets.promotion.approval import Standing, standing, standing_overrides
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck, check_gates, still_overridden
from feedback_assets.promotion.notes import release_notes
from feedback_assets.promotion.risk import Assessed, alone, assess
from feedback_assets.promotion.rollout import (
    CanaryRecord,
    Candidacy,
    Move,
    Situation,
    candidacy,
    lead,
    next_move,
    open_candidates,
    trials,
)
from feedback_assets.promotion.verdict import weakest

MOST_MOVES = 8
"""Moves in one run; there are fewer stages."""
SERVED_DAYS = 7
"""Who asked longer ago does not count as asking."""


@dataclass(frozen=True)
class Acting:
    """Who settles, why, when, and with what."""

    space: LoopSpace
    con: duckdb.DuckDBPyConnection
    actor: str
    cause: str
    told: str
    run_id: str
    now: dt.datetime
    tell: Callable[[str], None]

    def draft(self, **said: Any) -> Decision:
        """A decision of this run, not recorded yet."""
        common: dict[str, Any] = {
            "loop": self.space.name, "time": self.now, "actor": self.actor, "cause": self.cause,
        }  # fmt: skip
        return Decision(**{**common, **said})

    def record(self, draft: Decision) -> Decision:
        """Record a decision of this run."""
        made = record(self.space, draft, self.run_id)
        self.tell(f"{made.kind}: {made.rule}: {made.reason}")
        return made


@dataclass(frozen=True)
class Judged:
    """How far a candidate has come.

    Attributes:
        candidate: Whom it is about.
        before: The champion that it was compared with.
        suite: What was found on the same rows; None where nothing had to be examined.
        gates: Each gate's outcome.
        final: Its promotion or refusal; None while it is on trial.
        move: What it waits for; None when it is decided.
        look: The newest look at the paired evidence.
        risk: What a wrong promotion could do.
        at: Where it stood when it was judged.
    """

    candidate: ModelVersion
    before: ModelVersion | None
    suite: Suite | None = None
    gates: tuple[GateCheck, ...] = ()
    final: Decision | None = None
    move: Move | None = None
    look: Look | None = None
    risk: Assessed | None = None
    at: Candidacy | None = None


def settle(acting: Acting, candidate: ModelVersion) -> Judged:
    """Bring a candidate as far as it can come now.

    Returns:
        Where it stands then.
    """
    space, version = acting.space, str(candidate.version)
    judged = Judged(candidate, champion(space))
    for _ in range(MOST_MOVES):
        before = champion(space)
        at = candidacy(decisions(space), version, space.config_digest)
        if at.final is not None:
            return _as_decided(acting, candidate, at.final)
        if before is not None and before.digest == candidate.digest:
            _refuse(
                acting, candidate, before, "one model", "it is the very model that serves", {}, {}
            )
            continue
        judged = _judge(acting, candidate, before, at)
        if judged.move is None or judged.move.to == "stay":
            return judged
        _make(acting, judged, judged.at or at, judged.move)
    return judged


def watch(acting: Acting) -> Look | None:
    """Look at the champion beside the one it replaced, and take it back if it is worse.

    Returns:
        The look; None when no promotion is on watch.
    """
    space = acting.space
    trial = next((t for t in open_trials(space, acting.now) if t.kind == "watch"), None)
    if trial is None:
        return None
    seen = look(space, acting.con, trial, acting.now, acting.run_id)
    if seen.verdict.outcome == "rollback":
        made = undo(
            space,
            to=trial.champion.version,
            reason=seen.verdict.reason,
            rule=seen.verdict.rule,
            actor=acting.actor,
            cause="watch",
            now=acting.now,
            undoes=trial.decision_id,
            by="watch",
            numbers=seen.verdict.numbers,
            look=seen.to_dict(),
            run_id=acting.run_id,
        )
        acting.tell(f"{made.kind}: {made.rule}: {made.reason}")
    return seen


def _as_decided(acting: Acting, candidate: ModelVersion, final: Decision) -> Judged:
    """What was decided before; the suite of then, if it is there."""
    space = acting.space
    before = model_version(space, int(final.previous_version)) if final.previous_version else None
    suite = None
    if suite_path(candidate, before).exists():
        suite = suite_of(space, acting.con, candidate, before)
    gates = tuple(GateCheck(**said) for said in final.details.get("gates", ()))
    return Judged(candidate, before, suite, gates, final)


def _judge(
    acting: Acting, candidate: ModelVersion, before: ModelVersion | None, at: Candidacy
) -> Judged:
    """All that the next move is decided by, and the move."""
    space, config = acting.space, acting.space.config
    suite = suite_of(space, acting.con, candidate, before, acting.tell)
    gate = at.gate or _ask_gates(acting, candidate, before, suite)
    gates = _gates_now(acting, candidate, gate)
    at = candidacy(decisions(space), at.version, space.config_digest)
    at = replace(at, request=_same_request(space, candidate, at))
    seen = _look(acting, candidate, before, at)
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
            **_evidence(space, candidate, before, suite),
            "overrides": [override.decision_id for override in overrides],
            "lead": lead(decisions(space)),
            "after": _newest_of(space, version),
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


def _look(
    acting: Acting, candidate: ModelVersion, before: ModelVersion | None, at: Candidacy
) -> Look | None:
    """The paired evidence so far; None outside of a trial."""
    if before is None or at.place == "candidate" or at.since is None:
        return None
    trial = Trial(
        kind="trial",
        champion=before,
        challenger=candidate,
        since=at.since,
        held_out=acting.space.config.rollout.shadow.held_out,
        stage=at.place,
        decision_id=at.stages[-1].decision_id,
    )
    return look(acting.space, acting.con, trial, acting.now, acting.run_id)


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


def _make(acting: Acting, judged: Judged, at: Candidacy, move: Move) -> None:
    """Record a move and bring the service in line with it."""
    candidate, before = judged.candidate, judged.before
    if move.to == "stage":
        _to_stage(acting, judged, at, move)
    elif move.to == "ask":
        _ask_people(acting, judged, at, move)
    elif move.to == "refuse":
        told = _told(acting, judged, at)
        suite = judged.suite or {}
        _refuse(acting, candidate, before, move.rule, move.reason, suite, told)
    else:
        _promote(acting, judged, at, move)


def _to_stage(acting: Acting, judged: Judged, at: Candidacy, move: Move) -> None:
    space, candidate = acting.space, judged.candidate
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
    acting.record(draft)
    publish_models(space)


def _make_room(acting: Acting, judged: Judged) -> None:
    """Refuse the candidate in shadow with the weakest evidence, if no other may join."""
    space, config = acting.space, acting.space.config
    inside = [at for at in trials(decisions(space), space.config_digest) if at.place == "shadow"]
    if judged.before is None or len(inside) < config.rollout.shadow.candidates:
        return
    seen = {
        at.version: _look(acting, model_version(space, int(at.version)), judged.before, at)
        for at in inside
    }
    last = weakest({version: look.paired for version, look in seen.items() if look})
    reason = f"version {judged.candidate.version} takes its place: its evidence was the weakest"
    _refuse(acting, model_version(space, int(last)), judged.before, "superseded", reason, {}, {})


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


def _refuse(
    acting: Acting,
    candidate: ModelVersion,
    before: ModelVersion | None,
    rule: str,
    reason: str,
    suite: Suite,
    details: Mapping[str, Any],
) -> Decision:
    draft = acting.draft(
        kind="refuse",
        version=str(candidate.version),
        previous_version=str(before.version) if before else None,
        rule=rule,
        reason=reason,
        evidence={
            "candidate": candidate.digest,
            "champion": before.digest if before else None,
            "after": _newest_of(acting.space, str(candidate.version)),
            "told": acting.told,
        },
        numbers=numbers_of(suite),
        details=details,
    )
    made = acting.record(with_notes(acting.space, draft, candidate, suite))
    publish_models(acting.space)
    return made


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
            evidence={**_evidence(space, candidate, before, suite), "told": acting.told},
            numbers=numbers_of(suite) | dict(judged.look.verdict.numbers if judged.look else {}),
            details=told,
        )
        acting.record(with_notes(space, draft, candidate, suite))
        publish_models(space)
    for older in open_candidates(decisions(space)):
        if int(older) < candidate.version:
            reason = f"version {candidate.version} is newer and serves"
            loser = model_version(space, int(older))
            _refuse(acting, loser, before, "superseded", reason, {}, {})


def with_notes(
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


def _newest_of(space: LoopSpace, version: str) -> str | None:
    """The newest decision about a version: what comes after it is another, whatever it is made from."""
    own = [decision for decision in decisions(space) if decision.version == version]
    return own[-1].decision_id if own else None


def _evidence(
    space: LoopSpace, candidate: ModelVersion, before: ModelVersion | None, suite: Suite
) -> dict[str, Any]:
    """The digests that a decision was made from."""
    return {
        "candidate": candidate.digest,
        "champion": before.digest if before else None,
        "evaluation": suite.get("evaluation_digest"),
        "training_digest": candidate.manifest["training_digest"],
        "config_digest": space.config_digest,
    }


def numbers_of(suite: Suite) -> dict[str, float]:
    """The deciding numbers of a suite, flat: what a table row and metadata show."""
    if not suite:
        return {}
    metric = suite["metric"]
    found: Mapping[str, float | None] = suite["overall"].get(metric, {})

    def number(name: str) -> float:
        value = found.get(name)
        return float("nan") if value is None else float(value)

    return {
        "rows": float(suite["rows"]),
        f"champion_{metric}": number("champion"),
        f"candidate_{metric}": number("candidate"),
        "improvement": number("improvement"),
        "lower": number("lower"),
        "upper": number("upper"),
        "segments_worse": float(_worse(suite["segments"])),
    }


def _worse(segments: Sequence[Mapping[str, Any]]) -> int:
    return sum(segment["verdict"] == "clearly worse" for segment in segments)


def _since(at: Candidacy) -> str:
    """What the stage before was recorded as: a stage is entered once from each."""
    last = at.stages[-1] if at.stages else at.gate
    return last.decision_id if last else ""
