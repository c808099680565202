"""People's keys: whose they are, who may use them, and what their signatures hold."""

import base64
import datetime as dt
import stat
from pathlib import Path

import pytest
import yaml

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.keys import (
    fingerprint,
    key_file,
    load_private,
    locked,
    new_private,
    sign_statement,
    statement_signed,
)
from feedback_assets.ledger.registry import Approver, Registry, entry_of, register, revoke
from feedback_assets.settings import Settings

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", configs=tmp_path / "configs", keys=tmp_path / "keys")


def test_a_key_signs_what_it_signs(settings: Settings) -> None:
    key, other = new_private(settings, "anna"), new_private(settings, "bert")
    statement = {"loop": "flights", "version": "3", "action": "approve"}
    signature = sign_statement(load_private(settings, "anna"), statement)
    assert statement_signed(key.public, statement, signature)
    assert statement_signed(key.public, dict(reversed(statement.items())), signature)
    assert not statement_signed(key.public, {**statement, "version": "4"}, signature)
    assert not statement_signed(other.public, statement, signature)
    respelled = signature[:-3] + chr(ord(signature[-3]) + 1) + "=="
    assert base64.b64decode(respelled) == base64.b64decode(signature)
    for broken in ("", "no base64", signature[:-4], signature + "AAAA", respelled):
        assert not statement_signed(key.public, statement, broken)
    assert not statement_signed(b"short", statement, signature)
    assert not statement_signed(key.public, {"x": float("nan")}, signature)
    with pytest.raises(LedgerError, match="cannot be signed"):
        sign_statement(key, {"x": float("nan")})
    assert key.fingerprint == fingerprint(key.public) != other.fingerprint


def test_private_keys_are_private(settings: Settings) -> None:
    new_private(settings, "anna")
    path = key_file(settings, "anna")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["anna.pem"]
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="anna has a key on this machine"):
        new_private(settings, "anna")
    assert path.read_bytes() == before
    path.chmod(0o640)
    with pytest.raises(LedgerError, match=r"others may read.*chmod 600"):
        load_private(settings, "anna")


def test_a_passphrase_locks_a_key(settings: Settings) -> None:
    made = new_private(settings, "anna", "correct horse")
    assert locked(settings, "anna")
    assert load_private(settings, "anna", "correct horse").public == made.public
    with pytest.raises(LedgerError, match="needs its passphrase"):
        load_private(settings, "anna")
    with pytest.raises(LedgerError, match="passphrase is wrong"):
        load_private(settings, "anna", "battery staple")
    new_private(settings, "bert")
    assert not locked(settings, "bert")
    assert load_private(settings, "bert", "not needed").name == "bert"


def test_missing_and_foreign_keys_are_told(settings: Settings) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    assert not locked(settings, "anna")
    with pytest.raises(LedgerError, match="keys new anna"):
        load_private(settings, "anna")
    new_private(settings, "anna")
    path = key_file(settings, "anna")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LedgerError, match="damaged"):
        load_private(settings, "anna")
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
    )
    with pytest.raises(LedgerError, match="no Ed25519 key"):
        load_private(settings, "anna")


@pytest.mark.parametrize(
    "name", ["", "Anna", "../anna", "a/b", ".anna", "ann\u0430", "a" * 64, "a b"]
)
def test_names_that_mislead_are_refused(settings: Settings, name: str) -> None:
    with pytest.raises(LedgerError, match="no name of a signer"):
        new_private(settings, name)


def approver(name: str, loops: tuple[str, ...] = ("*",), byte: int = 0) -> Approver:
    return Approver(name, bytes([byte or ord(name[0])]) * 32, loops, NOW)


def test_who_may_approve_is_written_and_read(settings: Settings) -> None:
    assert Registry.load(settings) == Registry()
    anna, bert = approver("anna"), approver("bert", ("flights", "taxi"))
    register(settings, anna)
    register(settings, bert)
    known = Registry.load(settings)
    assert known == Registry((anna, bert))
    assert known.key(bert.fingerprint) == bert
    assert known.key("0" * 64) is None
    assert anna.may("anything", NOW)
    assert not anna.may("anything", NOW - HOUR)
    assert bert.may("taxi", NOW)
    assert not bert.may("bikes", NOW)


def test_a_revoked_key_counts_until_then_and_stays(settings: Settings) -> None:
    register(settings, approver("anna"))
    gone = revoke(settings, "anna", NOW + HOUR)
    assert Registry.load(settings).of("anna") == (gone,)
    assert gone.may("flights", NOW)
    assert not gone.may("flights", NOW + HOUR)
    with pytest.raises(LedgerError, match="no key that could be revoked"):
        revoke(settings, "anna", NOW)
    new = Approver("anna", bytes(32), ("*",), NOW + 2 * HOUR)
    register(settings, new)
    known = Registry.load(settings)
    assert known.current("anna", NOW) == gone
    assert known.current("anna", NOW + HOUR) is None
    assert known.current("anna", NOW + 3 * HOUR) == new


def test_one_person_cannot_pass_for_two(settings: Settings) -> None:
    register(settings, approver("anna"))
    with pytest.raises(LedgerError, match="anna and zoe have the same key"):
        register(settings, approver("zoe", byte=ord("a")))
    with pytest.raises(LedgerError, match="anna has two keys"):
        register(settings, approver("anna", byte=7))
    # nor by writing the file by hand, nor with a key that was revoked
    one, other = entry_of(approver("anna")), entry_of(approver("zoe", byte=ord("a")))
    settings.approvers.write_text(yaml.safe_dump({"approvers": [{**one, "revoked": NOW}, other]}))
    with pytest.raises(LedgerError, match="the same key"):
        Registry.load(settings)
    assert len(yaml.safe_load(settings.approvers.read_text())["approvers"]) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"public_key": "AAAA"}, "entry 2: public_key is no Ed25519 key"),
        ({"public_key": "!"}, "public_key is no"),
        ({"loops": "flights"}, "loops must be a list"),
        ({"loops": []}, "loops must be a list"),
        ({"added": "yesterday"}, "added must be a time"),
        ({"revoked": 7}, "revoked must be a time"),
        ({"name": "Anna"}, "no name of a signer"),
        ({"email": "x"}, "it needs name, public_key"),
    ],
)
def test_a_wrong_file_names_the_entry_and_field(
    settings: Settings, change: dict[str, object], said: str
) -> None:
    settings.configs.mkdir()
    entries = [entry_of(approver("bert")), {**entry_of(approver("anna")), **change}]
    settings.approvers.write_text(yaml.safe_dump({"approvers": entries}))
    with pytest.raises(LedgerError, match=said):
        Registry.load(settings)


@pytest.mark.parametrize("text", ["", "approvers: 3", "- a", "approvers: [3]", "a: [", "\xff"])
def test_what_is_no_registry_is_refused(settings: Settings, text: str) -> None:
    settings.configs.mkdir()
    settings.approvers.write_bytes(text.encode("latin-1"))
    with pytest.raises(LedgerError, match=r"approvers\.yaml"):
        Registry.load(settings)


def test_times_may_be_written_without_an_offset(settings: Settings) -> None:
    settings.configs.mkdir()
    entry = {**entry_of(approver("anna")), "added": "2026-05-01T12:00:00"}
    settings.approvers.write_text(yaml.safe_dump({"approvers": [entry]}))
    assert Registry.load(settings).approvers[0].added == NOW
