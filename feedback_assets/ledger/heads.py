"""Signed heads: after each decision the ledger's key signs how long it is and its Merkle root.

A chain alone does not show that its end is missing, nor that all of it was written anew. A head that
is also kept where the writer cannot change it, a witness, shows both.
"""

import base64
import binascii
import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.keys import (
    PUBLIC_BYTES,
    PrivateKey,
    read_private,
    sync_folder,
    verify,
    write_private,
)
from feedback_assets.ledger.schema import locked
from feedback_assets.ledger.store import Ledger
from feedback_assets.ledger.witnesses import deliver
from feedback_assets.settings import Settings

PURPOSE = "feedback_assets ledger head"
"""Stands in what is signed, so that a signature of something else can never pass for a head."""
_FIELDS = {"hash", "key", "loop", "purpose", "root", "signature", "size", "time"}
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class SignedHead:
    """What the ledger's key vouches for.

    Attributes:
        loop: Whose ledger.
        size: How many records it had.
        root: Root of the Merkle tree over them, hexadecimal.
        hash: Hash of the newest of them.
        time: When it was signed, aware.
        key: The ledger's public key, raw (32 bytes).
        signature: Ed25519 over `content`.
    """

    loop: str
    size: int
    root: str
    hash: str
    time: dt.datetime
    key: bytes
    signature: bytes = b""

    @property
    def content(self) -> bytes:
        """What is signed: everything but the signature, in canonical JSON."""
        return rfc8785.dumps(self._fields())

    @property
    def genuine(self) -> bool:
        """Whether the key that it names has signed it."""
        return verify(self.key, self.signature, self.content)

    def text(self) -> str:
        """The head as one line of canonical JSON: for files, logs and tags."""
        signature = base64.b64encode(self.signature).decode()
        return rfc8785.dumps({**self._fields(), "signature": signature}).decode()

    @classmethod
    def parse(cls, text: str) -> "SignedHead":
        """Read a head; what may stand before it on its line, as in a log, is passed over.

        Raises:
            LedgerError: The text holds no head. The signature is not verified.
        """
        try:
            found, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
            return cls._of(found)
        except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
            raise LedgerError(f"no signed head: {text.strip()[:60]!r}") from error

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> "SignedHead":
        if set(found) != _FIELDS or found["purpose"] != PURPOSE or type(found["size"]) is not int:
            raise ValueError("fields")
        key = base64.b64decode(found["key"], validate=True)
        signature = base64.b64decode(found["signature"], validate=True)
        time = dt.datetime.fromisoformat(found["time"])
        bytes.fromhex(found["root"])
        if len(key) != PUBLIC_BYTES or time.tzinfo is None or found["size"] < 0:
            raise ValueError("values")
        return cls(
            str(found["loop"]), found["size"], found["root"], str(found["hash"]), time, key,
            signature,
        )  # fmt: skip

    def _fields(self) -> dict[str, Any]:
        return {
            "purpose": PURPOSE,
            "loop": self.loop,
            "size": self.size,
            "root": self.root,
            "hash": self.hash,
            "time": self.time.astimezone(dt.UTC).isoformat(),
            "key": base64.b64encode(self.key).decode(),
        }


@dataclass(frozen=True)
class Signed:
    """What came of signing.

    Attributes:
        head: The newest head; None of a ledger without records.
        problems: Witnesses that did not take it, in words. The next head stands for it there.
    """

    head: SignedHead | None
    problems: tuple[str, ...] = ()


def sign_head(settings: Settings, loop: str, now: dt.datetime) -> Signed:
    """Sign what the ledger holds now and hand it to the witnesses.

    Asked again with nothing recorded in between, it signs nothing, but gives the newest head to
    witnesses that lack it. Several processes may ask at once.

    Raises:
        LedgerError: The ledger does not continue what was signed last: records were changed or
            taken away. Signing would cover that up.
    """
    ledger = Ledger(settings.ledger, loop)
    with locked(settings.ledger / f"{loop}.heads.lock"):
        size, newest = ledger.head()
        last = last_head(settings, loop)
        if last is not None:
            _continues(ledger, last, size)
        if size == 0:
            return Signed(None)
        head = last
        if head is None or head.size < size:
            root = ledger.root(size).hex()
            head = _sign(signer(settings), SignedHead(loop, size, root, newest, now, b""))
            append_line(heads_path(settings, loop), head.text())
        return Signed(head, tuple(deliver(settings, loop, head.size, head.text())))


def heads_path(settings: Settings, loop: str) -> Path:
    """The ledger's own copy of its heads, one on a line."""
    return settings.ledger / f"{loop}.heads.jsonl"


def last_head(settings: Settings, loop: str) -> SignedHead | None:
    """The head that was signed last; None before the first.

    Raises:
        LedgerError: It cannot be read.
    """
    path = heads_path(settings, loop)
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        whole = file.read().rpartition(b"\n")[0]  # a crash may have torn what is behind
    if not whole:
        return None
    try:
        return SignedHead.parse(whole.rpartition(b"\n")[2].decode(errors="replace"))
    except LedgerError as error:
        raise LedgerError(
            f"{path}: its last line is no signed head; see `feedback-assets audit verify {loop}`"
        ) from error


def signer_path(settings: Settings) -> Path:
    """The ledger's private key. No loop can have a name that this begins with."""
    return settings.ledger / "signer-key.pem"


def signer(settings: Settings) -> PrivateKey:
    """The key that signs heads; made when it is first asked for, mode 0600.

    Raises:
        LedgerError: It cannot be read.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = signer_path(settings)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_private(path, Ed25519PrivateKey.generate())
        except FileExistsError:
            pass  # another process was first: its key is the ledger's
        except OSError as error:
            raise LedgerError(f"{path} cannot be written: {error}") from error
    return PrivateKey("ledger", read_private(path))


def append_line(path: Path, line: str) -> None:
    """Add a line durably; a torn one that a crash left at the end is cut off before.

    Raises:
        LedgerError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("ab") as file:
            file.truncate(_whole_bytes(path))
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(path.parent)
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error}") from error


def read_heads(lines: Iterator[str]) -> Iterator[tuple[int, SignedHead | None]]:
    """The heads of a text with the number of their line; None for a line that is no head."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, SignedHead.parse(line)
            except LedgerError:
                yield number, None


def _continues(ledger: Ledger, last: SignedHead, size: int) -> None:
    if last.size > size:
        found = f"it has {size} records, but {last.size} were signed on {last.time:%Y-%m-%d %H:%M}"
    elif ledger.root(last.size).hex() != last.root:
        found = f"its first {last.size} records are not those signed on {last.time:%Y-%m-%d %H:%M}"
    else:
        return
    raise LedgerError(
        f"{ledger.path} is not what it was: {found}. Nothing more is signed. "
        f"`feedback-assets audit verify {ledger.loop}` says where; restore it from a backup"
    )


def _sign(key: PrivateKey, head: SignedHead) -> SignedHead:
    named = SignedHead(head.loop, head.size, head.root, head.hash, head.time, key.public)
    return SignedHead(
        named.loop, named.size, named.root, named.hash, named.time, named.key,
        key.sign(named.content),
    )  # fmt: skip


def _whole_bytes(path: Path) -> int:
    """Length of a file up to the end of its last whole line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    torn = len(tail) - (tail.rfind(b"\n") + 1)
    return size - torn
