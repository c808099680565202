"""What people have to say of a candidate: what waits for them, and their signed word recorded."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg
import rfc8785
from pydantic import Field

from feedback_assets.assets.examination import suite_path
from feedback_assets.assets.ledger import decisions, record
from feedback_assets.assets.models import champion, model_version
from feedback_assets.assets.space import LOOP_TAG, LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.errors import ApprovalError
from feedback_assets.evaluation.suite import suite_digest
from feedback_assets.ledger.registry import Registry
from feedback_assets.promotion.approval import (
    ENDS,
    PERSON,
    Standing,
    Terms,
    asked_by,
    standing,
)
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GATES, PROOF
from feedback_assets.promotion.rollout import final_of
from feedback_assets.promotion.statement import Action, Bound, Statement, moment

DESCRIPTION = """Records one person's signed word on a candidate: approve, reject or override a gate.

Make the fields where your key is: `feedback-assets approve {name} VERSION --reason ... --print`. The
signature is verified against `approvers.yaml`; nothing is recorded that does not count."""


@dataclass(frozen=True)
class Waiting:
    """A candidate that waits for people.

    Attributes:
        request: What asked for them.
        standing: Who has approved so far.
        stands: Whether champion, evaluation and configuration are still those of the request; if
            not, it is judged and asked for anew, and nobody can approve it until then.
    """

    request: Decision
    standing: Standing
    stands: bool

    @property
    def version(self) -> str:
        """The candidate."""
        return str(self.request.version)


def bound_of(space: LoopSpace, version: int) -> Bound:
    """The digests of a version, of its evaluation beside the champion of now, and of the file.

    Raises:
        ApprovalError: It was not examined beside this champion yet.
        TrainingError: There is no such version.
    """
    candidate, serving = model_version(space, version), champion(space)
    path = suite_path(candidate, serving)
    if not path.exists():
        beside = f"beside version {serving.version}" if serving else "yet"
        raise ApprovalError(
            f"version {version} of {space.name} was not examined {beside}: "
            "materialize evaluation_report"
        )
    suite = json.loads(path.read_text("utf-8"))
    return Bound(candidate.digest, suite_digest(suite), space.config_digest)


def waiting(space: LoopSpace, now: dt.datetime) -> list[Waiting]:
    """The candidates that wait for people, oldest request first, and how each stands."""
    found, registry = decisions(space), Registry.load(space.settings)
    requests = [d for d in found if d.kind == "request" and _is_open(found, d)]
    newest = {str(d.version): d for d in requests}
    return [
        Waiting(
            request,
            standing(space.config, request, found, registry, now),
            _still_stands(space, request),
        )
        for request in newest.values()
    ]


def drafted(space: LoopSpace, statement: Statement, signature: str, now: dt.datetime) -> Decision:
    """A signed statement as the decision that would be recorded.

    Args:
        space: The loop.
        statement: What was signed.
        signature: Of its RFC 8785 bytes, base64.
        now: When it is recorded.

    Raises:
        ApprovalError: It would not count, and why.
    """
    found, registry = decisions(space), Registry.load(space.settings)
    approver = registry.current(statement.by, now)
    if approver is None:
        known = ", ".join(sorted({a.name for a in registry.approvers if a.valid(now)})) or "nobody"
        raise ApprovalError(
            f"{statement.by} has no valid key in {space.settings.approvers}; there are: {known}. "
            f"Make one with `feedback-assets keys new {statement.by}`"
        )
    bound, since = _subject(space, statement, found)
    asked = asked_by(found, statement.version)
    terms = Terms(space.config, statement.version, bound, registry, asked, now, since)
    if problem := terms.objection(statement, signature, approver.fingerprint, now):
        raise ApprovalError(problem)
    content = statement.to_dict()
    digest = hashlib.sha256(rfc8785.dumps(dict(content))).hexdigest()
    return Decision(
        loop=space.name,
        kind=statement.action,
        time=now,
        version=statement.version,
        actor=f"{PERSON}{statement.by}",
        cause=f"{PERSON}{statement.by}",
        rule=f"gate {statement.gate} overridden" if statement.gate else "signed by a person",
        reason=statement.reason,
        # The signature too: a forged record must not take the place of the true one.
        evidence={"statement": digest, "signature": signature},
        details={
            "statement": content,
            "signature": signature,
            "key": approver.fingerprint,
            "public_key": base64.b64encode(approver.public).decode(),
        },
    )


def accept(
    space: LoopSpace, statement: Statement, signature: str, now: dt.datetime, run_id: str = ""
) -> Decision:
    """Verify a signed statement and record it; said twice it is recorded once.

    Raises:
        ApprovalError: It would not count, and why.
    """
    return record(space, drafted(space, statement, signature, now), run_id)


class ApprovalConfig(dg.Config):
    """The fields that `--print` prints."""

    version: str = Field(description="The candidate.")
    action: Literal["approve", "reject", "override"] = Field(description="What you say of it.")
    gate: str = Field(default="", description="override: which gate.")
    reason: str = Field(description="Why.")
    by: str = Field(description="Your name in approvers.yaml.")
    at: str = Field(description="When you signed, as printed.")
    expires_at: str = Field(description="From when on it does not count, as printed.")
    signature: str = Field(description="As printed.")


def op_of(loop: str) -> str:
    """The name of the job's one step: unique among all loops, as Dagster asks."""
    return f"{loop}_approve"


