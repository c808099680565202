"""Decisions as records: what was decided, when, by which rule, from which evidence.

A decision's id is a digest of its loop, kind and evidence, so deciding the same thing twice (a crash
and a rerun, two sensors) is one decision, recorded once.
"""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd

from feedback_assets.errors import LedgerError

Kind = Literal[
    "config", "retrain", "gate", "override", "stage", "request", "approve", "reject", "promote",
    "refuse", "rollback", "serving", "drill",
]  # fmt: skip

COLUMNS = (
    "decision_id", "loop", "kind", "time", "version", "previous_version", "actor", "cause", "rule",
    "reason", "evidence", "numbers", "partition_key",
)  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """One decision of one loop.

    Attributes:
        loop: the loop's name.
        kind: what was decided.
        time: when, aware.
        cause: what asked for it (a sensor's cause, a person).
        rule: the rule that decided.
        reason: why, in words with numbers.
        evidence: digests and versions that the decision was made from; they make its id.
        version: the model version that it is about.
        previous_version: the champion before it.
        numbers: the numbers that decided; NaN is kept as null.
        actor: who decided: `sensor:<name>`, `person:<name>`, or a run started by hand.
        details: everything else that a reader needs later, as JSON; the ledger keeps it, the
            decisions table does not.
    """

    loop: str
    kind: Kind
    time: dt.datetime
    cause: str
    rule: str
    reason: str
    evidence: Mapping[str, Any]
    version: str | None = None
    previous_version: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    actor: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(get_args(Kind))}")
        if self.time.tzinfo is None:
            raise ValueError(f"time must be an aware datetime, got {self.time.isoformat()}")

    @property
    def decision_id(self) -> str:
        """SHA-256 of loop, kind and evidence; neither the time nor the words enter."""
        text = _json({"loop": self.loop, "kind": self.kind, "evidence": dict(self.evidence)})
        return hashlib.sha256(text.encode()).hexdigest()


def to_frame(decisions: Sequence[Decision]) -> pd.DataFrame:
    """Ledger rows (`COLUMNS`): text, `time` UTC in microseconds, evidence and numbers as JSON.

    `partition_key` is the decision's own id: one decision is one partition, replaced as a whole.
    """
    frame = pd.DataFrame([_row(d) for d in decisions], columns=list(COLUMNS))
    frame["time"] = pd.to_datetime(frame["time"], utc=True).astype("datetime64[us, UTC]")
    texts = [c for c in COLUMNS if c != "time"]
    return frame.astype(dict.fromkeys(texts, "string"))


def _row(decision: Decision) -> dict[str, object]:
    time = decision.time.astimezone(dt.UTC)
    return {
        "decision_id": decision.decision_id,
        "loop": decision.loop,
        "kind": decision.kind,
        "time": time,
        "version": decision.version,
        "previous_version": decision.previous_version,
        "actor": decision.actor,
        "cause": decision.cause,
        "rule": decision.rule,
        "reason": decision.reason,
        "evidence": _json(dict(decision.evidence)),
        "numbers": _json(_finite(decision.numbers)),
        "partition_key": decision.decision_id,
    }


def from_frame(frame: pd.DataFrame) -> list[Decision]:
    """The decisions of table rows, in their order: what a home without a ledger knows."""
    return [_of_row(row) for row in frame.to_dict(orient="records")]


def _of_row(row: Mapping[Any, Any]) -> Decision:
    texts = {
        name: None if pd.isna(row[name]) else str(row[name])
        for name in ("version", "previous_version")
    }
    body = {name: row[name] for name in ("cause", "rule", "reason")} | texts
    body |= {"evidence": json.loads(row["evidence"]), "numbers": json.loads(row["numbers"])}
    time = pd.Timestamp(row["time"]).to_pydatetime().astimezone(dt.UTC)
    return from_body(row["loop"], row["kind"], time, "", body)


def to_body(decision: Decision) -> dict[str, Any]:
    """A decision as the body of a ledger record, without what the record says itself."""
    return {
        "version": decision.version,
        "previous_version": decision.previous_version,
        "cause": decision.cause,
        "rule": decision.rule,
        "reason": decision.reason,
        "evidence": dict(decision.evidence),
        "numbers": _finite(decision.numbers),
        "details": dict(decision.details),
    }


def from_body(
    loop: str, kind: str, time: dt.datetime, actor: str, body: Mapping[str, Any]
) -> Decision:
    """The decision that a ledger record holds; null numbers come back as NaN.

    Raises:
        LedgerError: The record is of a kind that this release does not know.
    """
    if kind not in get_args(Kind):
        raise LedgerError(
            f"the ledger of {loop} holds a record of the kind {kind!r} ({time.isoformat()}), which "
            "this release does not know: install the release that wrote it, or a newer one"
        )
    numbers = {k: math.nan if v is None else float(v) for k, v in body["numbers"].items()}
    return Decision(
        loop=loop,
        kind=kind,  # type: ignore[arg-type]
        time=time,
        actor=actor,
        **{**body, "numbers": numbers},
    )


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {k: v if math.isfinite(v) else None for k, v in numbers.items()}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
