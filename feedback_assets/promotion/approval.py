"""Who has let a candidate through, and whose word does not count and why.

Nothing recorded is believed: each signature is verified again, each time somebody asks.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.errors import ApprovalError
from feedback_assets.ledger.keys import statement_signed
from feedback_assets.ledger.registry import Registry
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.statement import Bound as Bound
from feedback_assets.promotion.statement import Statement as Statement

PERSON = "person:"
ENDS = ("promote", "refuse", "rollback")
"""What ends a request: nothing said before it can let the version through again."""
REOPENED = ("promote", "rollback")
"""What ends an override; a refusal does not, since it is what overrides are about."""


@dataclass(frozen=True)
class Standing:
    """How a request stands.

    Attributes:
        approved_by: Names whose approval counts now, in the order in which they approved.
        rejected_by: Names whose rejection counts.
        missing: How many more people must approve.
        problems: What is recorded and does not count, and why.
    """

    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    missing: int
    problems: tuple[str, ...]

    @property
    def granted(self) -> bool:
        """Whether enough people have approved and nobody objects."""
        return not self.missing and not self.rejected_by


@dataclass(frozen=True)
class Override:
    """A gate that a person has answered for."""

    gate: str
    by: str
    reason: str
    expires_at: dt.datetime
    decision_id: str


@dataclass(frozen=True)
class Terms:
    """What a statement must fit to count."""

    config: Config
    version: str
    bound: Bound
    registry: Registry
    asked_by: frozenset[str]
    """Who asked for the candidate or its promotion; they may not let it through."""
    now: dt.datetime
    asked_at: dt.datetime | None = None
    """When people were asked: an approval signed before is of another time."""

    def objection(
        self, statement: Statement, signature: str, key: str, recorded: dt.datetime
    ) -> str:
        """Why a statement does not count; empty if it does.

        Args:
            statement: What is said to be signed.
            signature: Of its RFC 8785 bytes, base64.
            key: Fingerprint of the key that is said to have signed.
            recorded: When it was recorded.
        """
        who, loop = f"{statement.by}: ", self.config.name
        approver = self.registry.key(key)
        if approver is None or approver.name != statement.by:
            return f"{who}the key {key[:12]} is not theirs in approvers.yaml"
        if not statement_signed(approver.public, statement.to_dict(), signature):
            return f"{who}the signature is not of this statement"
        if not (approver.may(loop, recorded) and approver.may(loop, self.now)):
            return f"{who}the key {key[:12]} may not decide for {loop}, or was revoked"
        return self._misfit(statement, recorded) or self._conflict(statement)

    def _misfit(self, statement: Statement, recorded: dt.datetime) -> str:
        """Other things than are asked about, or another time."""
        who = f"{statement.by}: "
        if (statement.loop, statement.version) != (self.config.name, self.version):
            return f"{who}said of {statement.loop} version {statement.version}"
        differing = [
            name
            for name in ("model", "evaluation", "config")
            if getattr(statement.bound, name) != getattr(self.bound, name)
        ]
        if differing:
            return f"{who}said of another {' and '.join(differing)} (by digest); look and say again"
        if not statement.reason.strip():
            return f"{who}gives no reason"
        if statement.at > min(recorded, self.now):
            return f"{who}signed for {statement.at:%Y-%m-%d %H:%M %Z}, which is yet to come"
        early = self.asked_at is not None and statement.at < self.asked_at
        if early and statement.action == "approve":
            return f"{who}signed {statement.at:%Y-%m-%d %H:%M %Z}, before it was asked for"
        if statement.expires_at <= self.now:
            return f"{who}expired {statement.expires_at:%Y-%m-%d %H:%M %Z}"
        longest, fields = self._longest(statement)
        if statement.expires_at - statement.at > dt.timedelta(hours=longest):
            return f"{who}holds for longer than {longest:g} hours ({fields})"
        return ""

    def _longest(self, statement: Statement) -> tuple[float, str]:
        """For how many hours a word may hold, and which fields of the file say so."""
        usual, stages = self.config.approval.expires_hours, self.config.rollout
        if statement.action != "override":
            return usual, "approval.expires_hours"
        # A candidate that was let through must stay so while it is tried and people are asked.
        tried = 24 * (stages.shadow.max_days + stages.canary.max_days)
        return tried + usual, "max_days of rollout's stages and approval.expires_hours"

    def _conflict(self, statement: Statement) -> str:
        """Somebody who lets through what they asked for; rejecting it is everybody's right."""
        if statement.action == "reject":
            return ""
        theirs = {a.fingerprint for name in self.asked_by for a in self.registry.of(name)}
        own = {a.fingerprint for a in self.registry.of(statement.by)}
        if own & theirs:
            return f"{statement.by}: asked for version {self.version}; somebody else must decide"
        return ""


