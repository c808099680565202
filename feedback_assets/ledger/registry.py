"""Who may approve: the public keys in `configs/approvers.yaml`, which is reviewed like code."""

import base64
import binascii
import datetime as dt
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.keys import PUBLIC_BYTES, check_name, fingerprint, sync_folder
from feedback_assets.settings import Settings

EVERY_LOOP = "*"
_FIELDS = {"name", "public_key", "loops", "added", "revoked"}
_HEADING = """\
# Who may approve models: public keys, made with `feedback-assets keys new NAME`.
# A revoked key stays: what it signed before is still to be verified.
"""


@dataclass(frozen=True)
class Approver:
    """One public key of one person.

    Attributes:
        name: The person, as in `person:<name>`.
        public: The raw Ed25519 public key (32 bytes).
        loops: Loops they may approve for; `*` for every one.
        added: Since when the key is valid, aware.
        revoked: Since when it is not any more; None while it is.
    """

    name: str
    public: bytes
    loops: tuple[str, ...]
    added: dt.datetime
    revoked: dt.datetime | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, hexadecimal."""
        return fingerprint(self.public)

    def valid(self, at: dt.datetime) -> bool:
        """Whether the key was valid at a moment."""
        return self.added <= at and (self.revoked is None or at < self.revoked)

    def may(self, loop: str, at: dt.datetime) -> bool:
        """Whether the key could approve for a loop at a moment.

        Ask with the moment at which an approval was recorded. The one which its signer claims can
        be of before the key was revoked.
        """
        return self.valid(at) and (EVERY_LOOP in self.loops or loop in self.loops)


@dataclass(frozen=True)
class Registry:
    """Every key that was ever allowed to approve."""

    approvers: tuple[Approver, ...] = ()

    @classmethod
    def load(cls, settings: Settings) -> "Registry":
        """Read `approvers.yaml`; nobody may approve where there is none.

        Raises:
            LedgerError: It is no such file, or one key stands for two people, or one person has
                two keys at once.
        """
        path = settings.approvers
        if not path.exists():
            return cls()
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LedgerError(f"{path} cannot be read: {error}") from error
        found = cls(tuple(_entries(path, content)))
        found.check(path)
        return found

    def check(self, path: Path) -> None:
        """Refuse keys by which one person could pass for two.

        Raises:
            LedgerError: One key stands for two people, or one person has two keys at once.
        """
        owners: dict[bytes, str] = {}
        usable: set[str] = set()
        for approver in self.approvers:
            if approver.public in owners:
                raise LedgerError(
                    f"{path}: {owners[approver.public]} and {approver.name} have the same key; "
                    "each person needs one of their own"
                )
            owners[approver.public] = approver.name
            if approver.revoked is None and approver.name in usable:
                raise LedgerError(
                    f"{path}: {approver.name} has two keys; revoke one, with the moment in "
                    "its field `revoked`"
                )
            if approver.revoked is None:
                usable.add(approver.name)

    def key(self, digest: str) -> Approver | None:
        """Who has the key of a fingerprint."""
        return next((a for a in self.approvers if a.fingerprint == digest), None)

    def of(self, name: str) -> tuple[Approver, ...]:
        """Every key that a person ever had."""
        return tuple(a for a in self.approvers if a.name == name)

    def current(self, name: str, at: dt.datetime) -> Approver | None:
        """The key that a person could use at a moment."""
        return next((a for a in self.of(name) if a.valid(at)), None)


def register(settings: Settings, approver: Approver) -> None:
    """Add a key to `approvers.yaml`.

    Raises:
        LedgerError: The person has a usable key, or another has this one.
    """
    with _locked(settings.approvers):
        known = Registry.load(settings)
        grown = Registry((*known.approvers, approver))
        grown.check(settings.approvers)
        _write(settings.approvers, grown)


def revoke(settings: Settings, name: str, at: dt.datetime) -> Approver:
    """End a person's key; it stays in the file, to verify what it signed before.

    Raises:
        LedgerError: The person has no usable key.
    """
    with _locked(settings.approvers):
        known = Registry.load(settings)
        ended = next((a for a in known.of(name) if a.revoked is None), None)
        if ended is None:
            raise LedgerError(f"{settings.approvers}: {name} has no key that could be revoked")
        gone = replace(ended, revoked=at)
        _write(
            settings.approvers,
            Registry(tuple(gone if a is ended else a for a in known.approvers)),
        )
    return gone


def entry_of(approver: Approver) -> dict[str, Any]:
    """A key as it stands in the file."""
    return {
        "name": approver.name,
        "public_key": base64.b64encode(approver.public).decode(),
        "loops": list(approver.loops),
        "added": approver.added.astimezone(dt.UTC),
        **({"revoked": approver.revoked.astimezone(dt.UTC)} if approver.revoked else {}),
    }


def _entries(path: Path, content: object) -> Iterator[Approver]:
    listed = content.get("approvers") if isinstance(content, Mapping) else None
    if not isinstance(listed, list):
        raise LedgerError(f"{path}: it must hold a list `approvers`")
    for number, entry in enumerate(listed, start=1):
        where = f"{path}: approvers, entry {number}"
        if not isinstance(entry, Mapping) or not _FIELDS - {"revoked"} <= set(entry) <= _FIELDS:
            raise LedgerError(f"{where}: it needs name, public_key, loops, added; revoked may be")
        yield Approver(
            check_name(str(entry["name"])),
            _public(where, entry["public_key"]),
            _loops(where, entry["loops"]),
            _moment(where, "added", entry["added"]),
            None if entry.get("revoked") is None else _moment(where, "revoked", entry["revoked"]),
        )


def _public(where: str, value: object) -> bytes:
    try:
        public = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        public = b""
    if len(public) != PUBLIC_BYTES:
        raise LedgerError(f"{where}: public_key is no Ed25519 key of 32 bytes in base64")
    return public


def _loops(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise LedgerError(f"{where}: loops must be a list, as in [flights] or ['*']")
    return tuple(str(loop) for loop in value)


def _moment(where: str, field: str, value: object) -> dt.datetime:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, dt.datetime):
        raise LedgerError(f"{where}: {field} must be a time, as in 2026-01-31T09:00:00+00:00")
    # A time without an offset is meant in UTC.
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, registry: Registry) -> None:
    content = {"approvers": [entry_of(approver) for approver in registry.approvers]}
    hidden = path.with_name(f".{path.name}.tmp")
    with hidden.open("w", encoding="utf-8") as file:
        file.write(_HEADING + yaml.safe_dump(content, sort_keys=False))
        file.flush()
        os.fsync(file.fileno())
    hidden.replace(path)
    sync_folder(path.parent)
