"""TLS 1.3 and nothing older, with a certificate that only who was told trusts."""

import datetime as dt
import socket
import ssl
import stat
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from feedback_assets.door.tls import Pair, make_certificate
from feedback_assets.errors import DoorError
from feedback_assets_tests.door.small import small_server


def trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def serial(port: int) -> int:
    """Of the certificate that is offered now."""
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_only_tls_1_3_is_spoken(tmp_path: Path) -> None:
    pair = make_certificate("localhost", tmp_path / "tls", 2)
    with small_server(tmp_path, pair=pair) as running:
        assert f"https://127.0.0.1:{running.port}" in running.out.read_text()
        newest, name = trusting(pair[0]), {"server_hostname": "localhost"}
        for host in ("localhost", "127.0.0.1"):
            with httpx.Client(verify=newest) as client:
                assert client.get(f"https://{host}:{running.port}/x").text == "done"
        with connected(running.port) as plain, newest.wrap_socket(plain, **name) as wire:
            assert wire.version() == "TLSv1.3"
        older = trusting(pair[0])
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with connected(running.port) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            older.wrap_socket(plain, **name)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://localhost:{running.port}/x")
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://localhost:{running.port}/x")
        assert httpx.get(f"https://localhost:{running.port}/x", verify=newest).text == "done"
        assert running.end() == 0


def test_a_new_certificate_is_offered_without_a_restart_and_a_bad_one_is_not(
    tmp_path: Path,
) -> None:
    cert, key = make_certificate("localhost", tmp_path / "tls", 2)
    with small_server(tmp_path, pair=(cert, key)) as running:
        first = serial(running.port)
        new_cert, new_key = make_certificate("localhost", tmp_path / "new", 2)
        for half in ("no certificate", new_cert.read_text()):  # the key is not there yet
            before = running.err.read_text().count("the certificate stays as it was")
            cert.write_text(half)
            until = time.monotonic() + 10
            while running.err.read_text().count("the certificate stays as it was") == before:
                assert time.monotonic() < until
                time.sleep(0.1)
            assert serial(running.port) == first
        new_key.replace(key)
        until = time.monotonic() + 10
        while serial(running.port) == first:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_whoever_never_shakes_hands_is_not_waited_for(tmp_path: Path) -> None:
    pair = make_certificate("localhost", tmp_path / "tls", 2)
    with small_server(tmp_path, pair=pair) as running, connected(running.port) as plain:
        plain.settimeout(20)
        start = time.monotonic()
        assert plain.recv(1) == b""
        assert time.monotonic() - start < 10


def test_the_certificate_names_its_host_and_its_end(tmp_path: Path) -> None:
    certificate, key = make_certificate("door.example", tmp_path, 30)
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["door.example"]
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca  # whoever trusts it trusts this service and nothing signed by it
    left = made.not_valid_after_utc - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=29) < left <= dt.timedelta(days=30)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_an_address_becomes_an_address(tmp_path: Path) -> None:
    certificate, _ = make_certificate("192.0.2.7", tmp_path, 30)
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    _, key = make_certificate("localhost", tmp_path, 30)
    before = key.read_bytes()
    with pytest.raises(DoorError, match="already there"):
        make_certificate("localhost", tmp_path, 30)
    assert key.read_bytes() == before


def test_a_wrong_pair_is_told_without_its_content(tmp_path: Path) -> None:
    cert, key = make_certificate("localhost", tmp_path / "one", 30)
    other, _ = make_certificate("localhost", tmp_path / "two", 30)
    with pytest.raises(DoorError, match=r"--tls-key.*no such file"):
        Pair(cert, tmp_path / "missing.pem")
    with pytest.raises(DoorError, match="MISMATCH"):
        Pair(other, key)
    with pytest.raises(DoorError, match="in PEM") as caught:
        Pair(key, key)
    assert key.read_text().splitlines()[1] not in str(caught.value)
