"""TLS: what the service offers, and a certificate to try it with."""

import datetime as dt
import ipaddress
import logging
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from feedback_assets.errors import DoorError

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

logger = logging.getLogger(__name__)
CERTIFICATE = "certificate.pem"
KEY = "key.pem"
SKEW = dt.timedelta(minutes=5)


class Pair:
    """A certificate and its key, as the service offers them: TLS 1.3 and nothing older.

    Args:
        certificate: PEM; the service's own first, then those that vouch for it.
        key: PEM, without a password.

    Raises:
        DoorError: A file cannot be read, is not PEM, or key and certificate do not belong together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._stamp()
        self.context = server_context(certificate, key)

    def renew(self) -> None:
        """Offer new files to new connections when they changed; wrong ones are left out and told."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            server_context(*self._files)  # a failed load would leave the context without its key
            self.context.load_cert_chain(*self._files, password="")
        except (DoorError, OSError) as error:
            logger.error("the certificate stays as it was: %s", error)  # noqa: TRY400

    def _stamp(self) -> list[tuple[int, int]]:
        try:
            return [(found.st_ino, found.st_mtime_ns) for found in map(Path.stat, self._files)]
        except OSError:
            return []


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 with a certificate.

    Raises:
        DoorError: As for `Pair`.
    """
    for option, path in (("--tls-cert", certificate), ("--tls-key", key)):
        if not path.is_file() or not os.access(path, os.R_OK):
            raise DoorError(f"{option}: {path}: there is no such file, or it cannot be read")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    try:
        # With an empty password: OpenSSL would otherwise ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise DoorError(
            f"--tls-cert {certificate}, --tls-key {key}: not a certificate and its key in PEM "
            f"without a password ({reason})"
        ) from None
    return context


def make_certificate(host: str, folder: Path, days: int) -> tuple[Path, Path]:
    """Make a certificate that vouches for itself, for development.

    Args:
        host: A name or an address; with `localhost` the loopback addresses are included.
        folder: Where both files go; made if absent.
        days: How long it is good for.

    Returns:
        The certificate and its key (EC P-256, readable by its owner only).

    Raises:
        DoorError: A file is already there.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    certificate, key = folder / CERTIFICATE, folder / KEY
    for path in (certificate, key):
        if path.exists():
            raise DoorError(f"{path}: is already there; remove it or choose another folder (--out)")
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64])])
    moment = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - SKEW)
        .not_valid_after(moment + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False
        )
        .add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(private, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        key, 0o600,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )  # fmt: skip
    _write(certificate, 0o644, made.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _names(host: str) -> "list[GeneralName]":
    from cryptography import x509

    hosts = dict.fromkeys([host, "127.0.0.1", "::1"] if host == "localhost" else [host])
    names: list[GeneralName] = []
    for name in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            names.append(x509.DNSName(name))
    return names


def _write(path: Path, mode: int, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
