"""One record of the ledger: what was decided, by whom, and the hash of all that was before."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

GENESIS = "0" * 64
"""What stands for the record before the first."""


@dataclass(frozen=True)
class Entry:
    """What is asked to be recorded.

    Attributes:
        subject: Names what was decided: asked twice, it is recorded once.
        kind: retrain, gate, stage, promote, ...
        time: When it was decided, aware.
        actor: Who decided: `sensor:...`, `person:...`, a rule.
        body: What a reader needs, as JSON values; numbers are finite.
    """

    subject: str
    kind: str
    time: dt.datetime
    actor: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What is recorded: an entry at its place in the chain."""

    seq: int
    """1, 2, 3, without a gap."""
    loop: str
    subject: str
    kind: str
    time: dt.datetime
    actor: str
    body: Mapping[str, Any]
    previous: str
    """Hash of the record before; `GENESIS` of the first."""
    hash: str
    """SHA-256 of `canonical`, hexadecimal."""

    @classmethod
    def after(cls, seq: int, loop: str, previous: str, entry: Entry) -> "Record":
        """An entry as the next record after the one whose hash is `previous`."""
        content = canonical(seq, loop, previous, entry)
        return cls(
            seq, loop, entry.subject, entry.kind, entry.time, entry.actor, entry.body, previous,
            hashlib.sha256(content).hexdigest(),
        )  # fmt: skip


def canonical(seq: int, loop: str, previous: str, entry: Entry) -> bytes:
    """A record in canonical JSON (RFC 8785): the bytes that are hashed."""
    return rfc8785.dumps(
        {
            "seq": seq,
            "loop": loop,
            "subject": entry.subject,
            "kind": entry.kind,
            "time": entry.time.astimezone(dt.UTC).isoformat(),
            "actor": entry.actor,
            "body": dict(entry.body),
            "previous": previous,
        }
    )
