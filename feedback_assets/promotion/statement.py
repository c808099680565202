"""What a person signs: an approval, a rejection or an override, bound to what they looked at."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from feedback_assets.errors import ApprovalError

Action = Literal["approve", "reject", "override"]
PURPOSE = "feedback_assets decision 1"
"""Stands in each signed statement: a signature given for anything else is none of these."""


@dataclass(frozen=True)
class Bound:
    """The digests of what was looked at: a statement about one model says nothing of another."""

    model: str
    """SHA-256 of the ONNX file."""
    evaluation: str
    """Digest of the evaluation suite, which names the champion too."""
    config: str
    """Digest of the loop's configuration."""

    @classmethod
    def of(cls, statement: Any) -> "Bound | None":
        """The digests in the `statement` of a decision's details; None where they are not."""
        if not isinstance(statement, Mapping):
            return None
        found = [statement.get(name) for name in ("model", "evaluation", "config")]
        return cls(*map(str, found)) if all(found) else None


@dataclass(frozen=True)
class Statement:
    """What is signed.

    Attributes:
        loop: The loop's name.
        version: The candidate.
        action: approve, reject or override.
        bound: What it is about.
        reason: Why, in the person's words.
        by: Who says so: the name in `approvers.yaml`.
        at: When, aware.
        expires_at: From when on it does not count, aware.
        gate: override: which gate.
    """

    loop: str
    version: str
    action: Action
    bound: Bound
    reason: str
    by: str
    at: dt.datetime
    expires_at: dt.datetime
    gate: str = ""

    def to_dict(self) -> dict[str, str]:
        """The fields as they are signed (their RFC 8785 bytes) and recorded."""
        return {
            "purpose": PURPOSE,
            "loop": self.loop,
            "version": self.version,
            "action": self.action,
            "gate": self.gate,
            **asdict(self.bound),
            "reason": self.reason,
            "by": self.by,
            "at": _text(self.at),
            "expires_at": _text(self.expires_at),
        }

    @classmethod
    def from_dict(cls, fields: Any) -> "Statement":
        """The inverse of `to_dict`.

        Raises:
            ApprovalError: A field is missing, is another one, or holds something else.
        """
        if not isinstance(fields, Mapping) or not all(isinstance(v, str) for v in fields.values()):
            raise ApprovalError("a statement is an object of texts")
        bound = Bound.of(fields)
        try:
            if bound is None or fields["action"] not in get_args(Action):
                raise ApprovalError("a statement names model, evaluation, config and its action")
            found = cls(
                fields["loop"],
                fields["version"],
                fields["action"],
                bound,
                fields["reason"],
                fields["by"],
                moment(fields["at"], "at"),
                moment(fields["expires_at"], "expires_at"),
                fields["gate"],
            )
        except KeyError as error:
            raise ApprovalError(f"a statement needs the field {error}") from None
        if found.to_dict() != dict(fields):
            raise ApprovalError("a statement holds only its own fields, times in UTC")
        return found


def moment(text: str, field: str) -> dt.datetime:
    """A time that was written down.

    Raises:
        ApprovalError: It is none, or has no time zone.
    """
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ApprovalError(
            f"{field} {text!r} is no time, as in 2026-01-31T09:00:00+00:00"
        ) from None
    if found.tzinfo is None:
        raise ApprovalError(f"{field} {text!r} has no time zone, as in 2026-01-31T09:00:00+00:00")
    return found


def _text(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat()
