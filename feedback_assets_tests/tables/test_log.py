"""A torn newest log entry is set aside, and the table is as it was before that commit."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from feedback_assets.errors import TableError
from feedback_assets.settings import Settings
from feedback_assets.tables import log
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause, Table

DAY = "2013-02-01"


def replace(con: duckdb.DuckDBPyConnection, table: Table, value: int) -> None:
    """Let the only row of the day be `value`."""
    query = f"SELECT 1 AS id, {value} AS x, '{DAY}' AS partition_key"
    table.replace(con, query, [DAY], Cause("run", "asset", {"source": value}))


def values(con: duckdb.DuckDBPyConnection, table: Table) -> list[int]:
    """Read the day's values."""
    return [x for (x,) in con.sql(f"FROM {table.snapshot().relation(columns=['x'])}").fetchall()]


@pytest.fixture(name="con")
def _con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(Settings(home=tmp_path / "home")) as con:
        yield con


@pytest.fixture(name="table")
def _table(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Table:
    table = Table(tmp_path / "tables", "flights/log", ["id"])
    replace(con, table, 0)
    replace(con, table, 1)
    return table


def without_last_line(entry: bytes) -> bytes:
    """Cut cleanly after a line, so that what is left is valid JSON."""
    return b"\n".join(entry.splitlines()[:-1])


@pytest.mark.parametrize(
    "tear",
    [
        lambda entry: b"",
        lambda entry: entry[:1],
        lambda entry: entry[: len(entry) // 2],
        lambda entry: entry[:-1],
        lambda entry: b"\0" * len(entry),
        without_last_line,
    ],
    ids=["empty", "one byte", "half", "last byte gone", "zeros", "last line gone"],
)
def test_a_torn_entry_is_set_aside_and_said(
    con, table: Table, caplog, tear: Callable[[bytes], bytes]
) -> None:
    entry = log.entry_path(table.path, 1)
    entry.write_bytes(tear(entry.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert values(con, table) == [0]
    assert "torn by a crash" in caplog.text
    assert len(list((table.path / "_quarantine").iterdir())) == 1
    assert [version.version for version in table.history()] == [0]
    replace(con, table, 2)
    assert values(con, table) == [2]
    assert table.snapshot().version == 1


def test_every_length_of_a_torn_entry(con, table: Table) -> None:
    entry = log.entry_path(table.path, 1)
    whole = entry.read_bytes()
    for length in range(0, len(whole.rstrip()), 29):
        entry.write_bytes(whole[:length])
        log.heal(table.path)
        assert log.versions(table.path) == [0]
    entry.write_bytes(whole)
    log.heal(table.path)
    assert values(con, table) == [1]


def test_a_torn_first_entry_leaves_no_table(con, table: Table) -> None:
    for version in (0, 1):
        log.entry_path(table.path, version).write_bytes(b"")
    assert table.snapshot().version == -1
    replace(con, table, 3)
    assert values(con, table) == [3]


def test_a_torn_checkpoint_costs_nothing(con, table: Table) -> None:
    for value in range(2, 102):
        replace(con, table, value)
    (checkpoint,) = (table.path / log.LOG_FOLDER).glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    assert values(con, table) == [101]
    assert not checkpoint.exists()
    replace(con, table, 102)
    assert values(con, table) == [102]


def test_damage_that_cannot_be_healed_is_an_error(table: Table) -> None:
    log.entry_path(table.path, 0).write_text(json.dumps({"add": 1}))
    with pytest.raises(TableError, match="flights/log"):
        table.snapshot()
