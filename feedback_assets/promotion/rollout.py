"""Where a candidate stands on its way into production, and its next move.

candidate → shadow → canary → champion. The ledger says where it stands; nothing else is remembered.
A move is made by rules on evidence and time, never by waiting inside a step.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from feedback_assets.config.rollout import Risk, Rollout, TrialStage
from feedback_assets.promotion.approval import Standing
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.verdict import Verdict

Place = Literal["candidate", "shadow", "canary"]
BY_HAND = "hand"
"""Marks a stage into which a person has put a version, outside of the rollout."""
REJECTED = "rejected by a person"


@dataclass(frozen=True)
class Candidacy:
    """What the ledger says of a candidate.

    Attributes:
        version: The candidate's.
        gate: The gates' record against the champion of now; None before they were asked.
        place: The stage it is in.
        since: When it came there; None before the gates.
        passed_over: Whether the stage was recorded but not needed.
        request: The request for approval, once made.
        final: Its promotion or refusal.
        stages: The stages it went through since the gate, oldest first.
    """

    version: str
    gate: Decision | None = None
    place: Place = "candidate"
    since: dt.datetime | None = None
    passed_over: bool = False
    request: Decision | None = None
    final: Decision | None = None
    stages: tuple[Decision, ...] = ()

    def days_in_place(self, now: dt.datetime) -> float:
        """Days that it has been where it is."""
        return (now - self.since).total_seconds() / 86_400 if self.since else 0.0


def lead(decisions: Sequence[Decision]) -> str | None:
    """The decision by which the champion of now leads; None before the first."""
    led = (d.decision_id for d in reversed(decisions) if d.kind in ("promote", "rollback"))
    return next(led, None)


def candidacy(decisions: Sequence[Decision], version: str, config_digest: str) -> Candidacy:
    """Where a candidate stands.

    What was found before the champion of now came to lead, before an override, or by another
    configuration counts no more: gates and stages begin anew.

    Args:
        decisions: The loop's, oldest first.
        version: The candidate.
        config_digest: Of the loop's configuration now.
    """
    own = [d for d in decisions if d.version == version]
    final = final_of(own)
    asked = _valid_gate(own, lead(decisions), config_digest)
    if asked is None:
        return Candidacy(version, final=final)
    gate, after = own[asked], own[asked + 1 :]
    stages = tuple(d for d in after if d.kind == "stage" and d.details.get("by") != BY_HAND)
    last = stages[-1] if stages else None
    return Candidacy(
        version,
        gate,
        last.details["stage"] if last else "candidate",
        (last or gate).time,
        bool(last and last.details.get("passed_over")),
        next((d for d in reversed(after) if d.kind == "request"), None),
        final,
        stages,
    )


def _valid_gate(own: Sequence[Decision], led_by: str | None, config_digest: str) -> int | None:
    """Where among a version's decisions its newest gate is, if that still counts."""
    found = [i for i, d in enumerate(own) if d.kind in ("gate", "override")]
    if not found or own[found[-1]].kind == "override":
        return None
    evidence = own[found[-1]].evidence
    same = evidence.get("lead") == led_by and evidence.get("config_digest") == config_digest
    return found[-1] if same else None


def final_of(own: Sequence[Decision]) -> Decision | None:
    """How it ended for a version, by its own decisions; an override after a refusal reopens it."""
    ended = None
    for decision in own:
        if decision.kind in ("promote", "refuse"):
            ended = decision
        elif decision.kind == "override" and ended is not None and ended.kind == "refuse":
            ended = None
    return ended


def open_candidates(decisions: Sequence[Decision]) -> list[str]:
    """Versions that were trained and neither promoted nor refused yet, oldest first."""
    by_version: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.version:
            by_version.setdefault(decision.version, []).append(decision)
    return [
        version
        for version, own in by_version.items()
        if any(d.kind == "retrain" for d in own) and final_of(own) is None
    ]


def trials(decisions: Sequence[Decision], config_digest: str) -> list[Candidacy]:
    """The candidates that are in a stage now, or wait for people after the last: oldest first."""
    found = (candidacy(decisions, v, config_digest) for v in open_candidates(decisions))
    return [at for at in found if at.place != "candidate"]