def standing(
    config: Config,
    request: Decision,
    decisions: Sequence[Decision],
    registry: Registry,
    now: dt.datetime,
) -> Standing:
    """Who has approved or rejected a version, as far as it counts now.

    The word that each person signed last counts, in whichever order they were recorded: else an
    approval that was signed, kept and taken back could be handed in later. Approvals must come
    after the request.

    Args:
        config: The loop's.
        request: What asks for people; any decision on the version whose details have the
            `statement` of digests.
        decisions: All of the loop's, in the order of the ledger.
        registry: Whose keys count.
        now: When it is asked, aware.

    Raises:
        ApprovalError: The request does not say what it is about.
    """
    terms = terms_of(config, request, decisions, registry, now)
    start = next(
        (i for i, d in enumerate(decisions) if d.decision_id == request.decision_id),
        len(decisions),
    )
    ended = _after_last(decisions, terms.version, ENDS, until=start)
    words: dict[str, Statement] = {}
    problems: list[str] = []
    for place, decision in _said(decisions, terms.version, ("approve", "reject")):
        if place < ended or (decision.kind == "approve" and place < start):
            continue
        statement, problem = _heard(decision, terms)
        if statement is None or problem:
            problems.append(f"{decision.kind} of {problem}")
            continue
        if _is_later(statement, words.get(statement.by)):
            words.pop(statement.by, None)
            words[statement.by] = statement
    approved = tuple(name for name, said in words.items() if said.action == "approve")
    rejected = tuple(name for name, said in words.items() if said.action == "reject")
    people = max(config.approval.people, int(request.details.get("people", 0)))
    return Standing(approved, rejected, max(people - len(approved), 0), tuple(problems))


def standing_overrides(
    config: Config,
    version: str,
    bound: Bound,
    decisions: Sequence[Decision],
    registry: Registry,
    now: dt.datetime,
) -> tuple[Override, ...]:
    """The overrides that count now for a version, in the order of the ledger.

    Args:
        config: The loop's.
        version: The candidate.
        bound: The digests of what is judged now.
        decisions: All of the loop's, in the order of the ledger.
        registry: Whose keys count.
        now: When it is asked, aware.
    """
    terms = Terms(config, version, bound, registry, asked_by(decisions, version), now)
    ended = _after_last(decisions, version, REOPENED, until=len(decisions))
    found = []
    for place, decision in _said(decisions, version, ("override",)):
        statement, problem = _heard(decision, terms)
        if place < ended or statement is None or problem:
            continue
        if ended and statement.at < decisions[ended - 1].time:
            continue  # signed before, kept, and handed in after the promotion was taken back
        found.append(
            Override(
                statement.gate,
                statement.by,
                statement.reason,
                statement.expires_at,
                decision.decision_id,
            )
        )
    return tuple(found)


def terms_of(
    config: Config,
    request: Decision,
    decisions: Sequence[Decision],
    registry: Registry,
    now: dt.datetime,
) -> Terms:
    """What statements on a request must fit.

    Raises:
        ApprovalError: The request does not say what it is about.
    """
    bound = Bound.of(request.details.get("statement"))
    if bound is None or request.version is None:
        raise ApprovalError(
            f"decision {request.decision_id[:12]} ({request.kind}) names no digests to approve"
        )
    asked = asked_by([*decisions, request], request.version)
    return Terms(config, request.version, bound, registry, asked, now, request.time)


def asked_by(decisions: Sequence[Decision], version: str) -> frozenset[str]:
    """The people who asked for a version to be trained or promoted, names in small letters."""
    return frozenset(
        d.actor.removeprefix(PERSON).casefold()
        for d in decisions
        if d.version == version and d.kind in {"retrain", "request"} and d.actor.startswith(PERSON)
    )


def _said(
    decisions: Sequence[Decision], version: str, kinds: Sequence[str]
) -> Iterator[tuple[int, Decision]]:
    """Statements on a version with their places."""
    for place, decision in enumerate(decisions):
        if decision.version == version and decision.kind in kinds:
            yield place, decision


def _after_last(
    decisions: Sequence[Decision], version: str, kinds: Sequence[str], until: int
) -> int:
    """The place after the last decision of these kinds that is about the version."""
    concerned = [
        place
        for place, d in enumerate(decisions[:until])
        if d.kind in kinds and version in {d.version, d.previous_version}
    ]
    return concerned[-1] + 1 if concerned else 0


def _heard(decision: Decision, terms: Terms) -> tuple[Statement | None, str]:
    """The statement that a decision holds, and why it does not count."""
    details: Mapping[str, Any] = decision.details
    try:
        statement = Statement.from_dict(details.get("statement"))
    except ApprovalError as error:
        return None, f"{decision.actor}: {error}"
    if statement.action != decision.kind:
        return statement, f"{statement.by}: recorded as {decision.kind}, signed {statement.action}"
    signature, key = str(details.get("signature", "")), str(details.get("key", ""))
    return statement, terms.objection(statement, signature, key, decision.time)


def _is_later(statement: Statement, other: Statement | None) -> bool:
    """Whether a word takes the place of another by the same person; of two at once, the no."""
    if other is None:
        return True
    return (statement.at, statement.action == "reject") > (other.at, other.action == "reject")
