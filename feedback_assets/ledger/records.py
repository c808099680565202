"""One record of the ledger: what was decided, by whom, and the hash of all that was before."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.merkle import leaf_hash

GENESIS = "0" * 64
"""What stands for the record before the first."""

Row = tuple[int, str, str, str, str, str, str, str]
"""A record as it is stored: seq, subject, kind, time, actor, body, previous, hash."""

_text = json.JSONEncoder(ensure_ascii=False).encode
"""A string in JSON; RFC 8785 has the same escapes."""


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


def row_after(seq: int, loop: str, previous: str, entry: Entry) -> Row:
    """An entry as the next record after the one whose hash is `previous`.

    Raises:
        LedgerError: The entry holds what JSON cannot, as NaN, or its time has no zone.
    """
    if entry.time.tzinfo is None:
        raise LedgerError(f"{loop}: the time of a {entry.kind} has no zone")
    try:
        body = rfc8785.dumps(dict(entry.body)).decode()
        time = entry.time.astimezone(dt.UTC).isoformat()
        row = (seq, entry.subject, entry.kind, time, entry.actor, body, previous, "")
        return (*row[:7], digest(loop, row))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise LedgerError(f"{loop}: a {entry.kind} cannot be recorded: {error}") from error


def record_of(loop: str, row: Row) -> Record:
    """A stored record for readers."""
    seq, subject, kind, time, actor, body, previous, hashed = row
    return Record(
        seq, loop, subject, kind, dt.datetime.fromisoformat(time), actor, json.loads(body),
        previous, hashed,
    )  # fmt: skip


def canonical(loop: str, row: Row) -> bytes:
    """A record in canonical JSON (RFC 8785), without its hash: the bytes that are hashed.

    The body is stored in canonical form, so it is joined, not parsed: a million records are
    verified in seconds.
    """
    seq, subject, kind, time, actor, body, previous, _ = row
    return (
        f'{{"actor":{_text(actor)},"body":{body},"kind":{_text(kind)},"loop":{_text(loop)},'
        f'"previous":{_text(previous)},"seq":{seq},"subject":{_text(subject)},'
        f'"time":{_text(time)}}}'
    ).encode()


def exported(loop: str, row: Row) -> bytes:
    """A record with its hash in canonical JSON: a line of an export."""
    _, _, _, _, actor, body, _, hashed = row
    start = f'{{"actor":{_text(actor)},"body":{body},'.encode()
    rest = canonical(loop, row)[len(start) :]
    return start + f'"hash":{_text(hashed)},'.encode() + rest


def digest(loop: str, row: Row) -> str:
    """What the hash of a record must be."""
    return hashlib.sha256(canonical(loop, row)).hexdigest()


def leaf_of(hashed: str) -> bytes:
    """A record's leaf hash in the Merkle tree, from its own hash."""
    return leaf_hash(bytes.fromhex(hashed))