def on_trial(decisions: Sequence[Decision], config_digest: str) -> Candidacy | None:
    """The one that the service tries: who is in canary, else the newest in shadow."""
    found = trials(decisions, config_digest)
    asked = [at for at in found if at.place == "canary" and not at.passed_over]
    best = asked or found
    return best[-1] if best else None


@dataclass(frozen=True)
class CanaryRecord:
    """How the candidate did on the requests it was given, beside the champion.

    Attributes:
        requests: That were meant for it.
        failed: Of them, those that another had to answer.
        champion_share: Share of the champion's requests that another had to answer; None where it
            had none.
        latency_ratio: Its 95th percentile by the champion's; None where it is not known.
    """

    requests: int
    failed: int
    champion_share: float | None
    latency_ratio: float | None


@dataclass(frozen=True)
class Situation:
    """Everything a move is decided by.

    Attributes:
        now: Aware.
        gates: Each gate's outcome.
        verdict: Of the paired evidence; None before the first look.
        labels: Labelled rows that it is made from.
        canary_by: Another version that is in canary now: there is room for one.
        served: Whether anybody asks the service.
        canary: How the canary did; None outside canary.
        risk: Of this promotion.
        alone: Whether it may be promoted without people now, and why (not).
        standing: Who has approved; None before anybody was asked.
    """

    now: dt.datetime
    gates: Sequence[GateCheck]
    verdict: Verdict | None
    labels: int
    canary_by: str | None
    served: bool
    canary: CanaryRecord | None
    risk: Risk
    alone: tuple[bool, str]
    standing: Standing | None


@dataclass(frozen=True)
class Move:
    """What happens next to a candidate.

    Attributes:
        to: `stage` brings it to `stage`; `ask` asks people; `stay` waits.
        rule: The rule that decided.
        reason: Why, in words with numbers.
        stage: The stage it comes to.
        passed_over: The stage is not needed.
    """

    to: Literal["stay", "stage", "ask", "promote", "refuse"]
    rule: str
    reason: str
    stage: TrialStage | None = None
    passed_over: bool = False


def next_move(rollout: Rollout, at: Candidacy, seen: Situation) -> Move:
    """The one thing to do next; `stay` when nothing is to be done before something changes."""
    if not seen.gates:
        return Move("refuse", "gate: none", "no gate stands in the loop's file: nothing was proven")
    failed = [gate for gate in seen.gates if not gate.passed]
    if failed:
        names = ", ".join(gate.name for gate in failed)
        return Move("refuse", f"gate: {names}", "; ".join(gate.reason for gate in failed))
    if seen.standing and seen.standing.rejected_by:
        by = ", ".join(seen.standing.rejected_by)
        return Move("refuse", REJECTED, f"rejected by {by}")
    if seen.verdict is not None and seen.verdict.outcome == "reject":
        return Move("refuse", seen.verdict.rule, seen.verdict.reason)
    if at.gate is not None and at.gate.previous_version is None:
        # the first: there is nobody to be tried against
        return _into_production(rollout, at, seen)
    if at.place == "candidate":
        return _leave(rollout, at, seen)
    if at.place == "shadow":
        return _in_shadow(rollout, at, seen)
    return _in_canary(rollout, at, seen)


def _in_shadow(rollout: Rollout, at: Candidacy, seen: Situation) -> Move:
    rules, days = rollout.shadow, at.days_in_place(seen.now)
    if days >= rules.min_days and _proven(rollout, seen):
        return _leave(rollout, at, seen)
    if days > rules.max_days:
        said = seen.verdict.reason if seen.verdict else "no labelled row"
        return Move(
            "refuse",
            "no proof in time",
            f"after {days:.0f} days in shadow there is no proof: {said}",
        )
    waiting = [
        f"{seen.labels:,} of {rules.min_labels:,} labels" if seen.labels < rules.min_labels else "",
        f"{days:.1f} of {rules.min_days:g} days" if days < rules.min_days else "",
        seen.verdict.reason if seen.verdict else "",
    ]
    return Move("stay", "in shadow", "; ".join(filter(None, waiting)))


