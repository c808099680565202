"""The ledger by its commands, on a world whose first model was promoted."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from feedback_assets.assets.ledger import decisions, project, record
from feedback_assets.commands.audit import app
from feedback_assets.errors import LedgerError
from feedback_assets.ledger.heads import heads_path, sign_head
from feedback_assets.ledger.store import ledger_path
from feedback_assets.promotion.decisions import Decision
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import World, moment

Ask = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(world.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(world.settings.configs))
    for number, kind in enumerate(("retrain", "gate", "promote"), start=1):
        record(world.space, Decision(
            "tiny", kind, moment(f"2024-01-0{number}"), "cause", "rule", "reason 1 > 0",  # type: ignore[arg-type]
            {"number": number}, version="1", numbers={"gain": 0.25}, actor="person:anna",
        ))  # fmt: skip
        sign_head(world.settings, "tiny", moment(f"2024-01-0{number}"))
    return world


def ask(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def size_of(world: World) -> int:
    return len(decisions(world.space))


def test_a_good_ledger_is_told_as_good(world: World) -> None:
    told = ask("verify", "--no-mlflow")
    assert told.exit_code == 0, told.output
    assert f"good tiny: {size_of(world)} records" in told.output
    assert "no witness" in told.output, "what could not be found is said"
    assert ask("verify", "tiny", "--no-mlflow").exit_code == 0
    assert "there are: tiny" in str(ask("verify", "tinny", "--no-mlflow").exception)


def test_an_edit_is_told_with_its_record(world: World) -> None:
    with sqlite3.connect(ledger_path(world.settings.ledger, "tiny")) as con:
        con.execute("DROP TRIGGER records_never_update")
        con.execute("UPDATE records SET actor = 'person:bert' WHERE seq = 2")
    con.close()
    told = ask("verify", "--no-mlflow")
    assert told.exit_code == 1
    assert "WRONG tiny" in told.output
    assert "changed: record 2 is not what its hash says" in told.output
    assert "guard" in told.output


def test_a_ledger_that_is_gone_is_missed_by_its_witness(world: World, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text(ask("head", "tiny").stdout)
    for path in world.settings.ledger.glob("tiny*"):
        path.unlink()
    with pytest.raises(LedgerError, match="nothing was decided"):
        raise ask("verify", "--no-mlflow").exception or AssertionError
    told = ask("verify", "--witness", kept, "--no-mlflow")
    assert told.exit_code == 1
    assert "are gone" in told.output


def test_a_row_of_the_decisions_table_that_was_changed_is_found(world: World) -> None:
    table = world.space.table("decisions")
    first, second, *_ = decisions(world.space)
    with connect(world.settings) as con:
        old = table.snapshot().relation()
        rows = (
            f"SELECT * REPLACE ('no reason' AS reason) FROM {old} "
            f"WHERE decision_id = '{first.decision_id}'"
        )
        table.replace(con, rows, [first.decision_id], Cause("", "test", {}))
        rows = (
            "SELECT * REPLACE ('made-up' AS decision_id, 'made-up' AS partition_key) "
            f"FROM {old} WHERE decision_id = '{second.decision_id}'"
        )
        table.replace(con, rows, ["made-up"], Cause("", "test", {}))
    told = ask("verify", "--no-mlflow").output
    assert f"{first.decision_id} has another reason than the ledger" in " ".join(told.split())
    assert "made-up is not in the ledger" in told
    project(world.space)


def test_a_table_that_lags_behind_is_a_note(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from feedback_assets.assets import ledger

    monkeypatch.setattr(ledger, "project", lambda *_: None)
    late = Decision("tiny", "stage", moment("2024-01-09"), "c", "r", "w", {"late": 1})
    record(world.space, late)
    told = ask("verify", "--no-mlflow")
    assert told.exit_code == 0, told.output
    assert "decisions table: 1 of" in told.output


def test_records_are_shown_proven_and_exported(world: World, tmp_path: Path) -> None:
    sign_head(world.settings, "tiny", moment("2024-01-05"))
    size = size_of(world)
    assert "promote" in ask("show", "tiny").output
    shown = json.loads(ask("show", "tiny", size).stdout)
    assert (shown["kind"], shown["body"]["numbers"]) == ("promote", {"gain": 0.25})
    proof = json.loads(ask("prove", "tiny", size).stdout)
    assert proof["record"] == shown
    assert proof["head"]["size"] == size
    ask("prove", "tiny", size, "--to", tmp_path / "proof.json")
    assert json.loads((tmp_path / "proof.json").read_text()) == proof
    told = ask("export", "tiny", "--to", tmp_path / "all.jsonl")
    assert f"{size} records" in told.output
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert [json.loads(line).get("seq") for line in lines] == [*range(1, size + 1), None]
    heads = heads_path(world.settings, "tiny").read_text().splitlines()
    (tmp_path / "kept").write_text(heads[0])
    grown = json.loads(ask("grown", "tiny", tmp_path / "kept").stdout)
    assert grown["old"]["size"] < grown["head"]["size"] == size
    (tmp_path / "kept").write_text("")
    assert "no signed head of tiny" in str(ask("grown", "tiny", tmp_path / "kept").exception)
    assert f"the newest is {size}" in str(ask("show", "tiny", 99).exception)


def test_heads_in_mlflow_are_compared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from feedback_assets.training import registry

    heads = heads_path(world.settings, "tiny").read_text().splitlines()
    monkeypatch.setattr(registry, "ledger_heads", lambda *_: sorted(heads))
    world.settings.mlflow.mkdir(parents=True)
    (world.settings.mlflow / "mlflow.db").touch()
    told = ask("verify")
    assert told.exit_code == 0, told.output
    assert f"MLflow: {len(heads)} heads" in told.output
    changed = [heads[0].replace('"size":', '"size":1')]
    monkeypatch.setattr(registry, "ledger_heads", lambda *_: changed)
    assert "MLflow, line 1: the signature is not of this head" in ask("verify").output