def approval_job(space: LoopSpace) -> dg.JobDefinition:
    """The job `<loop>_approval`: what the commands do, from the UI."""

    @dg.op(name=op_of(space.name), description="Verifies the signature and records the decision.")
    def _approval(
        context: dg.OpExecutionContext, config: ApprovalConfig, clock: dg.ResourceParam[Clock]
    ) -> None:
        try:
            statement = statement_of(
                space, config.version, config.action, config.reason, config.by,
                moment(config.at, "at"), moment(config.expires_at, "expires_at"), config.gate,
            )  # fmt: skip
            made = accept(space, statement, config.signature, clock.now(), context.run_id)
        except ApprovalError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        context.log.info(f"{made.kind} of version {made.version} by {made.actor} is recorded")

    @dg.job(
        name=f"{space.name}_approval",
        description=DESCRIPTION.format(name=space.name),
        executor_def=dg.in_process_executor,
        tags={LOOP_TAG: space.name},
    )
    def _job() -> None:
        _approval()

    return _job


def statement_of(
    space: LoopSpace,
    version: str,
    action: Action,
    reason: str,
    by: str,
    at: dt.datetime,
    expires_at: dt.datetime,
    gate: str = "",
) -> Statement:
    """A statement on a candidate as it stands now.

    Raises:
        ApprovalError: The version is no number, or was not examined yet.
    """
    if not version.isascii() or not version.isdigit():
        raise ApprovalError(f"version {version!r} is no number, as in 12")
    bound = bound_of(space, int(version))
    return Statement(space.name, str(int(version)), action, bound, reason, by, at, expires_at, gate)


def _subject(
    space: LoopSpace, statement: Statement, found: Sequence[Decision]
) -> tuple[Bound, dt.datetime | None]:
    """What a statement must be about, and since when it can be signed.

    Raises:
        ApprovalError: There is nothing to say it of.
    """
    version, now_stands = statement.version, bound_of(space, int(statement.version))
    if statement.action == "override":
        _must_have_failed(space, statement, found)
        return now_stands, None
    if statement.gate:
        raise ApprovalError(f"{statement.action} names no gate; {statement.gate!r} was given")
    own = [d for d in found if d.version == version]
    if statement.action == "reject":
        if final := final_of(own):
            raise ApprovalError(
                f"version {version} of {space.name} is decided already ({final.kind}); "
                f"to take a promotion back: feedback-assets rollback {space.name}"
            )
        return now_stands, None
    request = next((d for d in reversed(own) if d.kind == "request"), None)
    if request is None or not _is_open(found, request):
        raise ApprovalError(
            f"version {version} of {space.name} waits for no approval; "
            f"see `feedback-assets approvals {space.name}`"
        )
    if not _still_stands(space, request):
        raise ApprovalError(
            f"what was asked for version {version} of {space.name} stands no more: the champion, "
            "the evaluation or the configuration is another; materialize promoted_model to ask anew"
        )
    return now_stands, request.time


def _must_have_failed(space: LoopSpace, statement: Statement, found: Sequence[Decision]) -> None:
    """An override is for a gate that the candidate did not pass."""
    if statement.gate not in GATES or statement.gate == PROOF:
        listed = ", ".join(name for name in GATES if name != PROOF)
        raise ApprovalError(f"{statement.gate!r} cannot be overridden; choose from {listed}")
    asked = next(
        (d for d in reversed(found) if d.kind == "gate" and d.version == statement.version), None
    )
    checks = asked.details.get("gates", ()) if asked else ()
    failed = [str(check["name"]) for check in checks if not check["passed"]]
    if statement.gate not in failed:
        listed = ", ".join(failed) or "none"
        raise ApprovalError(
            f"version {statement.version} of {space.name} did not fail {statement.gate}; "
            f"failed gates: {listed}"
        )


def _still_stands(space: LoopSpace, request: Decision) -> bool:
    """Whether a request is about the digests of now."""
    try:
        now_stands = bound_of(space, int(request.version or 0))
    except ApprovalError:
        return False
    return Bound.of(request.details.get("statement")) == now_stands


def _is_open(found: Sequence[Decision], request: Decision) -> bool:
    """Whether nothing has ended a request since."""
    place = next(i for i, d in enumerate(found) if d.decision_id == request.decision_id)
    version = request.version
    return not any(
        d.kind in ENDS and version in {d.version, d.previous_version} for d in found[place + 1 :]
    )