def _in_canary(rollout: Rollout, at: Candidacy, seen: Situation) -> Move:
    rules, days = rollout.canary, at.days_in_place(seen.now)
    if at.passed_over:
        return _leave(rollout, at, seen)
    record = seen.canary or CanaryRecord(0, 0, None, None)
    broken = _broken(rollout, record)
    if broken:
        return Move("refuse", "canary", broken)
    known = record.champion_share is not None and record.latency_ratio is not None
    if record.requests >= rules.min_requests and days >= rules.min_days and known:
        return _leave(rollout, at, seen)
    reason = (
        f"{record.requests:,} of {rules.min_requests:,} requests, "
        f"{days:.1f} of {rules.min_days:g} days"
    )
    if not known:
        reason += "; the champion's error rate or latency beside it is not known"
    if days > rules.max_days:
        return Move("refuse", "canary without a proof in time", reason)
    return Move("stay", "in canary", reason)


def _broken(rollout: Rollout, record: CanaryRecord) -> str:
    """What the canary did worse than it may, or an empty text.

    Before it has answered enough, only what is beyond doubt counts: every request of a canary that
    fails is a person's.
    """
    rules = rollout.canary
    if record.requests == 0:
        return ""
    enough = record.requests >= rules.min_requests
    share = record.failed / record.requests
    least = share if enough else _lower_end(record.failed, record.requests)
    excess = least - (record.champion_share or 0.0)
    if excess > rules.max_error_rate:
        return (
            f"{record.failed:,} of its {record.requests:,} requests ({share:.2%}) failed, of the "
            f"champion's {record.champion_share or 0:.2%}; rollout.canary.max_error_rate is "
            f"{rules.max_error_rate:.2%}"
        )
    ratio = record.latency_ratio if enough else None
    if ratio is not None and ratio > rules.max_latency_ratio:
        return (
            f"its 95th percentile latency is {ratio:.1f} times the champion's; "
            f"rollout.canary.max_latency_ratio is {rules.max_latency_ratio:g}"
        )
    return ""


def _lower_end(failed: int, requests: int) -> float:
    """Lower end of the exact 99% interval of a share (Clopper & Pearson 1934)."""
    from scipy.stats import beta

    return float(beta.ppf(0.01, failed, requests - failed + 1)) if failed else 0.0


def _leave(rollout: Rollout, at: Candidacy, seen: Situation) -> Move:
    """The stage after this one; after the last, production, if nobody must be asked."""
    stages = rollout.stages
    rest = [s for s in stages if at.place == "candidate" or (at.place, s) == ("shadow", "canary")]
    if not rest:
        return _into_production(rollout, at, seen)
    reason = seen.verdict.reason if seen.verdict else "all gates passed"
    if rest[0] == "canary" and not seen.served:
        return Move("stage", "canary passed over", "nobody asks the service", "canary", True)
    if rest[0] == "canary" and seen.canary_by is not None:
        return Move("stay", "waits its turn", f"version {seen.canary_by} is in canary")
    return Move("stage", f"to {rest[0]}", reason, rest[0])


def _into_production(rollout: Rollout, at: Candidacy, seen: Situation) -> Move:
    first = at.gate is not None and at.gate.previous_version is None
    if rollout.stages and not first and not _proven(rollout, seen):
        return _unproven(rollout, at, seen)
    verdict = None if first else seen.verdict
    reason = verdict.reason if verdict else "all gates passed"
    rule = verdict.rule if verdict else "all gates passed"
    if seen.alone[0]:
        return Move("promote", rule, reason)
    if at.request is None or seen.standing is None:
        return Move("ask", "people must approve", seen.alone[1])
    if seen.standing.granted:
        by = ", ".join(seen.standing.approved_by)
        return Move("promote", f"{rule}, approved", f"{reason}; approved by {by}")
    missing = f"{seen.standing.missing} approvals missing"
    return Move("stay", "waiting for approval", f"{missing}; {seen.alone[1]}")


def _proven(rollout: Rollout, seen: Situation) -> bool:
    """Whether the paired evidence says promote, now and from enough labels."""
    return (
        seen.verdict is not None
        and seen.verdict.outcome == "promote"
        and seen.labels >= rollout.shadow.min_labels
    )


def _unproven(rollout: Rollout, at: Candidacy, seen: Situation) -> Move:
    days, most = at.days_in_place(seen.now), rollout.canary.max_days
    said = seen.verdict.reason if seen.verdict else "no labelled row yet"
    if days > most:
        return Move("refuse", "no proof in time", f"after {days:.0f} days: {said}")
    return Move("stay", "waiting for a proof", said)
