"""Signing keys by their commands."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from feedback_assets.commands.keys import app
from feedback_assets.errors import DoorError, LedgerError
from feedback_assets.ledger.keys import load_private, locked
from feedback_assets.ledger.registry import Registry
from feedback_assets.settings import Settings
from feedback_assets_tests.worlds import write_loop

Ask = Callable[..., Result]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`feedback-assets keys ...` on a home of its own with the loop `tiny`."""
    for name in ("home", "configs", "keys"):
        monkeypatch.setenv(f"FEEDBACK_ASSETS_{name.upper()}", str(tmp_path / name))
    write_loop(tmp_path / "configs")
    return lambda *words, said=None: CliRunner().invoke(app, list(words), input=said)


def test_a_key_is_made_listed_and_revoked(ask: Ask) -> None:
    assert "Nobody may approve" in ask("list").output
    made = ask("new", "anna", "--loop", "tiny")
    assert made.exit_code == 0, made.output
    assert "anna may approve for tiny" in " ".join(made.stderr.split())
    (known,) = Registry.load(Settings()).approvers
    assert (known.name, known.loops) == ("anna", ("tiny",))
    assert load_private(Settings(), "anna").public == known.public
    listed = ask("list").output
    for words in ("anna", "tiny", "usable", known.fingerprint[:16], "here"):
        assert words in listed
    again = ask("new", "anna")
    assert isinstance(again.exception, LedgerError)
    assert "keys revoke anna" in str(again.exception)
    assert "is revoked" in ask("revoke", "anna").output
    assert "revoked" in ask("list").output
    assert isinstance(ask("revoke", "anna").exception, LedgerError)


def test_others_may_review_the_entry_first(ask: Ask) -> None:
    made = ask("new", "anna", "--print")
    assert made.exit_code == 0, made.output
    assert not Settings().approvers.exists()
    entry = made.stdout
    assert "PRIVATE" not in entry
    shown = ask("show", "anna").stdout
    assert yaml.safe_load(shown)[0]["public_key"] == yaml.safe_load(entry)[0]["public_key"]
    Settings().approvers.write_text(yaml.safe_dump({"approvers": yaml.safe_load(entry)}))
    (known,) = Registry.load(Settings()).approvers
    assert known.public == load_private(Settings(), "anna").public


def test_a_passphrase_is_asked_for_twice(ask: Ask) -> None:
    made = ask("new", "anna", "--passphrase", said="horse\nhorse\n")
    assert made.exit_code == 0, made.output
    assert "horse" not in made.output
    assert locked(Settings(), "anna")
    assert ask("show", "anna", said="horse\n").exit_code == 0
    assert "passphrase is wrong" in str(ask("show", "anna", said="donkey\n").exception)


def test_a_slip_makes_no_key(ask: Ask, tmp_path: Path) -> None:
    assert isinstance(ask("new", "anna", "--loop", "tinny").exception, DoorError)
    assert "no name of a signer" in str(ask("new", "Anna Smith").exception)
    assert not (tmp_path / "keys").exists()
