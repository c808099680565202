"""`approve`, `reject`, `override` and `approvals` as people type them."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from feedback_assets.assets.approvals import approval_job, op_of
from feedback_assets.assets.ledger import decisions
from feedback_assets.clock import Clock
from feedback_assets.commands import approve
from feedback_assets.errors import ApprovalError, LedgerError
from feedback_assets.ledger.keys import key_file, new_private
from feedback_assets_tests.assets.waiting import SLOW, WaitingWorld

Run = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path) -> WaitingWorld:
    return WaitingWorld(tmp_path)


@pytest.fixture
def run(world: WaitingWorld, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(world.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(world.settings.configs))
    monkeypatch.setenv("FEEDBACK_ASSETS_KEYS", str(world.settings.keys))
    monkeypatch.setenv("FEEDBACK_ASSETS_ACTOR", "bob")
    monkeypatch.setenv("COLUMNS", "160")
    app = typer.Typer()
    approve.register(app)

    def _run(*arguments: str, **options: str) -> Result:
        return CliRunner().invoke(app, list(arguments), **options)  # type: ignore[arg-type]

    return _run


def test_two_people_approve(world: WaitingWorld, run: Run) -> None:
    assert "no candidate waits for people" in run("approvals", "tiny").output
    world.asked()
    first = run("approve", "tiny", "2", "--reason", "seen")
    assert first.exit_code == 0, first.output
    assert "approve of version 2 by bob is recorded" in first.output
    assert "1 more must approve" in first.output
    told = run("approvals", "tiny").output
    assert ["2", "high", "so", "bob", "1"] in [line.split() for line in told.splitlines()]
    assert "May approve for tiny: ann, bob, cid" in told
    second = run("approve", "tiny", "2", "--reason", "seen too", "--as", "cid")
    assert "Nobody is missing" in second.output
    made = decisions(world.space, "approve")
    assert [(d.actor, d.reason) for d in made] == [
        ("person:bob", "seen"),
        ("person:cid", "seen too"),
    ]


def test_what_does_not_count_is_said_and_not_recorded(world: WaitingWorld, run: Run) -> None:
    world.asked()
    own = run("approve", "tiny", "2", "--reason", "mine", "--as", "ann")
    assert isinstance(own.exception, ApprovalError)
    assert "asked for version 2" in str(own.exception)
    long = run("approve", "tiny", "2", "--reason", "x", "--expires-hours", "100")
    assert "longer than 72 hours" in str(long.exception)
    nobody = run("approve", "tiny", "2", "--reason", "x", "--as", "zoe")
    assert isinstance(nobody.exception, LedgerError)
    assert "keys new zoe" in str(nobody.exception)
    assert decisions(world.space, "approve") == []


def test_one_rejects(world: WaitingWorld, run: Run) -> None:
    world.gated()
    assert "follows with its next tick" in run("reject", "tiny", "2", "--reason", "no").output
    assert [d.actor for d in decisions(world.space, "reject")] == ["person:bob"]


def test_an_override_says_for_how_long(world: WaitingWorld, run: Run) -> None:
    world.gated(SLOW)
    words = ("override", "tiny", "2", "latency", "--reason", "batch only")
    assert run(*words).exit_code == 2  # how long is asked for
    told = run(*words, "--expires-hours", "6")
    assert told.exit_code == 0, told.output
    made = decisions(world.space, "override")[0].details["statement"]
    span = dt.datetime.fromisoformat(made["expires_at"]) - dt.datetime.fromisoformat(made["at"])
    assert (made["gate"], span) == ("latency", dt.timedelta(hours=6))


def test_printed_fields_are_those_of_the_job(world: WaitingWorld, run: Run) -> None:
    world.asked()
    told = run("approve", "tiny", "2", "--reason", "it's: fine", "--print")
    assert told.exit_code == 0, told.output
    assert decisions(world.space, "approve") == []
    config = yaml.safe_load(told.output)
    assert set(config["ops"]) == {op_of("tiny")}
    result = approval_job(world.space).execute_in_process(
        run_config=config, resources={"clock": Clock()}, instance=world.instance
    )
    assert result.success
    assert decisions(world.space, "approve")[0].reason == "it's: fine"


def test_a_locked_key_asks_for_its_passphrase(world: WaitingWorld, run: Run) -> None:
    world.asked()
    key_file(world.settings, "bob").unlink()
    new_private(world.settings, "bob", "open sesame")
    wrong = run("approve", "tiny", "2", "--reason", "x", input="no\n")
    assert isinstance(wrong.exception, LedgerError)
    other = run("approve", "tiny", "2", "--reason", "x", input="open sesame\n")
    # The passphrase was right; the key is another than the one in approvers.yaml.
    assert "signature is not of this statement" in str(other.exception)


def test_hostile_words_are_no_markup(world: WaitingWorld, run: Run) -> None:
    world.decide("request", risk="[red]", why=["[bold]x[/]"], people=2, statement={
        "model": "a", "evaluation": "b", "config": "c"})  # fmt: skip
    told = run("approvals", "tiny").output
    assert "[bold]x[/]" in told
    assert "version 2: asked for what stands no more" in told
