"""Ed25519 keys of the people who approve: each person keeps the private one, outside the home."""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785

from feedback_assets.errors import LedgerError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
PUBLIC_BYTES = 32


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs.

    Attributes:
        name: Whose it is.
    """

    name: str
    _key: "Ed25519PrivateKey" = field(repr=False)

    @cached_property
    def public(self) -> bytes:
        """The public half, raw (32 bytes)."""
        return self._key.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public half, hexadecimal."""
        return fingerprint(self.public)

    def sign(self, content: bytes) -> bytes:
        """The Ed25519 signature (64 bytes)."""
        return self._key.sign(content)


def check_name(name: str) -> str:
    """A person's name as keys, approvals and `person:...` use it.

    Raises:
        LedgerError: It could be mistaken for another or is no file name.
    """
    if not _NAME.fullmatch(name):
        raise LedgerError(
            f"{name!r} is no name of a signer: use small letters, digits and . _ @ -, "
            "63 at most, with a letter or digit first"
        )
    return name


def fingerprint(public: bytes) -> str:
    """What names a public key: SHA-256 of its 32 raw bytes, hexadecimal."""
    return hashlib.sha256(public).hexdigest()


def verify(public: bytes, signature: bytes, content: bytes) -> bool:
    """Whether the holder of a public key signed this content; False of anything malformed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_statement(key: PrivateKey, statement: Mapping[str, Any]) -> str:
    """Sign a statement in canonical JSON (RFC 8785); the signature in base64.

    Raises:
        LedgerError: The statement holds what JSON cannot, as NaN.
    """
    return base64.b64encode(key.sign(_content(statement))).decode()


def statement_signed(public: bytes, statement: Mapping[str, Any], signature: str) -> bool:
    """Whether a base64 signature is of exactly this statement and by this key.

    Base64 has several spellings of these bytes. Only the one that `sign_statement` gives counts, so
    that one signature cannot come again as another.
    """
    try:
        raw = base64.b64decode(signature, validate=True)
        spelled = base64.b64encode(raw).decode() == signature
        return spelled and verify(public, raw, _content(statement))
    except (binascii.Error, ValueError, LedgerError):
        return False


def key_file(settings: Settings, name: str) -> Path:
    """Where a person's private key is on this machine."""
    return settings.keys.expanduser() / f"{check_name(name)}.pem"


def new_private(settings: Settings, name: str, passphrase: str = "") -> PrivateKey:
    """Make a person's key; only its file (mode 0600) ever holds the private half.

    Args:
        settings: Says where keys are.
        name: Whose key it is.
        passphrase: Encrypts the file; it is not encrypted if empty.

    Raises:
        LedgerError: The name is none, or has a key here already.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = key_file(settings, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    try:
        write_private(path, key, passphrase)
    except FileExistsError as error:
        raise LedgerError(
            f"{path} exists: {name} has a key on this machine. Revoke it with "
            f"`feedback-assets keys revoke {name}` and remove the file before you make another"
        ) from error
    return PrivateKey(name, key)


def load_private(settings: Settings, name: str, passphrase: str = "") -> PrivateKey:
    """A person's key from this machine.

    Raises:
        LedgerError: There is none, others may read it, or the passphrase is wrong or missing.
    """
    path = key_file(settings, name)
    if not path.exists():
        raise LedgerError(
            f"{path}: {name} has no key on this machine; make one with "
            f"`feedback-assets keys new {name}`"
        )
    return PrivateKey(name, read_private(path, passphrase))


def locked(settings: Settings, name: str) -> bool:
    """Whether a person's key needs a passphrase; False where there is no key."""
    path = key_file(settings, name)
    return path.exists() and b"ENCRYPTED" in path.read_bytes().split(b"\n", 1)[0]


def write_private(path: Path, key: "Ed25519PrivateKey", passphrase: str = "") -> None:
    """Write a new private key whole and durably, mode 0600.

    Raises:
        FileExistsError: There is one; it is never written over.
    """
    from cryptography.hazmat.primitives import serialization as form

    sealed = (
        form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
    )
    content = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, sealed)
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    hidden.unlink(missing_ok=True)
    handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(hidden, path)  # unlike a rename it fails where a key is already
    finally:
        hidden.unlink()
    sync_folder(path.parent)


def read_private(path: Path, passphrase: str = "") -> "Ed25519PrivateKey":
    """Read a private key.

    Raises:
        LedgerError: Others may read the file, it is damaged, of another kind, or locked.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if path.stat().st_mode & 0o077:
        raise LedgerError(f"{path}: others may read this private key; run `chmod 600 {path}`")
    content = path.read_bytes()
    sealed = b"ENCRYPTED" in content.split(b"\n", 1)[0]
    if sealed and not passphrase:
        raise LedgerError(f"{path} needs its passphrase")
    try:
        key = load_pem_private_key(content, passphrase.encode() if sealed else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = "the passphrase is wrong, or the file is damaged" if sealed else "it is damaged"
        raise LedgerError(f"{path} is no key that can be read: {what}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LedgerError(f"{path} is no Ed25519 key")
    return key


def sync_folder(folder: Path) -> None:
    """Put a new name in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _content(statement: Mapping[str, Any]) -> bytes:
    try:
        return rfc8785.dumps(dict(statement))
    except rfc8785.CanonicalizationError as error:
        raise LedgerError(f"a statement cannot be signed: {error}") from error
